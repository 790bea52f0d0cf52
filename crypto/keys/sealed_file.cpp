#include "crypto/keys/sealed_file.hpp"

#include "crypto/keys/sealed_store.hpp"
#include "crypto/keys/store_file.hpp"

namespace crypto::keys {
namespace {

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

/// What lies before the signature is what the store's own key signed.
bool state_signed(const SealedParts& parts) {
    const auto key = sm2::PublicKey::parse(parts.header.audit_key);
    return key && sm2::verify(*key, sm2::default_id, sm3(parts.state), parts.signature);
}

/// The log of an authenticated file, with its head.
KeyResult<void> load_log(const SealedParts& parts, StoreContents& contents) {
    protocol::ByteReader in{parts.log};
    contents.head = first_head(parts.header.store_id);
    for (std::uint32_t i = 0; i < parts.header.log_count; ++i) {
        ONECARD_TRY(entry, take_log_entry(in));
        contents.head = next_head(contents.head, entry.line);
        contents.log.push_back(std::move(entry));
    }
    if (!in.empty()) return refuse(KeyError::malformed);
    return {};
}

}  // namespace

KeyResult<std::unique_ptr<KeyStore>> create_sealed_file(const std::filesystem::path& path,
                                                        const StorePlan& plan, Command command,
                                                        Random& random) {
    StoreContents contents;
    contents.path = path;
    SealedHeader& header = contents.header;
    header.purpose = plan.purpose;
    header.cost = plan.cost;
    header.quorum = static_cast<std::uint8_t>(plan.quorum);
    random.fill(header.store_id);
    const CustodianTerms terms{header.purpose, header.cost, header.store_id};
    ONECARD_CHECK(check_custodians(terms, plan.quorum, plan.custodians));
    SecretBytes<sealing_key_size> sealing_key;
    random.fill(sealing_key.bytes());
    ONECARD_TRY(slots,
                seal_shares(terms, plan.quorum, plan.custodians, sealing_key.bytes(), random));
    contents.custodians = std::move(slots);
    for (const NewCustodian& custodian : plan.custodians) {
        contents.opened_by.push_back(custodian.name);
    }
    contents.head = first_head(header.store_id);
    ONECARD_TRY(store, SealedStore::make(std::move(contents), sealing_key.bytes(), random));
    ONECARD_CHECK(store->begin(std::move(command)));
    if (plan.token) ONECARD_CHECK(store->make_token(*plan.token));
    ONECARD_CHECK(store->make_audit_key());
    ONECARD_CHECK(store->commit());
    return std::unique_ptr<KeyStore>{std::move(store)};
}

// ---- Opening

struct StoreOpening::State {
    std::filesystem::path path;
    std::vector<std::uint8_t> file;
    SealedParts parts;  // refers to `file`
    std::vector<std::string> presented;
    std::vector<Share> shares;
};

StoreOpening::StoreOpening(std::unique_ptr<State> state) : state_{std::move(state)} {}
StoreOpening::StoreOpening(StoreOpening&&) noexcept = default;
StoreOpening& StoreOpening::operator=(StoreOpening&&) noexcept = default;
StoreOpening::~StoreOpening() = default;

KeyResult<StoreOpening> StoreOpening::read(const std::filesystem::path& path) {
    auto state = std::make_unique<State>();
    state->path = path;
    ONECARD_TRY(file, read_store_file(path, file_size_max));
    state->file = std::move(file);
    ONECARD_TRY(parts, parse_sealed(state->file));
    state->parts = std::move(parts);
    return StoreOpening{std::move(state)};
}

StoreIdentity StoreOpening::identity() const {
    return identity_of(state_->parts.header, state_->parts.custodians, state_->presented);
}

bool StoreOpening::rehearsal() const {
    return state_->parts.header.purpose == Purpose::rehearsal;
}

KeyResult<void> StoreOpening::present(const NewCustodian& custodian) {
    const auto& slots = state_->parts.custodians;
    const bool alone = custodian.name.empty() && slots.size() == 1;
    const auto slot =
        alone ? slots.begin() : std::ranges::find(slots, custodian.name, &CustodianSlot::name);
    if (slot == slots.end()) return refuse(KeyError::custodian_unknown);
    if (std::ranges::find(state_->presented, slot->name) != state_->presented.end()) {
        return refuse(KeyError::custodian_repeated);
    }
    const SealedHeader& header = state_->parts.header;
    ONECARD_TRY(share,
                open_share({header.purpose, header.cost, header.store_id}, *slot, custodian));
    state_->shares.push_back(std::move(share));
    state_->presented.push_back(slot->name);
    return {};
}

KeyResult<std::unique_ptr<KeyStore>> StoreOpening::open(Random& random,
                                                        const VaultOpener& opener) && {
    const SealedParts& parts = state_->parts;
    if (state_->shares.size() < parts.header.quorum) return refuse(KeyError::quorum_missing);
    const auto sealing_key = join_secret(state_->shares);
    if (!sealing_key || sealing_key->size() != sealing_key_size) {
        return refuse(KeyError::malformed);
    }
    if (!state_signed(parts)) return refuse(KeyError::signature_wrong);
    StoreContents contents{state_->path,
                           parts.header,
                           parts.custodians,
                           state_->presented,
                           {},
                           {},
                           {parts.digest.begin(), parts.digest.end()}};
    ONECARD_CHECK(load_log(parts, contents));
    ONECARD_TRY(store, SealedStore::make(std::move(contents), sealing_key->bytes(), random));
    ONECARD_CHECK(store->load(parts, opener));
    return std::unique_ptr<KeyStore>{std::move(store)};
}

KeyResult<std::unique_ptr<KeyStore>> open_sealed_file(const std::filesystem::path& path,
                                                      Bytes passphrase, Random& random) {
    ONECARD_TRY(opening, StoreOpening::read(path));
    if (opening.identity().quorum > 1) return refuse(KeyError::quorum_missing);
    ONECARD_CHECK(opening.present({}, passphrase));
    return std::move(opening).open(random);
}

// ---- Auditing

KeyResult<LogAudit> audit_sealed_file(const std::filesystem::path& path,
                                      const std::function<void(const LogEntry&)>& each) {
    ONECARD_TRY(file, read_store_file(path, file_size_max));
    ONECARD_TRY(parts, parse_sealed_shape(file));
    LogAudit audit;
    audit.identity = identity_of(parts.header, parts.custodians, {});
    audit.rehearsal = parts.header.purpose == Purpose::rehearsal;
    audit.generation = parts.header.generation;
    audit.custodians_malformed = parts.custodians_malformed;
    audit.state_signed = state_signed(parts);
    const auto key = sm2::PublicKey::parse(parts.header.audit_key);
    if (!key) return refuse(KeyError::malformed);
    LogVerifier verifier{parts.header.store_id, *key};
    protocol::ByteReader in{parts.log};
    while (!in.empty() && !audit.finding) {
        const auto entry = take_log_entry(in);
        const auto followed =
            entry ? verifier.next(*entry)
                  : std::unexpected{LogFinding{LogFault::entry_malformed, verifier.count() + 1}};
        if (!followed) {
            audit.finding = followed.error();
        } else if (each) {
            each(*entry);
        }
    }
    audit.count = verifier.count();
    audit.head = verifier.head();
    audit.truncated = !audit.finding && audit.count < parts.header.log_count;
    return audit;
}

}  // namespace crypto::keys
