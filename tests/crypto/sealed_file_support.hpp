#pragma once
// Sealed files in tests: made, opened, and altered by people who hold some of their keys or none.
#include <fstream>

#include "crypto/core/sm3.hpp"
#include "crypto/keys/custodians.hpp"
#include "crypto/keys/sealing.hpp"
#include "tests/crypto/key_store_support.hpp"

namespace tests {

inline FileBytes read_all(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}
inline void write_all(const std::filesystem::path& path, Bytes bytes) {
    std::ofstream{path, std::ios::binary | std::ios::trunc}.write(
        reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}
inline FileBytes owned(std::string_view text) {
    return {text.begin(), text.end()};
}
inline void renew_digest(FileBytes& file) {
    const auto digest = crypto::sm3(Bytes{file}.first(file.size() - crypto::sm3_digest_size));
    std::ranges::copy(digest, file.end() - crypto::sm3_digest_size);
}

inline const KeyName audit_name{"store", KeyUse::audit_signature, KeyAlgorithm::sm2_private,
                                protocol::KeyVersion{1}};

/// The key that signs a store's log: whoever opens the store can copy it out.
inline crypto::sm2::PrivateKey audit_key_of(const KeyStore& store, crypto::Random& random) {
    const auto id = store.find(audit_name);
    REQUIRE(id.has_value());
    FileBytes secret(32);
    REQUIRE(store.reveal(*id, secret).has_value());
    auto key = crypto::sm2::PrivateKey::load(secret, random);
    REQUIRE(key.has_value());
    return *std::move(key);
}

/// A file taken apart. What is changed here is put together again with sizes and digest that fit;
/// `log_count`, the seal and the signature stay what they are, for those who can renew them.
struct AlteredFile {
    explicit AlteredFile(const FileBytes& file) {
        const auto parts = parse_sealed(file);
        REQUIRE(parts.has_value());
        header = parts->header;
        custodians = parts->custodians;
        protocol::ByteReader in{parts->log};
        while (!in.empty()) log.push_back(*take_log_entry(in));
        sealed.assign(parts->sealed.begin(), parts->sealed.end());
        sealed.insert(sealed.end(), parts->tag.begin(), parts->tag.end());
        signature = parts->signature;
    }

    /// Header, custodians and log: what the seal authenticates.
    [[nodiscard]] FileBytes additional() {
        const auto slots = custodian_bytes(custodians);
        FileBytes log_bytes;
        for (const LogEntry& entry : log) append_log_entry(log_bytes, entry);
        log_bytes.insert(log_bytes.end(), behind_log.begin(), behind_log.end());
        header.custodians_size = static_cast<std::uint32_t>(slots.size());
        header.log_size = static_cast<std::uint32_t>(log_bytes.size());
        header.sealed_size = static_cast<std::uint32_t>(sealed.size() - tag_size);
        const auto head = header.bytes();
        FileBytes out{head.begin(), head.end()};
        out.insert(out.end(), slots.begin(), slots.end());
        out.insert(out.end(), log_bytes.begin(), log_bytes.end());
        return out;
    }
    [[nodiscard]] FileBytes state() {
        FileBytes out = additional();
        out.insert(out.end(), sealed.begin(), sealed.end());
        return out;
    }
    /// The entries as one who has the sealing key reads them.
    [[nodiscard]] std::optional<FileBytes> opened(Bytes sealing_key) {
        FileBytes plain(sealed.size() - tag_size);
        if (!open_bytes(sealing_key, header.nonce, additional(), sealed, plain)) return {};
        return plain;
    }
    void seal(Bytes sealing_key, Bytes plain) {
        sealed.resize(plain.size() + tag_size);
        seal_bytes(sealing_key, header.nonce, additional(), plain, sealed);
    }
    void sign(const crypto::sm2::PrivateKey& key, crypto::Random& random) {
        signature = *crypto::sm2::sign(key, crypto::sm2::default_id, crypto::sm3(state()), random);
    }
    [[nodiscard]] FileBytes bytes() {
        FileBytes out = state();
        out.insert(out.end(), signature.begin(), signature.end());
        out.resize(out.size() + crypto::sm3_digest_size);
        renew_digest(out);
        return out;
    }

    SealedHeader header;
    std::vector<CustodianSlot> custodians;
    std::vector<LogEntry> log;
    FileBytes behind_log;  ///< bytes after the last entry
    FileBytes sealed;      ///< and its tag
    crypto::sm2::Signature signature{};
};

/// What custodians who open a store can compute from the file and their passphrases.
inline FileBytes sealing_key_of(const AlteredFile& file,
                                const std::vector<NewCustodian>& custodians) {
    const CustodianTerms terms{file.header.purpose, file.header.cost, file.header.store_id};
    std::vector<Share> shares;
    for (const NewCustodian& custodian : custodians) {
        const auto slot = std::ranges::find(file.custodians, custodian.name, &CustodianSlot::name);
        REQUIRE(slot != file.custodians.end());
        auto share = open_share(terms, *slot, custodian);
        REQUIRE(share.has_value());
        shares.push_back(std::move(*share));
    }
    const auto key = join_secret(shares);
    REQUIRE(key.has_value());
    return {key->bytes().begin(), key->bytes().end()};
}

/// A rehearsal store that one custodian opens.
struct SealedFixture {
    KeyDirectory directory;
    crypto::SeededRandom random{42, "keys"};
    const FileBytes passphrase = owned("correct horse battery stap");

    [[nodiscard]] std::vector<NewCustodian> custodians() const { return {{"service", passphrase}}; }
    [[nodiscard]] std::filesystem::path path() const { return directory.file(); }
    [[nodiscard]] StorePlan plan() const {
        return {Purpose::rehearsal, 1, {{"service", passphrase}}, cheap};
    }
    Store create() {
        auto store = create_sealed_file(path(), plan(), command("create"), random);
        REQUIRE(store.has_value());
        return std::move(*store);
    }
    /// Created, with one key added: two log entries.
    FileBytes create_with_key() {
        REQUIRE(add(*create(), tac_name, KeyState::active, tac_secret).has_value());
        return read_all(path());
    }
    KeyResult<Store> open(Bytes with) { return open_sealed_file(path(), with, random); }
    KeyResult<Store> open() { return open(passphrase); }
    KeyError open_error() {
        const auto store = open();
        REQUIRE_FALSE(store.has_value());
        return store.error();
    }
    KeyError open_error(Bytes file) {
        write_all(path(), file);
        return open_error();
    }
};

}  // namespace tests
