// What is done with keys that stay in a token.
#include <algorithm>

#include "crypto/keys/pkcs11/calls.hpp"
#include "crypto/keys/pkcs11/token.hpp"

namespace crypto::keys::pkcs11 {
namespace {

std::size_t block_size(Algorithm algorithm) {
    return algorithm == Algorithm::aes ? 16 : 8;
}

}  // namespace

Result<void> Token::encrypt_blocks(const ObjectName& key, Bytes in, MutableBytes out) {
    wipe(out);
    if (in.empty() || in.size() != out.size()) {
        return refusal(Refusal::size_wrong, "no blocks, or a buffer of another size");
    }
    return use_key(key, Use::encrypt_blocks,
                   [&](const Session& session, const Held& held) -> Result<void> {
                       const bool aes = held.description.algorithm == Algorithm::aes;
                       if (in.size() % block_size(held.description.algorithm) != 0) {
                           return refusal(Refusal::size_wrong, "not whole blocks");
                       }
                       const CK_MECHANISM_TYPE ecb = aes ? CKM_AES_ECB : CKM_DES3_ECB;
                       ONECARD_CHECK(need(ecb, CKF_ENCRYPT, "ECB"));
                       return encrypt(session, plain_mechanism(ecb), held.handle, in, out);
                   });
}

Result<purse::PurseKey> Token::diversify(const ObjectName& master,
                                         std::span<const purse::Factor> factors) {
    if (factors.empty()) return refusal(Refusal::size_wrong, "no factor");
    std::array<std::uint8_t, purse::key_size> in{};  // F | not F: domain.md 1.10
    const auto& factor = factors.front().value();
    std::ranges::copy(factor, in.begin());
    std::ranges::transform(factor, in.begin() + 8,
                           [](std::uint8_t byte) { return static_cast<std::uint8_t>(~byte); });
    purse::PurseKey child;
    child.suite = protocol::Suite::triple_des;
    const auto derived = use_key(
        master, Use::encrypt_blocks, [&](const Session& session, const Held& held) -> Result<void> {
            if (held.description.algorithm != Algorithm::triple_des) {
                return refusal(Refusal::use_forbidden, "a master of another suite");
            }
            ONECARD_CHECK(need(CKM_DES3_ECB, CKF_ENCRYPT, "CKM_DES3_ECB"));
            return encrypt(session, plain_mechanism(CKM_DES3_ECB), held.handle, in,
                           child.value.bytes());
        });
    if (!derived) return std::unexpected{derived.error()};
    for (const auto& next : factors.subspan(1)) child = purse::diversify(child, next);
    return child;
}

Result<void> Token::cmac(const ObjectName& key, Bytes data, MutableBytes out) {
    wipe(out);
    return use_key(key, Use::mac, [&](const Session& session, const Held& held) -> Result<void> {
        if (out.size() != block_size(held.description.algorithm)) {
            return refusal(Refusal::size_wrong, "a buffer that is not one block");
        }
        const bool aes = held.description.algorithm == Algorithm::aes;
        const CK_MECHANISM_TYPE mechanism = aes ? CKM_AES_CMAC : CKM_DES3_CMAC;
        ONECARD_CHECK(need(mechanism, CKF_SIGN, "CMAC"));
        return pkcs11::sign(session, plain_mechanism(mechanism), held.handle, data, out);
    });
}

Result<std::array<std::uint8_t, 64>> Token::sign(const ObjectName& key,
                                                 std::span<const std::uint8_t, 32> digest) {
    ONECARD_CHECK(need(CKM_ECDSA, CKF_SIGN, "CKM_ECDSA"));
    std::array<std::uint8_t, 64> out{};
    ONECARD_CHECK(use_key(key, Use::sign, [&](const Session& session, const Held& held) {
        return pkcs11::sign(session, plain_mechanism(CKM_ECDSA), held.handle, digest, out);
    }));
    return out;
}

Result<P256Point> Token::public_key(const ObjectName& key) {
    using Answer = Result<P256Point>;
    return pool_->run(Beside::others, Repeat::once, [&](const Session& session) -> Answer {
        ONECARD_TRY(held, resolve(session, key, ObjectClass::public_key));
        if (held.description.algorithm != Algorithm::p256) {
            return refusal(Refusal::use_forbidden, "not a P-256 key");
        }
        std::array<std::uint8_t, 128> point{};
        CK_ATTRIBUTE attribute{CKA_EC_POINT, point.data(), point.size()};
        const CK_RV rv =
            session.call.C_GetAttributeValue(session.handle, held.handle, &attribute, 1);
        if (is_stale_handle(rv)) forget(key);
        ONECARD_CHECK(done("C_GetAttributeValue", rv));
        if (attribute.ulValueLen > point.size()) {
            return refusal(Refusal::answer_malformed, "CKA_EC_POINT: too long");
        }
        return parse_ec_point(Bytes{point}.first(attribute.ulValueLen));
    });
}

Result<void> Token::random(MutableBytes out) {
    wipe(out);
    if (out.empty()) return {};
    const auto filled =
        pool_->run(Beside::others, Repeat::once, [&](const Session& session) -> Result<void> {
            return done("C_GenerateRandom",
                        session.call.C_GenerateRandom(session.handle, out.data(), out.size()));
        });
    if (!filled) wipe(out);
    return filled;
}

}  // namespace crypto::keys::pkcs11
