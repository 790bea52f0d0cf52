#include "host/keys/compromise.hpp"

#include <set>

#include "platform/mask.hpp"

namespace host::keys {
namespace {

using crypto::keys::city_key;
using crypto::keys::city_label;

bool is_signature(KeyUse use) {
    return use == KeyUse::list_signature || use == KeyUse::day_signature;
}
bool is_transport(KeyUse use) {
    return use == KeyUse::card_transport || use == KeyUse::sam_transport;
}

const char* opens(const KeyName& key) {
    const bool national = key.label == "national";
    switch (key.use) {
        case KeyUse::purchase:
            return national ? "makes purchases of every card of its version in the whole country"
                            : "makes purchases of this city's cards of its version";
        case KeyUse::application_lock:
            return national ? "locks every card of its version in the whole country"
                            : "locks this city's cards and SAMs of its version";
        case KeyUse::load: return "makes loads that no bank paid for";
        case KeyUse::transaction_certificate: return "makes records of debits that never were";
        case KeyUse::card_transport:
        case KeyUse::sam_transport:
            return "reads the keys out of personalisations that somebody recorded, and makes "
                   "chips of its own";
        case KeyUse::list_signature: return "makes hot lists that terminals believe";
        case KeyUse::day_signature: return "makes statements that other cities believe";
        case KeyUse::batch_signature: return "signs batches in this terminal's name";
        case KeyUse::certificate_authority: return "makes certificates that every unit trusts";
        case KeyUse::tls_identity: return "speaks in this unit's name";
        default: return "does to this city's cards of its version what the key's name says";
    }
}

class Drill {
public:
    Drill(const KeyName& key, const DrillScene& scene) : scene_{scene} { out_.key = key; }
    Result<DrillReport> run();

private:
    void find_state();
    void find_derived();
    void find_places();
    void find_certificates();
    Result<void> count_chips();
    void plan_steps();

    void say(std::string step) { out_.steps.push_back(std::move(step)); }
    void rotate_steps();
    void authority_steps();
    void unit_steps();
    [[nodiscard]] bool national() const { return out_.key.label == "national"; }
    [[nodiscard]] bool ours() const { return out_.key.label == city_label(scene_.city); }

    const DrillScene& scene_;
    DrillReport out_;
};

void Drill::find_state() {
    const auto found = scene_.city_keys.find(out_.key);
    if (found != scene_.city_keys.end()) out_.state = found->second;
}

/// The nation's root makes a master of every city; a master makes a key of every card.
void Drill::find_derived() {
    const auto suite = suite_of(out_.key);
    if (!suite || is_transport(out_.key.use)) return;
    if (national()) {
        std::vector<CityCode> cities{scene_.city};
        if (scene_.nation_log) {
            for (const KnownCity& each : scene_.nation_log->cities) {
                if (each.city != scene_.city) cities.push_back(each.city);
            }
        }
        for (const CityCode city : cities) {
            out_.derived.push_back(text(city_key(city, out_.key.use, *suite, out_.key.version)));
        }
        out_.chip_keys.push_back({out_.key.use, *suite, out_.key.version, true});
    }
    out_.chip_keys.push_back({out_.key.use, *suite, out_.key.version, false});
}

void Drill::find_places() {
    for (const Place& place : scene_.city_log.places) {
        bool holds = place.may_hold(out_.key);
        const auto suite = suite_of(out_.key);
        if (national() && suite) {  // the city's master is lost with the root
            holds |= place.may_hold(city_key(scene_.city, out_.key.use, *suite, out_.key.version));
        }
        if (!holds) continue;
        std::string line = place.text();
        if (place.replaced) line += " (replaced: is its old store gone?)";
        if (place.revoked) line += " (revoked)";
        out_.places.push_back(std::move(line));
    }
    if (!national() || !scene_.nation_log) return;
    for (const Place& place : scene_.nation_log->places) {  // other cities' issuers
        if (scene_.city_log.find(place.store) != nullptr || !place.may_hold(out_.key)) continue;
        out_.places.push_back(place.text() + " of " + place.organisation);
    }
}

void Drill::find_certificates() {
    if (out_.key.use != KeyUse::certificate_authority) return;
    if (national() && scene_.nation_log) {
        for (const KnownCity& each : scene_.nation_log->cities) {
            out_.certificates.push_back("authority of " + city_label(each.city));
        }
    }
    for (const Place& place : scene_.city_log.places) {
        out_.certificates.push_back(place.certificate + " " + place.text() + ", until " +
                                    place.not_after + (place.revoked ? " (revoked)" : ""));
    }
}

Result<void> Drill::count_chips() {
    if (scene_.fleet == nullptr || out_.chip_keys.empty()) return {};
    ChipCount in_use;
    ChipCount ever;
    for (const ChipKey& key : out_.chip_keys) {
        ONECARD_TRY(now, scene_.fleet->carrying(key));
        ONECARD_TRY(all, scene_.fleet->ever_carried(key));
        // A SAM may carry the root and a key of its own: it is one SAM.
        in_use.cards += now.cards;
        ever.cards += all.cards;
        in_use.sams = std::max(in_use.sams, now.sams);
        ever.sams = std::max(ever.sams, all.sams);
    }
    out_.in_use = in_use;
    out_.ever = ever;
    return {};
}

void Drill::rotate_steps() {
    const bool with_tac = out_.key.use == KeyUse::transaction_certificate;
    const KeyUse use = with_tac ? KeyUse::purchase : out_.key.use;
    const std::string options = std::string{" --use "} + name(use) + " --suite " +
                                name(out_.key.algorithm) + " --custodian A --custodian B";
    const std::string nation = is_national(use) ? " --nation-dir NATION" : "";
    say("onecard-keys rotate prepare --city-dir CITY" + options + nation);
    say("onecard-keys deliver --city-dir CITY --to DIR" + nation + ", for each place above");
    if (is_national(use)) {
        say("issue new SAMs, and replace every SAM: the old ones lack the new version");
    }
    say("onecard-keys rotate activate --city-dir CITY --state STATE" + options + nation);
    say("onecard-keys deliver ... again to every issuer, so that new cards get the new version");
    if (is_transport(use)) {
        say("stop the chips that the maker made with the old version; agree on the new one");
        say("look for recorded personalisations: their chips' keys are open, replace those chips");
        return;
    }
    say("replace the cards and SAMs that carry it (--out FILE lists them), the busiest first");
    say("onecard-keys rotate retire --city-dir CITY --state STATE" + options + " --version " +
        std::to_string(out_.key.version.value()) + nation +
        ": from the next delivery on, hosts refuse whatever was made with it");
}

void Drill::authority_steps() {
    if (national()) {
        say("found the nation's TLS root anew, and every city's authority: nothing under the old "
            "root can be trusted, and a root revokes itself for nobody");
    } else {
        say("onecard-keys certificate revoke --nation-dir NATION --serial SERIAL --reason "
            "cACompromise, then certificate crl, and install-crl at every peer; certify a new one");
    }
    say("deploy or renew every unit listed above under the new authority");
}

void Drill::unit_steps() {
    say("onecard-keys certificate revoke --city-dir CITY --certificate FILE --reason "
        "keyCompromise: the unit's, and any renewal that it names");
    say("onecard-keys certificate crl --city-dir CITY --out LIST, then certificate install-crl "
        "--dir DIR --list LIST at every peer");
    say("onecard-keys deploy ... the unit again: new store, new keys, new certificate");
    if (out_.key.use == KeyUse::batch_signature) {
        say("hold its batches since the theft for a person to look at");
    }
}

void Drill::plan_steps() {
    say("take the places that lost it out of service, and keep their disks as evidence");
    if (rotation_set(out_.key.use) || out_.key.use == KeyUse::transaction_certificate) {
        rotate_steps();
    } else if (out_.key.use == KeyUse::certificate_authority) {
        authority_steps();
    } else if (is_signature(out_.key.use)) {
        say("tell every terminal and every peer city to believe nothing signed since the theft");
        say("found the city's signature key anew and give its public half to each of them: it "
            "cannot be rotated (docs/rotation.md, 4)");
    } else {
        unit_steps();
    }
}

Result<DrillReport> Drill::run() {
    find_state();
    find_places();
    const bool root =
        national() && (is_national(out_.key.use) || out_.key.use == KeyUse::certificate_authority);
    if (!out_.state && out_.places.empty() && !root) {
        return refuse(
            RefusalKind::key_unknown,
            text(out_.key) + ": neither a store that is open nor its log has heard of it");
    }
    out_.opens = opens(out_.key);
    find_derived();
    find_certificates();
    ONECARD_CHECK(count_chips());
    plan_steps();
    return std::move(out_);
}

}  // namespace

Result<DrillReport> drill(const KeyName& key, const DrillScene& scene) {
    return Drill{key, scene}.run();
}

Result<std::string> list_carriers(const DrillReport& report, FleetView& fleet, bool unmasked) {
    std::string out = "kind,number,state\n";
    std::set<std::pair<ChipKind, std::array<std::uint8_t, 10>>> seen;
    const auto add = [&](const Carrier& chip) {
        if (!seen.emplace(chip.kind, chip.number).second) return;
        const bool hide = chip.kind == ChipKind::card && !unmasked;
        out += std::string{chip.kind == ChipKind::card ? "card," : "sam,"} +
               (hide ? platform::mask(protocol::CardNumber{chip.number})
                     : platform::to_hex(chip.number)) +
               "," + chip.state + "\n";
    };
    for (const ChipKey& key : report.chip_keys) ONECARD_CHECK(fleet.each_ever(key, add));
    return out;
}

}  // namespace host::keys
