#include "host/keys/issue_fleet.hpp"

#include <boost/json.hpp>

#include "host/keys/issue_rows.hpp"
#include "host/keys/issuing_audit.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

/// A released chip is scrap: it holds keys, and nobody meets it. It counts as a card, which it most
/// likely was; a drill lists it by the number of its line.
Result<ChipCount> counted(Result<KeyHolders> holders) {
    if (!holders) return std::unexpected{std::move(holders).error()};
    return ChipCount{holders->cards + holders->scrap, holders->sams};
}

/// The head of this owner's state that the city's log wrote down last.
std::optional<crypto::keys::LogHead> last_head(std::span<const crypto::keys::LogEntry> log,
                                               const std::string& owner) {
    std::optional<crypto::keys::LogHead> head;
    for (const auto& entry : log) {
        boost::system::error_code error;
        const auto line = boost::json::parse(entry.line, error);
        const auto* said = error ? nullptr : line.find_pointer("/detail/state/owner", error);
        if (said == nullptr || *said != boost::json::value(owner)) continue;
        const auto* at = line.find_pointer("/detail/state/head", error);
        if (at == nullptr || !at->is_string()) continue;
        head = platform::from_hex<32>({at->get_string().data(), at->get_string().size()});
    }
    return head;
}

}  // namespace

Result<void> check_issuer(const City& city, const crypto::keys::StoreIdentity& owner) {
    ONECARD_TRY(known, fold_log(city.store->log()));
    const Place* place = known.find(platform::to_hex(owner.id));
    if (place == nullptr || place->role != platform::PeerRole::issuer) {
        return refuse(RefusalKind::fleet_unknown,
                      "its log is not of an issuer's store that this city deployed");
    }
    if (place->audit_key == platform::to_hex(owner.audit_key)) return {};
    return refuse(RefusalKind::fleet_unknown,
                  place->audit_key.empty()
                      ? "the city's log does not know its issuer's audit key: deploy the issuer "
                        "again"
                      : "its log is signed with another key than its issuer's");
}

Result<std::unique_ptr<IssueFleet>> IssueFleet::open(const std::filesystem::path& file,
                                                     const City& city,
                                                     const platform::Clock& clock) {
    ONECARD_TRY(store,
                IssueStore::open_to_read(file, city.identity.mark, city.identity.city, clock));
    std::unique_ptr<IssueFleet> fleet{new IssueFleet{std::move(store)}};
    if (const auto verified = fleet->verify(file, city); !verified) {
        return refuse(RefusalKind::fleet_unknown, file.string() + ": " + verified.error().detail);
    }
    return fleet;
}

Result<void> IssueFleet::verify(const std::filesystem::path& file, const City& city) {
    ONECARD_TRY(owner, issuing_state_owner(store_.database_, file));
    ONECARD_CHECK(check_issuer(city, owner));
    const AuditKnowledge known{owner.audit_key,
                               last_head(city.store->log(), platform::to_hex(owner.id))};
    ONECARD_TRY(report, audit_issuing_state(store_.database_, file, known));
    if (report.verdict != AuditVerdict::whole) {
        return refuse(RefusalKind::fleet_unknown, report.text);
    }
    if (report.audit.count == 0) {
        return refuse(RefusalKind::fleet_unknown, "nothing was ever imported into it");
    }
    ONECARD_TRY(chips, in_use());
    witness_ = {platform::to_hex(owner.id), platform::to_hex(report.audit.head), report.audit.count,
                chips};
    return {};
}

Result<ChipCount> IssueFleet::in_use() {
    return counted(fleet_.count_in_use());
}

Result<ChipCount> IssueFleet::carrying(const ChipKey& key) {
    return counted(
        fleet_.count_by_key(key.use, key.suite, key.version, Holding::in_use, key.national));
}

Result<ChipCount> IssueFleet::ever_carried(const ChipKey& key) {
    return counted(
        fleet_.count_by_key(key.use, key.suite, key.version, Holding::ever, key.national));
}

Result<void> IssueFleet::each_ever(const ChipKey& key,
                                   const std::function<void(const Carrier&)>& each) {
    return fleet_.each_with_key(
        key.use, key.suite, key.version,
        [&](const FleetChip& chip) {
            each({chip.kind, chip.number, chip.scrap ? "scrap" : name(chip.state)});
        },
        Holding::ever, key.national);
}

}  // namespace host::keys
