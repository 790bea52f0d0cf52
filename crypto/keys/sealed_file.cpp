#include "crypto/keys/sealed_file.hpp"

#include "crypto/core/block_cipher.hpp"
#include "crypto/core/sm3.hpp"
#include "crypto/keys/sealing.hpp"
#include "crypto/keys/store_file.hpp"

namespace crypto::keys {
namespace {

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

bool is_suite_key(KeyAlgorithm algorithm, std::size_t size) {
    return size == purse::key_size &&
           (algorithm == KeyAlgorithm::triple_des || algorithm == KeyAlgorithm::sm4);
}

CheckValue check_value_of(const Entry& entry) {
    CheckValue out{};
    const auto from_cipher = [&](Cipher cipher) {
        std::array<std::uint8_t, block_size_max> block{};
        BlockEncryptor{cipher, entry.secret}.encrypt(MutableBytes{block}.first(block_size(cipher)));
        std::copy_n(block.begin(), out.size(), out.begin());
    };
    switch (entry.name.algorithm) {
        case KeyAlgorithm::triple_des: from_cipher(Cipher::triple_des); break;
        case KeyAlgorithm::sm4: from_cipher(Cipher::sm4); break;
        case KeyAlgorithm::aes: from_cipher(Cipher::aes); break;
        case KeyAlgorithm::sm2_private:
        case KeyAlgorithm::p256_private:
        case KeyAlgorithm::hmac_sm3: {
            constexpr std::string_view text = "onecard key check";
            const Bytes prefix{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
            const Sm3Digest digest = Sm3{}.update(prefix).update(entry.secret).finish();
            std::copy_n(digest.begin(), out.size(), out.begin());
            break;
        }
    }
    return out;
}

class SealedFile final : public KeyStore {
public:
    /// Empty, not yet written.
    [[nodiscard]] static KeyResult<std::unique_ptr<SealedFile>> make(std::filesystem::path path,
                                                                     const SealedHeader& header,
                                                                     Bytes passphrase,
                                                                     Random& random) {
        auto store = std::unique_ptr<SealedFile>{new SealedFile{std::move(path), header, random}};
        store->key_ = store->arena_.allocate(sealing_key_size);
        if (store->key_.empty()) return refuse(KeyError::memory_not_lockable);
        ONECARD_CHECK(derive_sealing_key(header, passphrase, store->key_));
        return store;
    }
    [[nodiscard]] KeyResult<void> load(const SealedParts& parts) {
        const MutableBytes opened = arena_.allocate(std::max<std::size_t>(parts.sealed.size(), 1));
        if (opened.empty()) return refuse(KeyError::memory_not_lockable);
        const MutableBytes plain = opened.first(parts.sealed.size());
        ONECARD_CHECK(open(parts, key_, plain));
        ONECARD_TRY(entries, parse_entries(plain));
        entries_ = std::move(entries);
        digest_.assign(parts.digest.begin(), parts.digest.end());
        return {};
    }
    /// Writes `entries` as the next generation; the store then holds them. On refusal nothing
    /// changes.
    [[nodiscard]] KeyResult<void> commit(std::vector<Entry> entries) {
        LockedArena scratch;
        const std::size_t size = entries_size(entries);
        if (size > sealed_size_max || entries.size() > 0xFFFF) return refuse(KeyError::store_full);
        const MutableBytes plain = scratch.allocate(size);
        if (plain.empty()) return refuse(KeyError::memory_not_lockable);
        write_entries(entries, plain);
        SealedHeader next = header_;
        ++next.generation;
        random_.fill(next.nonce);
        next.sealed_size = static_cast<std::uint32_t>(size);
        const auto file = seal(next, key_, plain);
        ONECARD_CHECK(digest_.empty() ? create_store_file(path_, file)
                                      : replace_store_file(path_, file, digest_));
        header_ = next;
        digest_.assign(file.end() - sm3_digest_size, file.end());
        entries_ = std::move(entries);
        return {};
    }

    [[nodiscard]] bool rehearsal() const override { return header_.purpose == Purpose::rehearsal; }

    [[nodiscard]] std::vector<KeyDescription> list() const override {
        std::vector<KeyDescription> out;
        out.reserve(entries_.size());
        for (const Entry& entry : entries_) out.push_back(describe_entry(entry));
        return out;
    }
    [[nodiscard]] KeyResult<KeyId> find(const KeyName& key) const override {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            if (entries_[i].name == key) return KeyId{static_cast<std::uint32_t>(i)};
        }
        return refuse(KeyError::key_unknown);
    }
    [[nodiscard]] KeyResult<KeyDescription> describe(KeyId key) const override {
        ONECARD_TRY(entry, entry_of(key));
        return describe_entry(*entry);
    }
    [[nodiscard]] KeyResult<CheckValue> check_value(KeyId key) const override {
        ONECARD_TRY(entry, entry_of(key));
        if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
        return check_value_of(*entry);
    }
    [[nodiscard]] KeyResult<purse::PurseKey> derive(
        KeyId parent, std::span<const purse::Factor> factors) const override {
        ONECARD_TRY(entry, entry_of(parent));
        if (entry->state != KeyState::active && entry->state != KeyState::verify_only) {
            return refuse(KeyError::key_state_forbids);
        }
        if (factors.empty() || !is_suite_key(entry->name.algorithm, entry->secret.size())) {
            return refuse(KeyError::key_algorithm_wrong);
        }
        const auto suite = entry->name.algorithm == KeyAlgorithm::sm4 ? protocol::Suite::sm4
                                                                      : protocol::Suite::triple_des;
        purse::PurseKey key{suite, entry->secret.first<purse::key_size>()};
        for (const purse::Factor& factor : factors) key = purse::diversify(key, factor);
        return key;
    }
    [[nodiscard]] KeyResult<void> reveal(KeyId key, MutableBytes out) const override {
        ONECARD_TRY(entry, entry_of(key));
        if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
        if (out.size() != entry->secret.size()) return refuse(KeyError::key_size_wrong);
        std::ranges::copy(entry->secret, out.begin());
        return {};
    }

    [[nodiscard]] KeyResult<KeyId> add(const KeyName& key, KeyState state, Bytes secret) override {
        ONECARD_CHECK(check_new(key, state, secret.size()));
        const MutableBytes place = arena_.allocate(secret.size());
        if (place.empty()) return refuse(KeyError::memory_not_lockable);
        std::ranges::copy(secret, place.begin());
        return append({key, state, place});
    }
    [[nodiscard]] KeyResult<KeyId> generate(const KeyName& key, KeyState state, std::size_t size,
                                            Random& random) override {
        ONECARD_CHECK(check_new(key, state, size));
        const MutableBytes place = arena_.allocate(size);
        if (place.empty()) return refuse(KeyError::memory_not_lockable);
        random.fill(place);
        return append({key, state, place});
    }
    [[nodiscard]] KeyResult<void> set_state(KeyId key, KeyState state) override {
        ONECARD_CHECK(entry_of(key));
        std::vector<Entry> entries = entries_;
        Entry& entry = entries[key.value()];
        if (state <= entry.state || state > KeyState::destroyed) {
            return refuse(KeyError::key_state_forbids);
        }
        entry.state = state;
        if (state == KeyState::destroyed) entry.secret = {};
        const MutableBytes secret = entries_[key.value()].secret;
        ONECARD_CHECK(commit(std::move(entries)));
        if (state == KeyState::destroyed) wipe(secret);
        return {};
    }

private:
    SealedFile(std::filesystem::path path, const SealedHeader& header, Random& random)
        : path_{std::move(path)}, header_{header}, random_{random} {}

    static KeyDescription describe_entry(const Entry& entry) {
        return {entry.name, entry.state, entry.secret.size()};
    }
    [[nodiscard]] KeyResult<const Entry*> entry_of(KeyId key) const {
        if (key.value() >= entries_.size()) return refuse(KeyError::key_unknown);
        return &entries_[key.value()];
    }
    [[nodiscard]] KeyResult<void> check_new(const KeyName& key, KeyState state,
                                            std::size_t size) const {
        if (!label_fits(key.label)) return refuse(KeyError::key_label_wrong);
        if (!secret_size_fits(key.algorithm, size)) return refuse(KeyError::key_size_wrong);
        if (state < KeyState::planned || state >= KeyState::destroyed) {
            return refuse(KeyError::key_state_forbids);
        }
        if (find(key)) return refuse(KeyError::key_exists);
        return {};
    }
    [[nodiscard]] KeyResult<KeyId> append(Entry entry) {
        std::vector<Entry> entries = entries_;
        const MutableBytes secret = entry.secret;
        entries.push_back(std::move(entry));
        const auto done = commit(std::move(entries));
        if (!done) {
            wipe(secret);
            return refuse(done.error());
        }
        return KeyId{static_cast<std::uint32_t>(entries_.size() - 1)};
    }

    std::filesystem::path path_;
    SealedHeader header_;
    Random& random_;
    LockedArena arena_;
    MutableBytes key_;                  // in the arena
    std::vector<Entry> entries_;        // their secrets too; never shortened: ids stay valid
    std::vector<std::uint8_t> digest_;  // of the file as we know it; empty before the first commit
};

}  // namespace

KeyResult<std::unique_ptr<KeyStore>> create_sealed_file(const std::filesystem::path& path,
                                                        Bytes passphrase, Purpose purpose,
                                                        Random& random, DerivationCost cost) {
    if (purpose == Purpose::production) {
        if (passphrase.size() < passphrase_size_min) return refuse(KeyError::weak_passphrase);
        if (cost.memory_kib < production_memory_kib_min) return refuse(KeyError::weak_derivation);
    }
    if (passphrase.empty()) return refuse(KeyError::weak_passphrase);
    SealedHeader header;
    header.purpose = purpose;
    header.cost = cost;
    random.fill(header.salt);
    if (!cost_accepted(cost)) return refuse(KeyError::limits_exceeded);
    ONECARD_TRY(store, SealedFile::make(path, header, passphrase, random));
    ONECARD_CHECK(store->commit({}));
    return std::unique_ptr<KeyStore>{std::move(store)};
}

KeyResult<std::unique_ptr<KeyStore>> open_sealed_file(const std::filesystem::path& path,
                                                      Bytes passphrase, Random& random) {
    ONECARD_TRY(file, read_store_file(path, file_size_max));
    ONECARD_TRY(parts, parse_sealed(file));
    ONECARD_TRY(store, SealedFile::make(path, parts.header, passphrase, random));
    ONECARD_CHECK(store->load(parts));
    return std::unique_ptr<KeyStore>{std::move(store)};
}

}  // namespace crypto::keys
