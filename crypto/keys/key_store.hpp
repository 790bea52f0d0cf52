#pragma once
// What a program may do with keys, wherever they are kept: in a sealed file (sealed_file.hpp), or
// later in any PKCS#11 module. Callers name keys, never paths. docs/key_store.md.
#include <array>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "crypto/core/random.hpp"
#include "crypto/purse/keys.hpp"

namespace crypto::keys {

/// What a key is for. A key has one use. The numbers are in the file: never change one, only add.
enum class KeyUse : std::uint8_t {
    purchase = 1,                 ///< DPK and its masters
    load = 2,                     ///< DLK
    transaction_certificate = 3,  ///< DTK: the TAC
    unload = 4,
    overdraft = 5,
    application_lock = 6,
    application_unlock = 7,
    application_maintenance = 8,  ///< secure messaging of a card's files
    card_maintenance = 9,         ///< the same for the card's master file, and key writing
    pin_unblock = 10,
    pin_reload = 11,
    external_authentication = 12,
    internal_authentication = 13,
    sam_transport = 14,    ///< carries keys into a SAM
    batch_signature = 15,  ///< signs batches of records
    list_signature = 16,   ///< signs hot lists
    day_signature = 17,    ///< signs the audit roots of a business day
    key_wrapping = 18,
    tls_identity = 19,           ///< a unit's own key of mutual TLS
    certificate_authority = 20,  ///< signs X.509 certificates
    card_transport = 21,         ///< opens a blank card's personalisation
};
constexpr KeyUse key_use_last = KeyUse::card_transport;  ///< a store refuses numbers above it

/// How the secret is read. The numbers are in the file.
enum class KeyAlgorithm : std::uint8_t {
    triple_des = 1,    ///< 16 or 24 bytes
    sm4 = 2,           ///< 16
    aes = 3,           ///< 16, 24, 32
    sm2_private = 4,   ///< 32: d, big-endian
    hmac_sm3 = 5,      ///< 16..64
    p256_private = 6,  ///< 32: d, big-endian
};
constexpr KeyAlgorithm key_algorithm_last = KeyAlgorithm::p256_private;

/// The numbers are in the file.
enum class KeyState : std::uint8_t {
    planned = 1,      ///< made, not yet used
    active = 2,       ///< used for everything
    verify_only = 3,  ///< checks what was made before; makes nothing new
    retired = 4,      ///< no longer used; the secret is kept until it is destroyed
    destroyed = 5,    ///< the secret is gone; the line stays
};

constexpr std::size_t label_size_max = 64;

/// What identifies a key. `label` says whose: "national", "city/3100", "operator/0000000000003101";
/// printable ASCII, 1..64 characters.
struct KeyName {
    std::string label;
    KeyUse use = KeyUse::purchase;
    KeyAlgorithm algorithm = KeyAlgorithm::sm4;
    protocol::KeyVersion version{1};
    friend auto operator<=>(const KeyName&, const KeyName&) = default;
};
struct KeyDescription {
    KeyName name;
    KeyState state = KeyState::active;
    std::size_t size = 0;  ///< bytes of the secret; 0 when destroyed
};
/// A key inside one open store; meaningless in another.
using KeyId = protocol::Strong<std::uint32_t, struct KeyIdName>;

enum class KeyError : std::uint8_t {
    file_unreadable,    ///< missing, no permission, not a plain file, too large
    file_unwritable,    ///< disk full, no permission: the old file stands
    file_exists,        ///< creating would overwrite a store
    changed_elsewhere,  ///< another process changed the file since we read it: open it again
    truncated,          ///< fewer bytes than the header promises
    wrong_magic,        ///< not a key store
    unknown_version,    ///< a store of a later program
    limits_exceeded,    ///< derivation cost outside what this program accepts
    damaged,            ///< the file's digest does not match its content
    wrong_passphrase,   ///< or content altered by someone who also renewed the digest
    malformed,          ///< a field without meaning, bytes too many, entries that break the format
    weak_passphrase,    ///< empty, or for production shorter than passphrase_size_min
    weak_derivation,    ///< for production below production_memory_kib_min
    memory_not_lockable,  ///< mlock refused: raise RLIMIT_MEMLOCK (systemd: LimitMEMLOCK=)
    memory_exhausted,     ///< no memory for the derivation
    store_full,           ///< above 1 MiB or 65,535 keys
    key_unknown,          ///< no such key
    key_exists,           ///< the same name, destroyed ones included
    key_size_wrong,       ///< for its algorithm, or for the caller's buffer
    key_label_wrong,      ///< not 1..64 printable ASCII characters
    key_state_forbids,    ///< planned, retired or destroyed for what was asked; or a step backwards
    key_algorithm_wrong,  ///< the operation is not defined for this algorithm
    not_revealable,       ///< the store keeps its secrets inside (hardware)
};
[[nodiscard]] const char* name(KeyError error);
/// One sentence: what is wrong and what to do about it. Holds no secret.
[[nodiscard]] const char* advice(KeyError error);

template <class T>
using KeyResult = std::expected<T, KeyError>;

/// Three bytes that identify a key's value: the left of E(key, zero block); for sm2_private and
/// hmac_sm3 of SM3("onecard key check" | secret).
using CheckValue = std::array<std::uint8_t, 3>;

/// Reading may go on from several threads; changing is for one thread and no reader.
class KeyStore {
public:
    virtual ~KeyStore() = default;

    /// True when every key in it is a throw-away: whatever is made from them must say so.
    [[nodiscard]] virtual bool rehearsal() const = 0;
    [[nodiscard]] virtual std::vector<KeyDescription> list() const = 0;
    [[nodiscard]] virtual KeyResult<KeyId> find(const KeyName& key) const = 0;
    [[nodiscard]] virtual KeyResult<KeyDescription> describe(KeyId key) const = 0;
    [[nodiscard]] virtual KeyResult<CheckValue> check_value(KeyId key) const = 0;

    /// Diversifies a 16-byte triple_des or sm4 key by one factor or more, the issuer's first. The
    /// key is active or verify_only.
    [[nodiscard]] virtual KeyResult<purse::PurseKey> derive(
        KeyId parent, std::span<const purse::Factor> factors) const = 0;
    /// The escape hatch: copies the secret out. `out` has the secret's size. A hardware store
    /// refuses.
    [[nodiscard]] virtual KeyResult<void> reveal(KeyId key, MutableBytes out) const = 0;

    /// Changes. Durable when the call returns; on refusal nothing has changed.
    [[nodiscard]] virtual KeyResult<KeyId> add(const KeyName& key, KeyState state,
                                               Bytes secret) = 0;
    [[nodiscard]] virtual KeyResult<KeyId> generate(const KeyName& key, KeyState state,
                                                    std::size_t size, Random& random) = 0;
    /// Forwards only, in the order of KeyState; to `destroyed` the secret is wiped.
    [[nodiscard]] virtual KeyResult<void> set_state(KeyId key, KeyState state) = 0;
};

}  // namespace crypto::keys
