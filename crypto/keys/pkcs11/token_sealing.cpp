// Secrets that a token cannot compute with, encrypted by a key that stays in it. docs/pkcs11.md,
// "The sealed blob".
#include <algorithm>

#include "crypto/core/sm3.hpp"
#include "crypto/keys/pkcs11/calls.hpp"
#include "crypto/keys/pkcs11/token.hpp"

namespace crypto::keys::pkcs11 {
namespace {

using Blob = std::vector<std::uint8_t>;

constexpr std::uint8_t gcm_usages = usage::encrypt | usage::decrypt;

Blob joined(Bytes first, Bytes second) {
    Blob out{first.begin(), first.end()};
    out.insert(out.end(), second.begin(), second.end());
    return out;
}

/// The answers that say the content is wrong. SoftHSM2 2.6.1 says CKR_GENERAL_ERROR for a wrong
/// tag, others CKR_FUNCTION_FAILED.
bool blames_content(CK_RV rv) {
    return rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_ENCRYPTED_DATA_LEN_RANGE ||
           rv == CKR_WRAPPED_KEY_INVALID || rv == CKR_WRAPPED_KEY_LEN_RANGE ||
           rv == CKR_SIGNATURE_INVALID || rv == CKR_GENERAL_ERROR || rv == CKR_FUNCTION_FAILED;
}

std::unexpected<Error> not_opened(const char* call, CK_RV rv) {
    if (blames_content(rv)) return refused_as(Refusal::blob_refused, call, rv);
    return refused(call, rv);
}

CK_GCM_PARAMS gcm_parameters(MutableBytes nonce, Bytes data) {
    return {.pIv = nonce.data(),
            .ulIvLen = nonce.size(),
            .ulIvBits = nonce.size() * 8,
            .pAAD = readable(data),
            .ulAADLen = data.size(),
            .ulTagBits = seal_tag_size * 8};
}

/// An object of one call.
class SessionObject {
public:
    SessionObject(const Session& session, CK_OBJECT_HANDLE handle)
        : session_{session}, handle_{handle} {}
    ~SessionObject() { static_cast<void>(session_.call.C_DestroyObject(session_.handle, handle_)); }
    SessionObject(const SessionObject&) = delete;
    SessionObject& operator=(const SessionObject&) = delete;

private:
    const Session& session_;
    CK_OBJECT_HANDLE handle_;
};

/// A secret as an object that may be wrapped and read, for the length of one call.
void describe_package(Template& out) {
    out.number(CKA_CLASS, CKO_SECRET_KEY);
    out.number(CKA_KEY_TYPE, CKK_GENERIC_SECRET);
    out.flag(CKA_TOKEN, false);
    out.flag(CKA_PRIVATE, true);
    out.flag(CKA_SENSITIVE, false);
    out.flag(CKA_EXTRACTABLE, true);
}

/// The digest and the size in an opened package are those of the blob.
bool package_is_right(Bytes package, const SealedBlob& blob, Bytes digest) {
    const bool size = package[0] == blob.header[6] && package[1] == blob.header[7];
    const bool same = equal_constant_time(package.subspan(2, seal_digest_size), digest);
    const Bytes padding = package.subspan(2 + seal_digest_size + blob.size);
    return size && same && std::ranges::all_of(padding, [](auto byte) { return byte == 0; });
}

}  // namespace

Result<Blob> Token::seal(const ObjectName& key, Bytes secret, Bytes data) {
    if (secret.empty() || secret.size() > sealed_secret_size_max) {
        return refusal(Refusal::size_wrong, "not 1..1024 bytes");
    }
    // Which mechanism is the key's: the fallback makes an object, so it runs alone.
    ONECARD_TRY(is_gcm, seals_with_gcm(key));
    return pool_->run(
        is_gcm ? Beside::others : Beside::nobody, Repeat::once, [&](const Session& session) {
            return with_key(session, key, Use::seal, [&](const Session& with, const Held& held) {
                return is_gcm ? seal_gcm(with, held, secret, data)
                              : seal_wrapped(with, held, secret, data);
            });
        });
}

Result<bool> Token::seals_with_gcm(const ObjectName& key) {
    ONECARD_TRY(usages, use_key(key, Use::seal,
                                [](const Session&, const Held& held) -> Result<std::uint8_t> {
                                    return held.description.usages;
                                }));
    if (usages == gcm_usages) {
        ONECARD_CHECK(need(CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT, "CKM_AES_GCM"));
        return true;
    }
    ONECARD_CHECK(need(CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP, "CKM_AES_KEY_WRAP"));
    return false;
}

Result<Blob> Token::seal_gcm(const Session& session, const Held& key, Bytes secret,
                             Bytes data) const {
    const SealHeader header = seal_header(SealMechanism::aes_gcm, secret.size());
    const Blob bound = joined(header, data);
    std::array<std::uint8_t, seal_nonce_size> nonce{};
    ONECARD_CHECK(done("C_GenerateRandom",
                       session.call.C_GenerateRandom(session.handle, nonce.data(), nonce.size())));
    CK_GCM_PARAMS parameters = gcm_parameters(nonce, bound);
    Blob sealed(secret.size() + seal_tag_size);
    ONECARD_CHECK(encrypt(session, {CKM_AES_GCM, &parameters, sizeof parameters}, key.handle,
                          secret, sealed));
    // After the call: a module that insists on its own nonce has written it there.
    return joined(joined(header, nonce), sealed);
}

Result<void> Token::open_gcm(const Session& session, const Held& key, const SealedBlob& blob,
                             Bytes data, MutableBytes out) const {
    const Blob bound = joined(blob.header, data);
    std::array<std::uint8_t, seal_nonce_size> nonce{};
    std::ranges::copy(blob.nonce, nonce.begin());
    // SoftHSM2 2.6.1 wants room for the tag as well.
    LockedArena arena;
    const MutableBytes opened = arena.allocate(blob.sealed.size());
    if (opened.empty()) return refusal(Refusal::memory_not_lockable, "for an opened secret");
    CK_GCM_PARAMS parameters = gcm_parameters(nonce, bound);
    CK_MECHANISM mechanism{CKM_AES_GCM, &parameters, sizeof parameters};
    ONECARD_CHECK(
        done("C_DecryptInit", session.call.C_DecryptInit(session.handle, &mechanism, key.handle)));
    CK_ULONG size = opened.size();
    const CK_RV rv = session.call.C_Decrypt(session.handle, readable(blob.sealed),
                                            blob.sealed.size(), opened.data(), &size);
    if (rv != CKR_OK) return not_opened("C_Decrypt", rv);
    if (size != blob.size) return refusal(Refusal::answer_malformed, "C_Decrypt");
    std::ranges::copy(opened.first(blob.size), out.begin());
    return {};
}

Result<Blob> Token::seal_wrapped(const Session& session, const Held& key, Bytes secret,
                                 Bytes data) const {
    const SealHeader header = seal_header(SealMechanism::aes_key_wrap, secret.size());
    LockedArena arena;
    const MutableBytes package = arena.allocate(seal_package_size(secret.size()));
    if (package.empty()) return refusal(Refusal::memory_not_lockable, "for a secret");
    std::ranges::copy(Bytes{header}.subspan(6, 2), package.begin());
    std::ranges::copy(sm3(joined(header, data)), package.begin() + 2);
    std::ranges::copy(secret, package.begin() + 2 + seal_digest_size);
    Template made;
    describe_package(made);
    made.bytes(CKA_VALUE, package);
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    ONECARD_CHECK(done("C_CreateObject", session.call.C_CreateObject(session.handle, made.data(),
                                                                     made.size(), &handle)));
    const SessionObject object{session, handle};
    CK_MECHANISM mechanism = plain_mechanism(CKM_AES_KEY_WRAP);
    Blob sealed(package.size() + key_wrap_overhead);
    CK_ULONG size = sealed.size();
    ONECARD_CHECK(done("C_WrapKey", session.call.C_WrapKey(session.handle, &mechanism, key.handle,
                                                           handle, sealed.data(), &size)));
    if (size != sealed.size()) return refusal(Refusal::answer_malformed, "C_WrapKey");
    return joined(header, sealed);
}

Result<void> Token::open_wrapped(const Session& session, const Held& key, const SealedBlob& blob,
                                 Bytes data, MutableBytes out) const {
    LockedArena arena;
    const MutableBytes package = arena.allocate(seal_package_size(blob.size));
    if (package.empty()) return refusal(Refusal::memory_not_lockable, "for an opened secret");
    Template made;
    describe_package(made);
    CK_MECHANISM mechanism = plain_mechanism(CKM_AES_KEY_WRAP);
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    const CK_RV rv =
        session.call.C_UnwrapKey(session.handle, &mechanism, key.handle, readable(blob.sealed),
                                 blob.sealed.size(), made.data(), made.size(), &handle);
    if (rv != CKR_OK) return not_opened("C_UnwrapKey", rv);
    const SessionObject object{session, handle};
    CK_ATTRIBUTE value{CKA_VALUE, package.data(), package.size()};
    ONECARD_CHECK(done("C_GetAttributeValue",
                       session.call.C_GetAttributeValue(session.handle, handle, &value, 1)));
    if (value.ulValueLen != package.size()) {
        return refusal(Refusal::answer_malformed, "C_UnwrapKey");
    }
    if (!package_is_right(package, blob, sm3(joined(blob.header, data)))) {
        return refusal(Refusal::blob_refused, "sealed with other data");
    }
    std::ranges::copy(package.subspan(2 + seal_digest_size, blob.size), out.begin());
    return {};
}

Result<std::size_t> Token::sealed_size(Bytes blob) {
    ONECARD_TRY(parsed, parse_sealed_blob(blob));
    return parsed.size;
}

Result<void> Token::open_sealed(const ObjectName& key, Bytes blob, Bytes data, MutableBytes out) {
    wipe(out);
    ONECARD_TRY(parsed, parse_sealed_blob(blob));
    if (out.size() != parsed.size) return refusal(Refusal::size_wrong, "not the secret's size");
    ONECARD_TRY(is_gcm, seals_with_gcm(key));
    if (is_gcm != (parsed.mechanism == SealMechanism::aes_gcm)) {
        return refusal(Refusal::blob_refused, "the key seals by another mechanism");
    }
    return pool_->run(
        is_gcm ? Beside::others : Beside::nobody, Repeat::once, [&](const Session& session) {
            return with_key(session, key, Use::seal, [&](const Session& with, const Held& held) {
                return is_gcm ? open_gcm(with, held, parsed, data, out)
                              : open_wrapped(with, held, parsed, data, out);
            });
        });
}

}  // namespace crypto::keys::pkcs11
