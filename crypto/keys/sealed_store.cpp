#include "crypto/keys/sealed_store.hpp"

#include <boost/json.hpp>

#include "crypto/core/block_cipher.hpp"
#include "crypto/keys/p256.hpp"
#include "crypto/keys/sealing.hpp"
#include "crypto/keys/store_file.hpp"

namespace crypto::keys {
namespace {

namespace json = boost::json;

constexpr std::size_t log_size_max = std::size_t{14} * 1024 * 1024;

const KeyName& audit_key_name() {
    static const KeyName key{"store", KeyUse::audit_signature, KeyAlgorithm::sm2_private,
                             protocol::KeyVersion{1}};
    return key;
}

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

bool is_suite_key(const Entry& entry) {
    return entry.size == purse::key_size && (entry.name.algorithm == KeyAlgorithm::triple_des ||
                                             entry.name.algorithm == KeyAlgorithm::sm4);
}

CheckValue digest_check(Bytes value) {
    constexpr std::string_view text = "onecard key check";
    const Bytes prefix{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    const Sm3Digest digest = Sm3{}.update(prefix).update(value).finish();
    CheckValue out{};
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

CheckValue cipher_check(Cipher cipher, Bytes secret) {
    std::array<std::uint8_t, block_size_max> block{};
    BlockEncryptor{cipher, secret}.encrypt(MutableBytes{block}.first(block_size(cipher)));
    CheckValue out{};
    std::copy_n(block.begin(), out.size(), out.begin());
    return out;
}

KeyResult<CheckValue> check_value_of(KeyAlgorithm algorithm, Bytes secret, Random& random) {
    switch (algorithm) {
        case KeyAlgorithm::triple_des: return cipher_check(Cipher::triple_des, secret);
        case KeyAlgorithm::sm4: return cipher_check(Cipher::sm4, secret);
        case KeyAlgorithm::aes: return cipher_check(Cipher::aes, secret);
        case KeyAlgorithm::sm2_private:
            if (!sm2::PrivateKey::load(secret, random)) return refuse(KeyError::key_value_wrong);
            return digest_check(secret);
        case KeyAlgorithm::rsa_private:
        case KeyAlgorithm::hmac_sm3: return digest_check(secret);
        case KeyAlgorithm::p256_private: {
            const auto point = p256_public_key(secret.first<32>(), random);
            if (!point) return refuse(KeyError::key_value_wrong);
            return digest_check(*point);
        }
    }
    return refuse(KeyError::key_algorithm_wrong);
}

std::string hex(Bytes bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t byte : bytes) {
        out += digits[byte >> 4];
        out += digits[byte & 0x0F];
    }
    return out;
}

std::string change_record(const char* what, const Entry& entry) {
    json::object record{{"change", what}, {"key", text(entry.name)}, {"state", name(entry.state)}};
    if (entry.state != KeyState::destroyed) record["check"] = hex(entry.check);
    return json::serialize(record);
}

std::string custodians_record(unsigned quorum, std::span<const NewCustodian> custodians) {
    json::array names;
    for (const NewCustodian& custodian : custodians) names.emplace_back(custodian.name);
    return json::serialize(
        json::object{{"change", "custodians"}, {"quorum", quorum}, {"names", std::move(names)}});
}

bool is_printable(std::string_view text) {
    return !text.empty() && text.size() <= 64 &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

/// The detail as a JSON object, so that a line is one, whatever the caller gave.
std::optional<json::object> parse_detail(const std::string& detail) {
    boost::system::error_code error;
    json::value value = json::parse(detail, error);
    if (error || !value.is_object() || detail.size() > log_line_size_max / 2) return std::nullopt;
    return std::move(value.get_object());
}

}  // namespace

// ---- Making and loading

KeyResult<std::unique_ptr<SealedStore>> SealedStore::make(StoreContents contents, Bytes sealing_key,
                                                          Random& random) {
    auto store = std::unique_ptr<SealedStore>{new SealedStore{std::move(contents), random}};
    store->key_ = store->arena_.allocate(sealing_key_size);
    if (store->key_.empty()) return refuse(KeyError::memory_not_lockable);
    std::ranges::copy(sealing_key, store->key_.begin());
    return store;
}

KeyResult<void> SealedStore::load(const SealedParts& parts) {
    const MutableBytes opened = arena_.allocate(std::max<std::size_t>(parts.sealed.size(), 1));
    if (opened.empty()) return refuse(KeyError::memory_not_lockable);
    const MutableBytes plain = opened.first(parts.sealed.size());
    const Bytes with_tag{parts.sealed.data(),
                         parts.sealed.size() + tag_size};  // they are neighbours
    if (!open_bytes(key_, parts.header.nonce, parts.additional, with_tag, plain)) {
        return refuse(KeyError::wrong_passphrase);
    }
    ONECARD_TRY(entries, parse_entries(plain));
    entries_ = std::move(entries);
    return {};
}

KeyResult<void> SealedStore::make_audit_key() {
    const auto pair = sm2::PrivateKey::generate(random_);
    if (!pair) return refuse(KeyError::key_value_wrong);
    std::ranges::copy(pair->public_key().bytes(), contents_.header.audit_key.begin());
    ONECARD_CHECK(add(audit_key_name(), KeyState::active, pair->bytes()));
    return {};
}

// ---- Reading

bool SealedStore::rehearsal() const {
    return contents_.header.purpose == Purpose::rehearsal;
}

StoreIdentity SealedStore::identity() const {
    StoreIdentity out{contents_.header.store_id,
                      contents_.header.audit_key,
                      {},
                      contents_.header.quorum,
                      contents_.opened_by};
    for (const CustodianSlot& slot : contents_.custodians) out.custodians.push_back(slot.name);
    return out;
}

std::vector<KeyDescription> SealedStore::list() const {
    std::vector<KeyDescription> out;
    for (const Entry& entry : entries()) out.push_back({entry.name, entry.state, entry.size});
    return out;
}

KeyResult<KeyId> SealedStore::find(const KeyName& key) const {
    for (std::size_t i = 0; i < entries().size(); ++i) {
        if (entries()[i].name == key) return KeyId{static_cast<std::uint32_t>(i)};
    }
    return refuse(KeyError::key_unknown);
}

KeyResult<const Entry*> SealedStore::entry_of(KeyId key) const {
    if (key.value() >= entries().size()) return refuse(KeyError::key_unknown);
    return &entries()[key.value()];
}

KeyResult<KeyDescription> SealedStore::describe(KeyId key) const {
    ONECARD_TRY(entry, entry_of(key));
    return KeyDescription{entry->name, entry->state, entry->size};
}

KeyResult<CheckValue> SealedStore::check_value(KeyId key) const {
    ONECARD_TRY(entry, entry_of(key));
    if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
    return entry->check;
}

KeyResult<purse::PurseKey> SealedStore::derive(KeyId parent,
                                               std::span<const purse::Factor> factors) const {
    ONECARD_TRY(entry, entry_of(parent));
    if (entry->state != KeyState::active && entry->state != KeyState::verify_only) {
        return refuse(KeyError::key_state_forbids);
    }
    if (factors.empty() || !is_suite_key(*entry)) return refuse(KeyError::key_algorithm_wrong);
    const auto suite = entry->name.algorithm == KeyAlgorithm::sm4 ? protocol::Suite::sm4
                                                                  : protocol::Suite::triple_des;
    purse::PurseKey key{suite, entry->secret.first<purse::key_size>()};
    for (const purse::Factor& factor : factors) key = purse::diversify(key, factor);
    return key;
}

KeyResult<void> SealedStore::reveal(KeyId key, MutableBytes out) const {
    ONECARD_TRY(entry, entry_of(key));
    if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
    if (out.size() != entry->size) return refuse(KeyError::key_size_wrong);
    std::ranges::copy(entry->secret, out.begin());
    return {};
}

KeyResult<const Entry*> SealedStore::p256_entry(KeyId key) const {
    ONECARD_TRY(entry, entry_of(key));
    if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
    if (entry->name.algorithm != KeyAlgorithm::p256_private) {
        return refuse(KeyError::key_algorithm_wrong);
    }
    return entry;
}

KeyResult<std::array<std::uint8_t, 64>> SealedStore::sign_p256(
    KeyId key, std::span<const std::uint8_t, 32> digest) const {
    ONECARD_TRY(entry, p256_entry(key));
    if (entry->state != KeyState::active) return refuse(KeyError::key_state_forbids);
    const auto signature = p256_sign(entry->secret.first<32>(), digest, random_);
    if (!signature) return refuse(KeyError::key_value_wrong);
    return *signature;
}

KeyResult<std::array<std::uint8_t, 64>> SealedStore::p256_public(KeyId key) const {
    ONECARD_TRY(entry, p256_entry(key));
    const auto point = p256_public_key(entry->secret.first<32>(), random_);
    if (!point) return refuse(KeyError::key_value_wrong);
    return *point;
}

KeyResult<sm2::PrivateKey> SealedStore::audit_key() const {
    ONECARD_TRY(id, find(audit_key_name()));
    ONECARD_TRY(entry, entry_of(id));
    const auto public_key = sm2::PublicKey::parse(contents_.header.audit_key);
    if (!public_key) return refuse(KeyError::malformed);
    auto key = sm2::PrivateKey::load(entry->secret, *public_key, random_);
    if (!key) return refuse(KeyError::malformed);
    return *std::move(key);
}

KeyResult<sm2::Signature> SealedStore::attest(Bytes message) const {
    ONECARD_TRY(key, audit_key());
    const auto signature = sm2::sign(key, sm2::default_id, message, random_);
    if (!signature) return refuse(KeyError::key_value_wrong);
    return *signature;
}

// ---- Changing

KeyResult<void> SealedStore::begin(Command command) {
    if (draft_) return refuse(KeyError::command_missing);
    if (!is_printable(command.name) || !is_printable(command.at) || !parse_detail(command.detail)) {
        return refuse(KeyError::command_malformed);
    }
    draft_.emplace();
    draft_->command = std::move(command);
    draft_->entries = entries_;
    return {};
}

KeyResult<void> SealedStore::check_new(const KeyName& key, KeyState state, std::size_t size) const {
    if (!draft_) return refuse(KeyError::command_missing);
    if (!label_fits(key.label)) return refuse(KeyError::key_label_wrong);
    if (!secret_size_fits(key.algorithm, size)) return refuse(KeyError::key_size_wrong);
    if (state < KeyState::planned || state >= KeyState::destroyed) {
        return refuse(KeyError::key_state_forbids);
    }
    if (find(key)) return refuse(KeyError::key_exists);
    return {};
}

KeyResult<KeyId> SealedStore::append(const KeyName& key, KeyState state, MutableBytes secret,
                                     const char* how) {
    const auto check = check_value_of(key.algorithm, secret, random_);
    if (!check) {
        wipe(secret);
        return refuse(check.error());
    }
    draft_->new_secrets.push_back(secret);
    const Entry entry{key,    state, KeyPlace::here, static_cast<std::uint16_t>(secret.size()),
                      *check, secret};
    draft_->changes.push_back(change_record(how, entry));
    draft_->entries.push_back(entry);
    return KeyId{static_cast<std::uint32_t>(draft_->entries.size() - 1)};
}

KeyResult<KeyId> SealedStore::add(const KeyName& key, KeyState state, Bytes secret) {
    ONECARD_CHECK(check_new(key, state, secret.size()));
    const MutableBytes place = arena_.allocate(secret.size());
    if (place.empty()) return refuse(KeyError::memory_not_lockable);
    std::ranges::copy(secret, place.begin());
    return append(key, state, place, "added");
}

KeyResult<KeyId> SealedStore::generate(const KeyName& key, KeyState state, std::size_t size,
                                       Random& random) {
    ONECARD_CHECK(check_new(key, state, size));
    const MutableBytes place = arena_.allocate(size);
    if (place.empty()) return refuse(KeyError::memory_not_lockable);
    random.fill(place);
    return append(key, state, place, "generated");
}

KeyResult<void> SealedStore::set_state(KeyId key, KeyState state) {
    if (!draft_) return refuse(KeyError::command_missing);
    ONECARD_CHECK(entry_of(key));
    Entry& entry = draft_->entries[key.value()];
    const bool forwards = state > entry.state && state <= KeyState::destroyed;
    if (!forwards || entry.name == audit_key_name()) return refuse(KeyError::key_state_forbids);
    entry.state = state;
    if (state == KeyState::destroyed) {
        draft_->old_secrets.push_back(entry.secret);
        entry.secret = {};
        entry.size = 0;
        entry.check = {};
    }
    draft_->changes.push_back(change_record("state", entry));
    return {};
}

KeyResult<void> SealedStore::set_custodians(unsigned quorum,
                                            std::span<const NewCustodian> custodians) {
    if (!draft_) return refuse(KeyError::command_missing);
    const SealedHeader& header = contents_.header;
    const CustodianTerms terms{header.purpose, header.cost, header.store_id};
    ONECARD_CHECK(check_custodians(terms, quorum, custodians));
    random_.fill(draft_->sealing_key.bytes());
    ONECARD_TRY(slots,
                seal_shares(terms, quorum, custodians, draft_->sealing_key.bytes(), random_));
    draft_->custodians = std::move(slots);
    draft_->quorum = quorum;
    draft_->changes.push_back(custodians_record(quorum, custodians));
    return {};
}

std::string SealedStore::log_line() const {
    json::array by;
    for (const std::string& who : contents_.opened_by) by.emplace_back(who);
    json::array changes;
    for (const std::string& change : draft_->changes) changes.push_back(json::parse(change));
    const json::object line{{"at", draft_->command.at},
                            {"by", std::move(by)},
                            {"command", draft_->command.name},
                            {"detail", *parse_detail(draft_->command.detail)},
                            {"changes", std::move(changes)}};
    return numbered(contents_.log.size() + 1) + json::serialize(line).substr(1);
}

KeyResult<SealedStore::Next> SealedStore::next_file() {
    const std::size_t size = entries_size(draft_->entries);
    if (size > sealed_size_max || draft_->entries.size() > 0xFFFF) {
        return refuse(KeyError::store_full);
    }
    ONECARD_TRY(key, audit_key());
    Next next{contents_, {}};
    std::string line = log_line();
    if (line.size() > log_line_size_max) return refuse(KeyError::command_malformed);
    auto entry = append_entry(next.contents.head, std::move(line), key, random_);
    if (!entry) return refuse(KeyError::key_value_wrong);
    next.contents.log.push_back(*std::move(entry));
    if (draft_->quorum) next.contents.custodians = draft_->custodians;

    const auto custodians = custodian_bytes(next.contents.custodians);
    std::vector<std::uint8_t> log;
    for (const LogEntry& each : next.contents.log) append_log_entry(log, each);
    if (log.size() > log_size_max) return refuse(KeyError::store_full);
    SealedHeader& header = next.contents.header;
    ++header.generation;
    random_.fill(header.nonce);
    if (draft_->quorum) header.quorum = static_cast<std::uint8_t>(*draft_->quorum);
    header.custodians_size = static_cast<std::uint32_t>(custodians.size());
    header.log_count = static_cast<std::uint32_t>(next.contents.log.size());
    header.log_size = static_cast<std::uint32_t>(log.size());
    header.sealed_size = static_cast<std::uint32_t>(size);

    LockedArena scratch;
    const MutableBytes plain = scratch.allocate(size);
    if (plain.empty()) return refuse(KeyError::memory_not_lockable);
    write_entries(draft_->entries, plain);
    const auto header_bytes = header.bytes();
    std::vector<std::uint8_t>& file = next.file;
    for (const Bytes part : {Bytes{header_bytes}, Bytes{custodians}, Bytes{log}}) {
        file.insert(file.end(), part.begin(), part.end());
    }
    const std::size_t additional = file.size();
    file.resize(additional + size + tag_size);
    const Bytes sealing_key = draft_->quorum ? Bytes{draft_->sealing_key.bytes()} : Bytes{key_};
    seal_bytes(sealing_key, header.nonce, Bytes{file}.first(additional), plain,
               MutableBytes{file}.subspan(additional));
    const auto signature = sm2::sign(key, sm2::default_id, sm3(file), random_);
    if (!signature) return refuse(KeyError::key_value_wrong);
    file.insert(file.end(), signature->begin(), signature->end());
    const auto digest = sm3(file);
    file.insert(file.end(), digest.begin(), digest.end());
    next.contents.digest.assign(digest.begin(), digest.end());
    return next;
}

KeyResult<void> SealedStore::write_next() {
    ONECARD_TRY(next, next_file());
    ONECARD_CHECK(contents_.digest.empty()
                      ? create_store_file(contents_.path, next.file)
                      : replace_store_file(contents_.path, next.file, contents_.digest));
    contents_ = std::move(next.contents);
    return {};
}

KeyResult<void> SealedStore::commit() {
    if (!draft_) return refuse(KeyError::command_missing);
    const auto written = write_next();
    if (!written) {
        roll_back();
        return written;
    }
    if (draft_->quorum) std::ranges::copy(draft_->sealing_key.bytes(), key_.begin());
    entries_ = std::move(draft_->entries);
    for (const MutableBytes secret : draft_->old_secrets) wipe(secret);
    draft_.reset();
    return {};
}

void SealedStore::roll_back() {
    if (!draft_) return;
    for (const MutableBytes secret : draft_->new_secrets) wipe(secret);
    draft_.reset();
}

}  // namespace crypto::keys
