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
constexpr std::string_view token_label_prefix = "token/";
constexpr std::uint16_t p256_size = 32;

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

CheckValue digest_check(Bytes value) {
    constexpr std::string_view text = "onecard key check";
    const Bytes prefix{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    const Sm3Digest digest = Sm3{}.update(prefix).update(value).finish();
    CheckValue out{};
    std::copy_n(digest.begin(), out.size(), out.begin());
    return out;
}

CheckValue public_check(const P256PublicKey& point) {
    return digest_check(point);
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
        case KeyAlgorithm::passphrase:
        case KeyAlgorithm::hmac_sm3: return digest_check(secret);
        case KeyAlgorithm::p256_private: {
            const auto point = public_key_of(P256PrivateKey{secret.first<32>()}, random);
            if (!point) return refuse(KeyError::key_value_wrong);
            return public_check(*point);
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

KeyResult<void> SealedStore::load(const SealedParts& parts, const VaultOpener& opener) {
    const MutableBytes opened = arena_.allocate(std::max<std::size_t>(parts.sealed.size(), 1));
    if (opened.empty()) return refuse(KeyError::memory_not_lockable);
    const MutableBytes plain = opened.first(parts.sealed.size());
    const Bytes with_tag{parts.sealed.data(),
                         parts.sealed.size() + tag_size};  // they are neighbours
    if (!open_bytes(key_, parts.header.nonce, parts.additional, with_tag, plain)) {
        return refuse(KeyError::wrong_passphrase);
    }
    ONECARD_TRY(entries, parse_entries(plain));
    // A key inside a token is computed with there: its bytes here are no secret of `size` bytes.
    const auto elsewhere = [](const Entry& entry) { return entry.place != KeyPlace::here; };
    const bool needs_token = std::ranges::any_of(entries, elsewhere);
    entries_ = std::move(entries);
    if (!needs_token) return {};
    const auto pin = std::ranges::find(entries_, KeyUse::token_pin,
                                       [](const Entry& entry) { return entry.name.use; });
    if (pin == entries_.end() || !pin->name.label.starts_with(token_label_prefix)) {
        return refuse(KeyError::malformed);
    }
    if (!opener) return refuse(KeyError::token_missing);
    ONECARD_TRY(vault, opener(contents_.header.store_id,
                              pin->name.label.substr(token_label_prefix.size()), pin->secret));
    vault_ = std::move(vault);
    return {};
}

KeyResult<void> SealedStore::make_token(const TokenPlan& plan) {
    const KeyName pin{std::string{token_label_prefix} + plan.serial, KeyUse::token_pin,
                      KeyAlgorithm::passphrase, protocol::KeyVersion{1}};
    ONECARD_CHECK(add(pin, KeyState::active, plan.pin));
    ONECARD_TRY(vault, plan.opener(contents_.header.store_id, plan.serial, plan.pin));
    ONECARD_CHECK(vault->found());
    vault_ = std::move(vault);
    return {};
}

KeyResult<void> SealedStore::make_audit_key() {
    const auto pair = sm2::PrivateKey::generate(random_);
    if (!pair) return refuse(KeyError::key_value_wrong);
    std::ranges::copy(pair->public_key().bytes(), contents_.header.audit_key.begin());
    ONECARD_CHECK(add(audit_key_name(), KeyState::active, pair->bytes()));
    return {};
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

KeyResult<KeyId> SealedStore::append(Entry entry, const char* how) {
    draft_->changes.push_back(change_record(how, entry));
    draft_->entries.push_back(std::move(entry));
    return KeyId{static_cast<std::uint32_t>(draft_->entries.size() - 1)};
}

/// The bytes that stand in the file for a secret the token keeps.
KeyResult<void> SealedStore::note_kept(Entry& entry, const Vault::Kept& kept) {
    draft_->new_kept.push_back(kept);
    entry.place = kept.place;
    entry.secret = arena_.allocate(kept.bytes.size());
    if (entry.secret.empty()) return refuse(KeyError::memory_not_lockable);
    std::ranges::copy(kept.bytes, entry.secret.begin());
    return {};
}

KeyResult<KeyId> SealedStore::take_in(const KeyName& key, KeyState state, MutableBytes secret,
                                      const char* how) {
    const auto check = check_value_of(key.algorithm, secret, random_);
    if (!check) {
        wipe(secret);
        return refuse(check.error());
    }
    Entry entry{key,    state, KeyPlace::here, static_cast<std::uint16_t>(secret.size()),
                *check, secret};
    draft_->new_secrets.push_back(secret);
    if (vault_ != nullptr && key.use != KeyUse::token_pin) {
        const bool inside = vault_->stays_inside(key, secret.size(), hands_out());
        auto kept = vault_->keep(key, secret, inside);
        wipe(secret);
        if (!kept) return refuse(kept.error());
        ONECARD_CHECK(note_kept(entry, *kept));
    }
    return append(std::move(entry), how);
}

KeyResult<KeyId> SealedStore::add(const KeyName& key, KeyState state, Bytes secret) {
    ONECARD_CHECK(check_new(key, state, secret.size()));
    const MutableBytes place = arena_.allocate(secret.size());
    if (place.empty()) return refuse(KeyError::memory_not_lockable);
    std::ranges::copy(secret, place.begin());
    return take_in(key, state, place, "added");
}

KeyResult<KeyId> SealedStore::generate_inside(const KeyName& key, KeyState state) {
    ONECARD_TRY(kept, vault_->generate_p256());
    Entry entry{key, state, KeyPlace::token, p256_size, {}, {}};
    ONECARD_CHECK(note_kept(entry, kept));
    ONECARD_TRY(point, vault_->p256_public(kept.bytes));
    entry.check = public_check(point);
    return append(std::move(entry), "generated");
}

KeyResult<KeyId> SealedStore::generate(const KeyName& key, KeyState state, std::size_t size,
                                       Random& random) {
    ONECARD_CHECK(check_new(key, state, size));
    if (vault_ != nullptr && key.algorithm == KeyAlgorithm::p256_private &&
        vault_->stays_inside(key, size, hands_out())) {
        return generate_inside(key, state);
    }
    const MutableBytes place = arena_.allocate(size);
    if (place.empty()) return refuse(KeyError::memory_not_lockable);
    if (key.algorithm == KeyAlgorithm::p256_private) {
        std::ranges::copy(generate_p256(random).bytes(), place.begin());
    } else {
        random.fill(place);
    }
    return take_in(key, state, place, "generated");
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
        draft_->old_kept.push_back({entry.place, {entry.secret.begin(), entry.secret.end()}});
        entry.place = KeyPlace::here;
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
    discard(draft_->old_kept);
    for (const MutableBytes secret : draft_->old_secrets) wipe(secret);
    draft_.reset();
    sweep();
    return {};
}

void SealedStore::roll_back() {
    if (!draft_) return;
    discard(draft_->new_kept);
    for (const MutableBytes secret : draft_->new_secrets) wipe(secret);
    draft_.reset();
}

void SealedStore::discard(std::span<const Vault::Kept> kept) {
    if (vault_ == nullptr) return;
    for (const Vault::Kept& each : kept) vault_->discard(each.place, each.bytes);
}

/// Only now is it sure what the file names.
void SealedStore::sweep() {
    if (vault_ == nullptr) return;
    std::vector<Bytes> in_use;
    for (const Entry& entry : entries_) {
        if (entry.place == KeyPlace::token) in_use.emplace_back(entry.secret);
    }
    vault_->sweep(in_use);
}

}  // namespace crypto::keys
