// How keys come to be in a token. docs/pkcs11.md, "Objects".
#include <algorithm>
#include <bit>

#include "crypto/keys/pkcs11/calls.hpp"
#include "crypto/keys/pkcs11/token.hpp"

namespace crypto::keys::pkcs11 {
namespace {

bool size_is_possible(const KeySpec& key) {
    switch (key.algorithm) {
        case Algorithm::aes:
            if (key.use == Use::seal) return key.size == 32;
            return key.size == 16 || key.size == 24 || key.size == 32;
        case Algorithm::triple_des: return key.size == 16 || key.size == 24;
        case Algorithm::p256: return key.size == 32;
        case Algorithm::other: break;
    }
    return false;
}

CK_KEY_TYPE key_type(const KeySpec& key, bool as_des3) {
    if (key.algorithm == Algorithm::aes) return CKK_AES;
    return key.size == 16 && !as_des3 ? CKK_DES2 : CKK_DES3;
}

/// Without CKA_VALUE and CKA_VALUE_LEN: whether they may be there depends on the call.
void describe_secret(Template& out, const KeySpec& key, CK_KEY_TYPE type, std::uint8_t usages) {
    out.number(CKA_CLASS, CKO_SECRET_KEY);
    out.number(CKA_KEY_TYPE, type);
    out.name(key.name);
    out.kept_inside();
    out.usages(ObjectClass::secret_key, usages);
    out.not_modifiable();
}

std::uint8_t with_odd_parity(std::uint8_t byte) {  // FIPS 46-3, "the 64-bit key"
    const auto upper = static_cast<std::uint8_t>(byte & 0xFE);
    return static_cast<std::uint8_t>(upper | (std::popcount(upper) % 2 == 0 ? 1 : 0));
}

/// The module does not take a secret's value in clear.
bool forbids_values(CK_RV rv) {
    return rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_ATTRIBUTE_READ_ONLY || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
           rv == CKR_ATTRIBUTE_SENSITIVE || rv == CKR_ACTION_PROHIBITED ||
           rv == CKR_FUNCTION_NOT_SUPPORTED;
}

/// A key for one import, gone with it.
class TransportKey {
public:
    explicit TransportKey(const Session& session) : session_{session} {}
    ~TransportKey() {
        if (handle_ != CK_INVALID_HANDLE) {
            static_cast<void>(session_.call.C_DestroyObject(session_.handle, handle_));
        }
    }
    TransportKey(const TransportKey&) = delete;
    TransportKey& operator=(const TransportKey&) = delete;

    [[nodiscard]] Result<void> generate() {
        Template made;
        made.number(CKA_CLASS, CKO_SECRET_KEY);
        made.number(CKA_KEY_TYPE, CKK_AES);
        made.number(CKA_VALUE_LEN, 32);
        made.flag(CKA_TOKEN, false);
        made.flag(CKA_PRIVATE, true);
        made.flag(CKA_SENSITIVE, true);
        made.flag(CKA_EXTRACTABLE, false);
        made.usages(ObjectClass::secret_key, usage::encrypt | usage::unwrap);
        CK_MECHANISM mechanism = plain_mechanism(CKM_AES_KEY_GEN);
        return done("C_GenerateKey",
                    session_.call.C_GenerateKey(session_.handle, &mechanism, made.data(),
                                                made.size(), &handle_));
    }
    [[nodiscard]] CK_OBJECT_HANDLE handle() const { return handle_; }

    /// RFC 3394, 2.2.1, the index form, with the token's ECB as its cipher. `wrapped` is locked,
    /// `value.size() + 8` bytes; `block` is 32 locked bytes to work in.
    [[nodiscard]] Result<void> wrap(Bytes value, MutableBytes wrapped, MutableBytes block) const {
        constexpr std::uint8_t initial = 0xA6;  // RFC 3394, 2.2.3.1
        const MutableBytes a = block.first(8), in = block.first(16), out = block.subspan(16);
        std::ranges::fill(a, initial);
        std::ranges::copy(value, wrapped.begin() + 8);
        const std::size_t n = value.size() / 8;
        for (std::size_t t = 1; t <= 6 * n; ++t) {
            const MutableBytes r = wrapped.subspan(8 + (t - 1) % n * 8, 8);
            std::ranges::copy(r, in.begin() + 8);
            ONECARD_CHECK(encrypt(session_, plain_mechanism(CKM_AES_ECB), handle_, in, out));
            std::ranges::copy(out.first(8), a.begin());
            a[7] = static_cast<std::uint8_t>(a[7] ^ t);  // t is at most 6 * 4
            std::ranges::copy(out.subspan(8), r.begin());
        }
        std::ranges::copy(a, wrapped.begin());
        return {};
    }

private:
    const Session& session_;
    CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

constexpr std::array<std::uint8_t, 10> p256_parameters{
    // secp256r1: RFC 5480, 2.1.1.1
    0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07};

}  // namespace

std::uint8_t Token::usage_of(Use use) const {
    switch (use) {
        case Use::encrypt_blocks: return usage::encrypt;
        case Use::mac:
        case Use::sign: return usage::sign;
        case Use::seal:
            return has(CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT) ? usage::encrypt | usage::decrypt
                                                               : usage::wrap | usage::unwrap;
        case Use::unwrap: return usage::unwrap;
    }
    return 0;
}

Result<void> Token::check_spec(const KeySpec& key) const {
    if (!size_is_possible(key)) return refusal(Refusal::size_wrong, "not a size of the algorithm");
    const auto bad = [](std::size_t size) { return size == 0 || size > name_size_max; };
    if (bad(key.name.id.size()) || bad(key.name.label.size())) {
        return refusal(Refusal::name_wrong, "an id or label that is empty or too long");
    }
    ObjectDescription wanted;
    wanted.algorithm = key.algorithm;
    wanted.usages = usage_of(key.use);
    wanted.kept_inside = true;
    ONECARD_CHECK(check_use(wanted, key.use));
    const bool wraps = key.use == Use::unwrap || usage_of(key.use) == (usage::wrap | usage::unwrap);
    if (wraps) ONECARD_CHECK(need(CKM_AES_KEY_WRAP, CKF_UNWRAP, "CKM_AES_KEY_WRAP"));
    return {};
}

Result<void> Token::check_name_is_free(const Session& session, const ObjectName& name) const {
    ONECARD_TRY(any, find_handles(session, &name, ObjectClass::any));
    if (any.empty()) return {};
    for (const auto object_class : key_classes) {  // a certificate may bear its key's name
        ONECARD_TRY(taken, find_handles(session, &name, object_class));
        if (!taken.empty()) return refusal(Refusal::object_exists, "key \"" + name.label + '"');
    }
    return {};
}

Result<void> Token::check_made(const Session& session, CK_OBJECT_HANDLE handle,
                               const KeySpec& key) {
    auto made = describe_object(session.call, session.handle, handle);
    auto right = made ? check_use(*made, key.use) : Result<void>{std::unexpected{made.error()}};
    if (right) {
        remember(session, handle, *made);
    } else {
        static_cast<void>(session.call.C_DestroyObject(session.handle, handle));
    }
    return right;
}

/// First something that may be repeated, so that a connection that died in the night is renewed
/// before anything is made.
template <class Make>
Result<void> Token::make(const KeySpec& key, Make operation) {
    ONECARD_CHECK(pool_->run(Beside::others, Repeat::once, [](const Session& session) {
        return check_logged_in(session.call, session.handle);
    }));
    return pool_->run(Beside::nobody, Repeat::never, [&](const Session& session) -> Result<void> {
        ONECARD_CHECK(check_name_is_free(session, key.name));
        forget(key.name);
        return operation(session);
    });
}

Result<void> Token::generate(const KeySpec& key) {
    ONECARD_CHECK(check_spec(key));
    if (key.algorithm == Algorithm::p256) {
        ONECARD_CHECK(need(CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, "CKM_EC_KEY_PAIR_GEN"));
        return make(key, [&](const Session& session) { return generate_pair(session, key); });
    }
    const CK_MECHANISM_TYPE mechanism = key.algorithm == Algorithm::aes ? CKM_AES_KEY_GEN
                                        : key.size == 16                ? CKM_DES2_KEY_GEN
                                                                        : CKM_DES3_KEY_GEN;
    ONECARD_CHECK(need(mechanism, CKF_GENERATE, "key generation"));
    return make(key,
                [&](const Session& session) { return generate_secret(session, key, mechanism); });
}

Result<void> Token::generate_secret(const Session& session, const KeySpec& key,
                                    CK_MECHANISM_TYPE type) {
    Template made;
    describe_secret(made, key, key_type(key, false), usage_of(key.use));
    if (key.algorithm == Algorithm::aes) made.number(CKA_VALUE_LEN, key.size);
    CK_MECHANISM mechanism = plain_mechanism(type);
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    ONECARD_CHECK(done(
        "C_GenerateKey",
        session.call.C_GenerateKey(session.handle, &mechanism, made.data(), made.size(), &handle)));
    return check_made(session, handle, key);
}

Result<void> Token::generate_pair(const Session& session, const KeySpec& key) {
    Template open;
    open.number(CKA_CLASS, CKO_PUBLIC_KEY);
    open.number(CKA_KEY_TYPE, CKK_EC);
    open.bytes(CKA_EC_PARAMS, p256_parameters);
    open.name(key.name);
    open.flag(CKA_TOKEN, true);
    open.flag(CKA_PRIVATE, false);
    open.usages(ObjectClass::public_key, usage::verify);
    open.not_modifiable();
    Template closed;
    closed.number(CKA_CLASS, CKO_PRIVATE_KEY);
    closed.number(CKA_KEY_TYPE, CKK_EC);
    closed.name(key.name);
    closed.kept_inside();
    closed.usages(ObjectClass::private_key, usage::sign);
    closed.not_modifiable();
    CK_MECHANISM mechanism = plain_mechanism(CKM_EC_KEY_PAIR_GEN);
    CK_OBJECT_HANDLE public_handle = CK_INVALID_HANDLE, private_handle = CK_INVALID_HANDLE;
    ONECARD_CHECK(done("C_GenerateKeyPair",
                       session.call.C_GenerateKeyPair(session.handle, &mechanism, open.data(),
                                                      open.size(), closed.data(), closed.size(),
                                                      &public_handle, &private_handle)));
    auto right = check_made(session, private_handle, key);
    if (!right) static_cast<void>(session.call.C_DestroyObject(session.handle, public_handle));
    return right;
}

Result<void> Token::import_key(const KeySpec& key, Bytes value) {
    ONECARD_CHECK(check_spec(key));
    if (key.algorithm == Algorithm::p256) {
        return refusal(Refusal::use_forbidden, "P-256 keys are made inside");
    }
    if (value.size() != key.size) return refusal(Refusal::size_wrong, "not the size it says");
    // Whether a module knows CKK_DES2 is seen by whether it can make one.
    const bool as_des3 = key.size == 16 && !has(CKM_DES2_KEY_GEN, CKF_GENERATE);
    LockedArena arena;
    ONECARD_TRY(form, import_form(key, as_des3, value, arena));
    return make(key, [&](const Session& session) {
        return import_value(session, key, key_type(key, as_des3), form);
    });
}

/// A copy in locked memory as the module wants it: DES with parity, two keys as three.
Result<MutableBytes> Token::import_form(const KeySpec& key, bool as_des3, Bytes value,
                                        LockedArena& arena) {
    const bool des = key.algorithm == Algorithm::triple_des;
    const std::size_t size = des && as_des3 ? 24 : value.size();
    const MutableBytes form = arena.allocate(size);
    if (form.empty()) return refusal(Refusal::memory_not_lockable, "for the key's value");
    std::ranges::copy(value, form.begin());
    if (size > value.size()) std::ranges::copy(value.first(8), form.begin() + 16);
    if (des) std::ranges::transform(form, form.begin(), with_odd_parity);
    return form;
}

Result<void> Token::import_value(const Session& session, const KeySpec& key, CK_KEY_TYPE type,
                                 Bytes value) {
    Template given;
    describe_secret(given, key, type, usage_of(key.use));
    given.bytes(CKA_VALUE, value);
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    const CK_RV rv =
        session.call.C_CreateObject(session.handle, given.data(), given.size(), &handle);
    if (rv != CKR_OK && !forbids_values(rv)) return refused("C_CreateObject", rv);
    if (rv != CKR_OK) {
        const bool possible = has(CKM_AES_KEY_GEN, CKF_GENERATE) && has(CKM_AES_ECB, CKF_ENCRYPT) &&
                              has(CKM_AES_KEY_WRAP, CKF_UNWRAP);
        if (!possible) return refused("C_CreateObject", rv);
        ONECARD_TRY(unwrapped, import_wrapped(session, key, type, value));
        handle = unwrapped;
    }
    return check_made(session, handle, key);
}

Result<CK_OBJECT_HANDLE> Token::import_wrapped(const Session& session, const KeySpec& key,
                                               CK_KEY_TYPE type, Bytes value) const {
    LockedArena arena;
    const MutableBytes wrapped = arena.allocate(value.size() + key_wrap_overhead);
    const MutableBytes block = arena.allocate(32);
    if (wrapped.empty() || block.empty()) {
        return refusal(Refusal::memory_not_lockable, "for the key's value");
    }
    TransportKey transport{session};
    ONECARD_CHECK(transport.generate());
    ONECARD_CHECK(transport.wrap(value, wrapped, block));
    Template made;
    describe_secret(made, key, type, usage_of(key.use));
    return unwrap(session, transport.handle(), wrapped, made);
}

Result<CK_OBJECT_HANDLE> Token::unwrap(const Session& session, CK_OBJECT_HANDLE unwrapping,
                                       Bytes wrapped, const Template& made) const {
    CK_MECHANISM mechanism = plain_mechanism(CKM_AES_KEY_WRAP);
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    const CK_RV rv =
        session.call.C_UnwrapKey(session.handle, &mechanism, unwrapping, readable(wrapped),
                                 wrapped.size(), made.data(), made.size(), &handle);
    if (rv == CKR_OK) return handle;
    // SoftHSM2 2.6.1 says CKR_GENERAL_ERROR when the check of RFC 3394, 2.2.3 fails.
    const bool content = rv == CKR_WRAPPED_KEY_INVALID || rv == CKR_WRAPPED_KEY_LEN_RANGE ||
                         rv == CKR_ENCRYPTED_DATA_INVALID || rv == CKR_GENERAL_ERROR ||
                         rv == CKR_FUNCTION_FAILED;
    if (content) return refused_as(Refusal::blob_refused, "C_UnwrapKey", rv);
    return refused("C_UnwrapKey", rv);
}

Result<void> Token::unwrap_key(const KeySpec& key, const ObjectName& unwrapping, Bytes wrapped) {
    ONECARD_CHECK(check_spec(key));
    if (key.algorithm == Algorithm::p256) {
        return refusal(Refusal::use_forbidden, "P-256 keys are made inside");
    }
    ONECARD_CHECK(need(CKM_AES_KEY_WRAP, CKF_UNWRAP, "CKM_AES_KEY_WRAP"));
    if (wrapped.size() != key.size + key_wrap_overhead) {
        return refusal(Refusal::size_wrong, "not the size of a wrapped key of this kind");
    }
    Template made;
    describe_secret(made, key, key_type(key, false), usage_of(key.use));
    return make(key, [&](const Session& session) -> Result<void> {
        ONECARD_TRY(handle, with_key(session, unwrapping, Use::unwrap,
                                     [&](const Session& with, const Held& held) {
                                         return unwrap(with, held.handle, wrapped, made);
                                     }));
        return check_made(session, handle, key);
    });
}

}  // namespace crypto::keys::pkcs11
