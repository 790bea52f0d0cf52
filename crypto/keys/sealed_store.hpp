#pragma once
// An open sealed store: entries in locked memory, changes collected until commit, everything
// written as one new file. docs/key_store.md. Private to crypto/keys: callers see key_store.hpp.
#include <optional>

#include "crypto/keys/custodians.hpp"
#include "crypto/keys/vault.hpp"

namespace crypto::keys {

/// What an opened or a new file gives the store.
struct StoreContents {
    std::filesystem::path path;
    SealedHeader header;
    std::vector<CustodianSlot> custodians;
    std::vector<std::string> opened_by;
    std::vector<LogEntry> log;
    LogHead head{};
    std::vector<std::uint8_t> digest;  ///< of the file as we know it; empty: not yet written
};

class SealedStore final : public KeyStore {
public:
    /// Takes the sealing key over into locked memory.
    [[nodiscard]] static KeyResult<std::unique_ptr<SealedStore>> make(StoreContents contents,
                                                                      Bytes sealing_key,
                                                                      Random& random);
    /// Opens the entries of the file, and its token if it has one. `parts` may go afterwards.
    [[nodiscard]] KeyResult<void> load(const SealedParts& parts, const VaultOpener& opener);
    /// From here on the token keeps the secrets; inside the command that makes the store.
    [[nodiscard]] KeyResult<void> make_token(const TokenPlan& plan);
    /// A fresh audit key, inside the command that makes the store.
    [[nodiscard]] KeyResult<void> make_audit_key();

    [[nodiscard]] bool rehearsal() const override;
    [[nodiscard]] StoreIdentity identity() const override;
    [[nodiscard]] std::vector<KeyDescription> list() const override;
    [[nodiscard]] KeyResult<KeyId> find(const KeyName& key) const override;
    [[nodiscard]] KeyResult<KeyDescription> describe(KeyId key) const override;
    [[nodiscard]] KeyResult<CheckValue> check_value(KeyId key) const override;
    [[nodiscard]] const std::vector<LogEntry>& log() const override { return contents_.log; }
    [[nodiscard]] LogHead log_head() const override { return contents_.head; }

    [[nodiscard]] KeyResult<purse::PurseKey> derive(
        KeyId parent, std::span<const purse::Factor> factors) const override;
    [[nodiscard]] KeyResult<void> reveal(KeyId key, MutableBytes out) const override;
    [[nodiscard]] KeyResult<std::array<std::uint8_t, 64>> sign_p256(
        KeyId key, std::span<const std::uint8_t, 32> digest) const override;
    [[nodiscard]] KeyResult<std::array<std::uint8_t, 64>> p256_public(KeyId key) const override;
    [[nodiscard]] KeyResult<sm2::Signature> attest(Bytes message) const override;

    [[nodiscard]] KeyResult<void> begin(Command command) override;
    [[nodiscard]] KeyResult<KeyId> add(const KeyName& key, KeyState state, Bytes secret) override;
    [[nodiscard]] KeyResult<KeyId> generate(const KeyName& key, KeyState state, std::size_t size,
                                            Random& random) override;
    [[nodiscard]] KeyResult<void> set_state(KeyId key, KeyState state) override;
    [[nodiscard]] KeyResult<void> set_custodians(unsigned quorum,
                                                 std::span<const NewCustodian> custodians) override;
    [[nodiscard]] KeyResult<void> commit() override;
    void roll_back() override;

private:
    /// What a command has collected.
    struct Draft {
        Command command;
        std::vector<Entry> entries;
        std::vector<std::string> changes;       // JSON objects for the log line
        std::vector<MutableBytes> new_secrets;  // wiped when rolled back
        std::vector<MutableBytes> old_secrets;  // wiped when committed
        std::vector<Vault::Kept> new_kept;      // the same two of a token's
        std::vector<Vault::Kept> old_kept;
        std::optional<unsigned> quorum;
        std::vector<CustodianSlot> custodians;
        SecretBytes<sealing_key_size> sealing_key;
    };
    /// The next file, whole, and what the store is once it stands.
    struct Next {
        StoreContents contents;
        std::vector<std::uint8_t> file;
    };

    SealedStore(StoreContents contents, Random& random)
        : contents_{std::move(contents)}, random_{random} {}
    [[nodiscard]] const std::vector<Entry>& entries() const {
        return draft_ ? draft_->entries : entries_;
    }
    [[nodiscard]] KeyResult<const Entry*> entry_of(KeyId key) const;
    [[nodiscard]] KeyResult<const Entry*> p256_entry(KeyId key) const;
    [[nodiscard]] KeyResult<void> check_new(const KeyName& key, KeyState state,
                                            std::size_t size) const;
    [[nodiscard]] KeyResult<KeyId> append(Entry entry, const char* how);
    [[nodiscard]] KeyResult<void> note_kept(Entry& entry, const Vault::Kept& kept);
    [[nodiscard]] KeyResult<KeyId> take_in(const KeyName& key, KeyState state, MutableBytes secret,
                                           const char* how);
    [[nodiscard]] KeyResult<KeyId> generate_inside(const KeyName& key, KeyState state);
    /// People open it, so its keys go to other stores. docs/key_store.md, "With a token".
    [[nodiscard]] bool hands_out() const { return contents_.header.quorum > 1; }
    /// `use(secret)` with the secret of a key that is here or sealed by the token, for that long.
    template <class Use>
    auto with_secret(const Entry& entry, Use use) const -> std::invoke_result_t<Use&, Bytes>;
    void discard(std::span<const Vault::Kept> kept);
    void sweep();
    [[nodiscard]] KeyResult<sm2::PrivateKey> audit_key() const;
    [[nodiscard]] std::string log_line() const;
    [[nodiscard]] KeyResult<Next> next_file();
    [[nodiscard]] KeyResult<void> write_next();

    StoreContents contents_;
    Random& random_;
    LockedArena arena_;
    MutableBytes key_;            // in the arena
    std::vector<Entry> entries_;  // their secrets too; never shortened: ids stay valid
    std::optional<Draft> draft_;
    std::unique_ptr<Vault> vault_;  // of a store with a token
};

/// Of every store: signs its log and its state.
[[nodiscard]] inline const KeyName& audit_key_name() {
    static const KeyName key{"store", KeyUse::audit_signature, KeyAlgorithm::sm2_private,
                             protocol::KeyVersion{1}};
    return key;
}

template <class Use>
auto SealedStore::with_secret(const Entry& entry, Use use) const
    -> std::invoke_result_t<Use&, Bytes> {
    if (entry.place == KeyPlace::here) return use(Bytes{entry.secret});
    if (entry.place == KeyPlace::token) return std::unexpected{KeyError::not_revealable};
    LockedArena scratch;
    const MutableBytes secret = scratch.allocate(entry.size);
    if (secret.empty()) return std::unexpected{KeyError::memory_not_lockable};
    ONECARD_CHECK(vault_->open(entry.name, entry.secret, secret));
    return use(Bytes{secret});
}

}  // namespace crypto::keys
