#pragma once
// Keys inside a PKCS#11 token: made there, brought there, used there. docs/pkcs11.md.
#include <map>
#include <span>

#include "crypto/keys/pkcs11/attributes.hpp"
#include "crypto/keys/pkcs11/formats.hpp"
#include "crypto/keys/pkcs11/session_pool.hpp"
#include "crypto/purse/keys.hpp"

namespace crypto::keys::pkcs11 {

struct TokenOptions {
    std::size_t sessions = 16;  ///< 1..sessions_max
};

/// A token with its user logged in. Any number of threads may use it, until one destroys it. Every
/// function may answer process_forked, device_removed, session_lost, pin_wrong to pin_refused (the
/// PIN was changed under us) and token_failed besides what its comment names. `out` is all zero
/// after a refusal.
class Token {
public:
    /// `pin` is copied into locked memory. Refusals: token_missing to pin_refused.
    [[nodiscard]] static Result<std::unique_ptr<Token>> open(std::shared_ptr<Module> module,
                                                             const TokenSelection& selection,
                                                             Bytes pin, TokenOptions options = {});
    [[nodiscard]] const TokenInfo& info() const { return pool_->token(); }
    [[nodiscard]] std::size_t session_count() const { return pool_->session_count(); }
    /// The PIN that it was opened with; in constant time.
    [[nodiscard]] bool pin_is(Bytes pin) const { return pool_->pin_is(pin); }

    /// All keys, ours or not, in the token's order.
    [[nodiscard]] Result<std::vector<ObjectDescription>> list();
    /// The secret or private key of that name. object_missing, object_ambiguous.
    [[nodiscard]] Result<ObjectDescription> find(const ObjectName& key);

    /// Makes a key, or a pair, inside. size_wrong, name_wrong, mechanism_missing, object_exists,
    /// attribute_refused.
    [[nodiscard]] Result<void> generate(const KeySpec& key);
    /// Brings a key in, never to come out: AES, or triple_des of 16 or 24 bytes. As generate();
    /// use_forbidden for p256.
    [[nodiscard]] Result<void> import_key(const KeySpec& key, Bytes value);
    /// Brings a key in that lies wrapped by CKM_AES_KEY_WRAP under `unwrapping`, a key of
    /// Use::unwrap inside. As import_key(), and blob_refused when it does not open.
    [[nodiscard]] Result<void> unwrap_key(const KeySpec& key, const ObjectName& unwrapping,
                                          Bytes wrapped);
    /// Every key object of that name, a pair's both. object_missing, object_ambiguous.
    [[nodiscard]] Result<void> destroy(const ObjectName& key);

    /// ECB under a key of Use::encrypt_blocks: whole blocks of 16 (AES) or 8 bytes (3DES). `out`
    /// has the size of `in` and does not overlap it. size_wrong, mechanism_missing, object_*,
    /// attribute_refused, use_forbidden.
    [[nodiscard]] Result<void> encrypt_blocks(const ObjectName& key, Bytes in, MutableBytes out);
    /// A PBOC child of a two-key 3DES master, the first level inside: left = E(F), right = E(not
    /// F); more factors go on in our memory. domain.md 1.10. As encrypt_blocks; size_wrong without
    /// a factor.
    [[nodiscard]] Result<purse::PurseKey> diversify(const ObjectName& master,
                                                    std::span<const purse::Factor> factors);
    /// CMAC (NIST SP 800-38B) under a key of Use::mac: 16 bytes (AES) or 8 (3DES) into `out`.
    [[nodiscard]] Result<void> cmac(const ObjectName& key, Bytes data, MutableBytes out);
    /// ECDSA on P-256 over a 32-byte digest, under a key of Use::sign: r | s, big-endian.
    [[nodiscard]] Result<std::array<std::uint8_t, 64>> sign(
        const ObjectName& key, std::span<const std::uint8_t, 32> digest);
    /// The public half. object_missing, object_ambiguous, answer_malformed.
    [[nodiscard]] Result<P256Point> public_key(const ObjectName& key);

    /// Encrypts a secret of 1..sealed_secret_size_max bytes under a key of Use::seal, bound to
    /// `data`. size_wrong, object_*, attribute_refused, mechanism_missing, answer_malformed.
    [[nodiscard]] Result<std::vector<std::uint8_t>> seal(const ObjectName& key, Bytes secret,
                                                         Bytes data);
    /// The size of the secret in a blob. blob_malformed.
    [[nodiscard]] static Result<std::size_t> sealed_size(Bytes blob);
    /// Into `out`, locked memory of the caller (LockedArena) of sealed_size(blob) bytes. As seal(),
    /// and memory_not_lockable, blob_malformed, blob_refused.
    [[nodiscard]] Result<void> open_sealed(const ObjectName& key, Bytes blob, Bytes data,
                                           MutableBytes out);

    [[nodiscard]] Result<void> random(MutableBytes out);

private:
    struct Cached {
        std::uint64_t connection;
        CK_OBJECT_HANDLE handle;
        ObjectDescription description;
    };
    using CacheKey = std::pair<ObjectName, ObjectClass>;
    /// What an operation gets: the object, checked to be what docs/pkcs11.md asks of it.
    struct Held {
        CK_OBJECT_HANDLE handle;
        ObjectDescription description;
        bool from_cache;
    };

    explicit Token(std::unique_ptr<SessionPool> pool) : pool_{std::move(pool)} {}
    [[nodiscard]] Result<void> ask_mechanisms();
    [[nodiscard]] bool has(CK_MECHANISM_TYPE mechanism, CK_FLAGS purpose) const;
    [[nodiscard]] Result<void> need(CK_MECHANISM_TYPE mechanism, CK_FLAGS purpose,
                                    const char* name) const;

    // Inside a session. token.cpp
    [[nodiscard]] Result<std::vector<CK_OBJECT_HANDLE>> find_handles(const Session& session,
                                                                     const ObjectName* name,
                                                                     ObjectClass only) const;
    [[nodiscard]] Result<Held> resolve(const Session& session, const ObjectName& name,
                                       ObjectClass object_class);
    [[nodiscard]] std::optional<Held> cached(const Session& session, const CacheKey& key);
    void remember(const Session& session, CK_OBJECT_HANDLE handle,
                  const ObjectDescription& description);
    void forget(const ObjectName& name);
    /// `operation(session, held)` with the key of that name and use, found again once when the
    /// module no longer knows its handle.
    template <class Operation>
    auto with_key(const Session& session, const ObjectName& name, Use use, Operation operation)
        -> std::invoke_result_t<Operation&, const Session&, const Held&>;
    template <class Operation>
    auto use_key(const ObjectName& name, Use use, Operation operation)
        -> std::invoke_result_t<Operation&, const Session&, const Held&>;

    // token_keys.cpp
    [[nodiscard]] std::uint8_t usage_of(Use use) const;
    [[nodiscard]] Result<void> check_spec(const KeySpec& key) const;
    [[nodiscard]] Result<void> check_name_is_free(const Session& session,
                                                  const ObjectName& name) const;
    /// Reads back what was asked for; what is not so is destroyed and refused.
    [[nodiscard]] Result<void> check_made(const Session& session, CK_OBJECT_HANDLE handle,
                                          const KeySpec& key);
    template <class Make>
    [[nodiscard]] Result<void> make(const KeySpec& key, Make operation);
    [[nodiscard]] Result<void> generate_secret(const Session& session, const KeySpec& key,
                                               CK_MECHANISM_TYPE type);
    [[nodiscard]] Result<void> generate_pair(const Session& session, const KeySpec& key);
    [[nodiscard]] static Result<MutableBytes> import_form(const KeySpec& key, bool as_des3,
                                                          Bytes value, LockedArena& arena);
    [[nodiscard]] Result<void> import_value(const Session& session, const KeySpec& key,
                                            CK_KEY_TYPE type, Bytes value);
    [[nodiscard]] Result<CK_OBJECT_HANDLE> import_wrapped(const Session& session,
                                                          const KeySpec& key, CK_KEY_TYPE type,
                                                          Bytes value) const;
    [[nodiscard]] Result<CK_OBJECT_HANDLE> unwrap(const Session& session,
                                                  CK_OBJECT_HANDLE unwrapping, Bytes wrapped,
                                                  const Template& made) const;

    // token_sealing.cpp
    [[nodiscard]] Result<bool> seals_with_gcm(const ObjectName& key);
    [[nodiscard]] Result<std::vector<std::uint8_t>> seal_gcm(const Session& session,
                                                             const Held& key, Bytes secret,
                                                             Bytes data) const;
    [[nodiscard]] Result<void> open_gcm(const Session& session, const Held& key,
                                        const SealedBlob& blob, Bytes data, MutableBytes out) const;
    [[nodiscard]] Result<std::vector<std::uint8_t>> seal_wrapped(const Session& session,
                                                                 const Held& key, Bytes secret,
                                                                 Bytes data) const;
    [[nodiscard]] Result<void> open_wrapped(const Session& session, const Held& key,
                                            const SealedBlob& blob, Bytes data,
                                            MutableBytes out) const;

    std::unique_ptr<SessionPool> pool_;
    std::map<CK_MECHANISM_TYPE, CK_FLAGS> mechanisms_;  // fixed once open
    std::mutex cache_mutex_;
    std::map<CacheKey, Cached> cache_;
};

template <class Operation>
auto Token::with_key(const Session& session, const ObjectName& name, Use use, Operation operation)
    -> std::invoke_result_t<Operation&, const Session&, const Held&> {
    const ObjectClass object_class =
        use == Use::sign ? ObjectClass::private_key : ObjectClass::secret_key;
    ONECARD_TRY(held, resolve(session, name, object_class));
    ONECARD_CHECK(check_use(held.description, use));
    auto result = operation(session, held);
    if (result || !held.from_cache || !is_stale_handle(result.error().rv)) return result;
    forget(name);  // destroyed by another process, perhaps made again
    ONECARD_TRY(again, resolve(session, name, object_class));
    ONECARD_CHECK(check_use(again.description, use));
    return operation(session, again);
}

template <class Operation>
auto Token::use_key(const ObjectName& name, Use use, Operation operation)
    -> std::invoke_result_t<Operation&, const Session&, const Held&> {
    return pool_->run(Beside::others, Repeat::once, [&](const Session& session) {
        return with_key(session, name, use, operation);
    });
}

}  // namespace crypto::keys::pkcs11
