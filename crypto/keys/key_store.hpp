#pragma once
// What a program may do with keys, wherever they are kept: in a sealed file (sealed_file.hpp), or
// in a PKCS#11 token beside one. Callers name keys, never paths. Every change belongs to a command,
// and the command is logged in the same commit. docs/key_store.md, docs/audit.md.
#include <array>
#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crypto/core/random.hpp"
#include "crypto/keys/audit_log.hpp"
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
    tls_identity = 19,                ///< a unit's own key of mutual TLS
    certificate_authority = 20,       ///< signs X.509 certificates
    card_transport = 21,              ///< opens a blank card's personalisation
    audit_signature = 22,             ///< signs a store's own log; made with the store
    token_pin = 23,                   ///< opens the PKCS#11 token that belongs to a store
    card_certificate_authority = 24,  ///< signs the certificates inside cards and SAMs
    // A payment application's issuer masters: EMV 4.4 Book 2, 8; with SM4: JR/T 0025.17.
    application_cryptogram = 25,  ///< IMK-AC
    script_integrity = 26,        ///< IMK-SMI: MACs of issuer scripts
    script_confidentiality = 27,  ///< IMK-SMC: enciphers their data
    secure_channel = 28,          ///< a card manager's static keys: GlobalPlatform, KDF3
};
constexpr KeyUse key_use_last = KeyUse::secure_channel;  ///< a store refuses numbers above it
[[nodiscard]] const char* name(KeyUse use);

/// How the secret is read. The numbers are in the file.
enum class KeyAlgorithm : std::uint8_t {
    triple_des = 1,    ///< 16 or 24 bytes
    sm4 = 2,           ///< 16
    aes = 3,           ///< 16, 24, 32
    sm2_private = 4,   ///< 32: d, big-endian
    hmac_sm3 = 5,      ///< 16..64
    p256_private = 6,  ///< 32: d, big-endian
    rsa_private = 7,   ///< 256..2048: RSAPrivateKey, DER (RFC 8017, A.1.2)
    passphrase = 8,    ///< 4..255: text, a token's PIN
};
constexpr KeyAlgorithm key_algorithm_last = KeyAlgorithm::passphrase;
[[nodiscard]] const char* name(KeyAlgorithm algorithm);

/// The numbers are in the file.
enum class KeyState : std::uint8_t {
    planned = 1,      ///< made, not yet used
    active = 2,       ///< used for everything
    verify_only = 3,  ///< checks what was made before; makes nothing new
    retired = 4,      ///< no longer used; the secret is kept until it is destroyed
    destroyed = 5,    ///< the secret is gone; the line stays
};
[[nodiscard]] const char* name(KeyState state);

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
/// "city/3100 load sm4 v1".
[[nodiscard]] std::string text(const KeyName& key);
struct KeyDescription {
    KeyName name;
    KeyState state = KeyState::active;
    std::size_t size = 0;  ///< bytes of the secret; 0 when destroyed
};
/// A key inside one open store; meaningless in another.
using KeyId = protocol::Strong<std::uint32_t, struct KeyIdName>;

enum class KeyError : std::uint8_t {
    file_unreadable,           ///< missing, no permission, not a plain file, too large
    file_unwritable,           ///< disk full, no permission: the old file stands
    file_exists,               ///< creating would overwrite a store
    changed_elsewhere,         ///< another process changed the file since we read it: open it again
    truncated,                 ///< fewer bytes than the header promises
    wrong_magic,               ///< not a key store
    unknown_version,           ///< a store of a later program
    limits_exceeded,           ///< derivation cost outside what this program accepts
    damaged,                   ///< the file's digest does not match its content
    custodian_unknown,         ///< nobody of this name opens this store
    custodian_repeated,        ///< the same custodian twice
    custodian_has_token,       ///< a passphrase was given for one who opens with a token
    custodian_has_passphrase,  ///< a token was given for one who opens with a passphrase
    token_other,               ///< not the custodian's token, whatever its label says
    share_refused,     ///< the custodian's token does not open this share: another's, or altered
    wrong_passphrase,  ///< or content altered by someone who also renewed the digest
    quorum_missing,    ///< fewer custodians than the store asks for
    signature_wrong,   ///< the state is not signed by the store's own key
    malformed,         ///< a field without meaning, bytes too many, entries that break the format
    quorum_wrong,      ///< not 1 <= quorum <= custodians <= 16, or a custodian's name is malformed
    passphrase_repeated,  ///< two custodians chose the same passphrase
    token_repeated,       ///< two custodians named the same token
    weak_passphrase,      ///< empty, or for production shorter than passphrase_size_min
    weak_derivation,      ///< for production below production_memory_kib_min
    memory_not_lockable,  ///< mlock refused: raise RLIMIT_MEMLOCK (systemd: LimitMEMLOCK=)
    memory_exhausted,     ///< no memory for the derivation
    store_full,           ///< above 1 MiB or 65,535 keys, or a log above 14 MiB
    command_missing,      ///< a change outside begin() and commit(), or a command inside another
    command_malformed,    ///< its name, time or detail is not what a log line can hold
    key_unknown,          ///< no such key
    key_exists,           ///< the same name, destroyed ones included
    key_size_wrong,       ///< for its algorithm, or for the caller's buffer
    key_value_wrong,      ///< no private key of its curve
    key_label_wrong,      ///< not 1..64 printable ASCII characters
    key_state_forbids,    ///< planned, retired or destroyed for what was asked; or a step backwards
    key_algorithm_wrong,  ///< the operation is not defined for this algorithm
    not_revealable,       ///< the store keeps its secrets inside (hardware)
    token_missing,        ///< the store's token, or the module for it, is not there
    token_pin_wrong,      ///< the token does not take the PIN: a custodian's, or the store's own
    token_pin_locked,     ///< too many wrong ones, whoever gave them
    token_gone,           ///< the token went away in the middle; nothing has changed
    token_key_missing,    ///< the token has lost a key that the store names, or exposes it
    token_cannot,         ///< the token has no such mechanism
    token_failed,         ///< any other refusal of the token
};
[[nodiscard]] const char* name(KeyError error);
/// One sentence: what is wrong and what to do about it. Holds no secret.
[[nodiscard]] const char* advice(KeyError error);

template <class T>
using KeyResult = std::expected<T, KeyError>;

/// Three bytes that identify a key's value: the left of E(key, zero block); for sm2_private,
/// rsa_private and hmac_sm3 of SM3("onecard key check" | secret); for p256_private, whose secret
/// may be out of reach, of SM3("onecard key check" | x | y).
using CheckValue = std::array<std::uint8_t, 3>;

/// Why a store is changed: one line of its log.
struct Command {
    std::string at;             ///< UTC, "2026-11-29T08:30:00Z"
    std::string name;           ///< of the command: "found-city"
    std::string detail = "{}";  ///< a JSON object with what it was asked; nothing secret
};

/// Who a store is, in public.
struct StoreIdentity {
    LogOwner id{};                                               ///< random
    std::array<std::uint8_t, sm2::public_key_size> audit_key{};  ///< checks log and state
    std::vector<std::string> custodians;
    unsigned quorum = 1;                 ///< how many of them open it
    std::vector<std::string> opened_by;  ///< those who did
    std::vector<std::string> tokens{};   ///< of each custodian: a serial number, or empty
};

/// A custodian's own token: keeps a share under a key that never leaves it. docs/key_store.md, 2.
class ShareKeeper {
public:
    virtual ~ShareKeeper() = default;
    [[nodiscard]] virtual const std::string& serial() const = 0;
    /// Bound to `data`. token_missing to token_failed.
    [[nodiscard]] virtual KeyResult<std::vector<std::uint8_t>> seal(Bytes share, Bytes data) = 0;
    /// `out` has the share's size. The same, and share_refused.
    [[nodiscard]] virtual KeyResult<void> open(Bytes sealed, Bytes data, MutableBytes out) = 0;
};

/// Someone who opens a store, or will: with a passphrase, which is secret, or with a token.
struct NewCustodian {
    std::string name;
    Bytes passphrase;
    std::shared_ptr<ShareKeeper> token{};
};
/// One person: the same passphrase, or the same token.
[[nodiscard]] bool same_secret(const NewCustodian& a, const NewCustodian& b);

/// Reading may go on from several threads; changing is for one thread and no reader.
class KeyStore {
public:
    virtual ~KeyStore() = default;

    /// True when every key in it is a throw-away: whatever is made from them must say so.
    [[nodiscard]] virtual bool rehearsal() const = 0;
    [[nodiscard]] virtual StoreIdentity identity() const = 0;
    [[nodiscard]] virtual std::vector<KeyDescription> list() const = 0;
    [[nodiscard]] virtual KeyResult<KeyId> find(const KeyName& key) const = 0;
    [[nodiscard]] virtual KeyResult<KeyDescription> describe(KeyId key) const = 0;
    [[nodiscard]] virtual KeyResult<CheckValue> check_value(KeyId key) const = 0;
    [[nodiscard]] virtual const std::vector<LogEntry>& log() const = 0;
    [[nodiscard]] virtual LogHead log_head() const = 0;

    /// Diversifies a 16-byte triple_des or sm4 key by one factor or more, the issuer's first. The
    /// key is active or verify_only.
    [[nodiscard]] virtual KeyResult<purse::PurseKey> derive(
        KeyId parent, std::span<const purse::Factor> factors) const = 0;
    /// The escape hatch: copies the secret out. `out` has the secret's size. A token refuses.
    [[nodiscard]] virtual KeyResult<void> reveal(KeyId key, MutableBytes out) const = 0;
    /// ECDSA over a SHA-256 digest (FIPS 186-4, 6.4): r | s, big-endian. An active p256_private.
    /// Signing draws random numbers: like a change, it is for one thread.
    [[nodiscard]] virtual KeyResult<std::array<std::uint8_t, 64>> sign_p256(
        KeyId key, std::span<const std::uint8_t, 32> digest) const = 0;
    /// x | y of a p256_private.
    [[nodiscard]] virtual KeyResult<std::array<std::uint8_t, 64>> p256_public(KeyId key) const = 0;
    /// SM2 by the store's audit key, id `default_id`: minutes, lists.
    [[nodiscard]] virtual KeyResult<sm2::Signature> attest(Bytes message) const = 0;

    /// Changes: begin, any number of them, commit. Until then they are seen by this object only;
    /// commit makes them and the command's log line durable as one, or changes nothing.
    [[nodiscard]] virtual KeyResult<void> begin(Command command) = 0;
    [[nodiscard]] virtual KeyResult<KeyId> add(const KeyName& key, KeyState state,
                                               Bytes secret) = 0;
    [[nodiscard]] virtual KeyResult<KeyId> generate(const KeyName& key, KeyState state,
                                                    std::size_t size, Random& random) = 0;
    /// Forwards only, in the order of KeyState; to `destroyed` the secret is wiped.
    [[nodiscard]] virtual KeyResult<void> set_state(KeyId key, KeyState state) = 0;
    /// Other custodians, other passphrases: everyone of the new list types one, and the sealing key
    /// is a new one, so that nothing a former custodian knows opens what is written from now on.
    [[nodiscard]] virtual KeyResult<void> set_custodians(
        unsigned quorum, std::span<const NewCustodian> custodians) = 0;
    [[nodiscard]] virtual KeyResult<void> commit() = 0;
    /// Forgets what was begun; without effect when nothing was.
    virtual void roll_back() = 0;
};

/// A change that is forgotten unless it is committed.
class Change {
public:
    [[nodiscard]] static KeyResult<Change> begin(KeyStore& store, Command command) {
        ONECARD_CHECK(store.begin(std::move(command)));
        return Change{store};
    }
    Change(Change&& other) noexcept : store_{std::exchange(other.store_, nullptr)} {}
    Change& operator=(Change&&) = delete;
    ~Change() {
        if (store_ != nullptr) store_->roll_back();
    }
    [[nodiscard]] KeyResult<void> commit() {
        if (store_ == nullptr) return std::unexpected{KeyError::command_missing};
        return std::exchange(store_, nullptr)->commit();  // a refused commit has rolled back
    }

private:
    explicit Change(KeyStore& store) : store_{&store} {}
    KeyStore* store_;
};

}  // namespace crypto::keys
