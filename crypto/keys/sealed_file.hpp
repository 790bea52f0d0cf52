#pragma once
// A key store in one file, sealed under the passphrases of its custodians: Argon2id (RFC 9106),
// Shamir's shares, AES-256-GCM (NIST SP 800-38D). The layout and what it protects:
// docs/key_store.md. Secrets live only in locked memory while it is open.
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "crypto/keys/key_store.hpp"

namespace crypto::keys {

/// What opening costs an owner once and a guesser every time. Written in the file, bounded when
/// read.
struct DerivationCost {
    std::uint32_t memory_kib = 64 * 1024;  ///< RFC 9106, 4: the second recommended option
    std::uint32_t passes = 3;
    std::uint32_t lanes = 4;
    /// For tests and rehearsals: a guesser's work is a millisecond.
    [[nodiscard]] static constexpr DerivationCost rehearsal() { return {64, 1, 1}; }
};
constexpr std::uint32_t memory_kib_max = 1024 * 1024;
constexpr std::uint32_t passes_max = 64;
constexpr std::uint32_t lanes_max = 16;

enum class Purpose : std::uint8_t { production = 1, rehearsal = 2 };  // the numbers are in the file

constexpr std::size_t custodian_name_size_max = 32;
constexpr std::size_t passphrase_size_min = 12;                 ///< for production
constexpr std::uint32_t production_memory_kib_min = 19 * 1024;  ///< for production

class Vault;
/// Finds a store's token and logs in: pkcs11/token_vault.hpp. `serial` is of the token, `pin`
/// secret.
using VaultOpener = std::function<KeyResult<std::unique_ptr<Vault>>(
    const LogOwner& store, const std::string& serial, Bytes pin)>;
/// The token that is to keep a new store's secrets. `pin` is secret; it is sealed in the file.
struct TokenPlan {
    std::string serial;  ///< 1..16 printable ASCII characters
    Bytes pin;           ///< 4..255 bytes
    VaultOpener opener;
};

/// Where a store begins: whose it is and what opens it.
struct StorePlan {
    Purpose purpose = Purpose::production;
    unsigned quorum = 1;  ///< how many custodians open it together
    std::vector<NewCustodian> custodians;
    DerivationCost cost;
    std::optional<TokenPlan> token{};
};

/// Makes a store that holds its own audit key and nothing else; refuses to overwrite. Its log
/// begins with `command`. `random` gives keys and nonces and must outlive the store.
[[nodiscard]] KeyResult<std::unique_ptr<KeyStore>> create_sealed_file(
    const std::filesystem::path& path, const StorePlan& plan, Command command, Random& random);

/// A store being opened: custodians come one after another, then it opens. Each passphrase is
/// needed only while its custodian is presented.
class StoreOpening {
public:
    /// Reads and checks the file; opens nothing.
    [[nodiscard]] static KeyResult<StoreOpening> read(const std::filesystem::path& path);
    StoreOpening(StoreOpening&&) noexcept;
    StoreOpening& operator=(StoreOpening&&) noexcept;
    ~StoreOpening();

    /// In public: nobody has proved anything yet.
    [[nodiscard]] StoreIdentity identity() const;
    [[nodiscard]] bool rehearsal() const;
    /// `custodian_unknown`, `custodian_repeated`, and what open_share (custodians.hpp) refuses. An
    /// empty name stands for the only custodian of a store that has one.
    [[nodiscard]] KeyResult<void> present(const NewCustodian& custodian);
    [[nodiscard]] KeyResult<void> present(std::string_view custodian, Bytes passphrase) {
        return present({std::string{custodian}, passphrase});
    }
    /// `quorum_missing` until enough have come. `random` gives the nonces of later changes and must
    /// outlive the store. A store with a token asks for an opener: `token_missing` without one.
    [[nodiscard]] KeyResult<std::unique_ptr<KeyStore>> open(Random& random,
                                                            const VaultOpener& opener = {}) &&;

private:
    struct State;
    explicit StoreOpening(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

/// Opens a store with one custodian's passphrase: one that a program opens alone.
[[nodiscard]] KeyResult<std::unique_ptr<KeyStore>> open_sealed_file(
    const std::filesystem::path& path, Bytes passphrase, Random& random);

/// What can be said of a store's log without opening it.
struct LogAudit {
    StoreIdentity identity;
    bool rehearsal = false;
    std::uint64_t generation = 0;
    std::uint64_t count = 0;            ///< entries that are whole
    LogHead head{};                     ///< of those
    std::optional<LogFinding> finding;  ///< the first entry that is not
    bool truncated = false;  ///< the log ends before the number of entries that the header says
    bool custodians_malformed = false;  ///< nobody can open it: their part breaks its format
    bool state_signed = false;          ///< everything in the file is what the store's key signed
};
/// Reads the file as far as its shape goes: a wrong digest is no obstacle, since it is what an
/// audit is about. Refuses only what is no store.
[[nodiscard]] KeyResult<LogAudit> audit_sealed_file(
    const std::filesystem::path& path, const std::function<void(const LogEntry&)>& each = {});

}  // namespace crypto::keys
