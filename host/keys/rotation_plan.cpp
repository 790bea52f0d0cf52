#include "host/keys/rotation_plan.hpp"

namespace host::keys {
namespace {

using crypto::keys::city_key;
using crypto::keys::national_key;

class Planner {
public:
    Planner(CityCode city, const HeldKeys& keys, const CityRegister& known, FleetView* fleet)
        : city_{city}, keys_{keys}, known_{known}, fleet_{fleet} {}

    Result<PlanRow> row(const Rotation& rotation, std::vector<KeyUse> uses);

private:
    Result<PlanVersion> version(const PlanRow& row, KeyVersion version, KeyState state);
    Result<ChipCount> carried(const PlanRow& row, KeyVersion version);
    Result<std::string> next(const PlanRow& row);
    Result<std::string> next_of_planned(const PlanRow& row, const PlanVersion& planned);

    CityCode city_;
    const HeldKeys& keys_;
    const CityRegister& known_;
    FleetView* fleet_;
};

std::string options_of(const Rotation& rotation) {
    return std::string{" --use "} + name(rotation.use) + " --suite " + name(rotation.algorithm);
}
std::string version_option(const PlanVersion& version) {
    return " --version " + std::to_string(version.version.value());
}
std::string listed(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& each : names) out += (out.empty() ? "" : ", ") + each;
    return out;
}

/// Chips in use that need the city's master: cards, and SAMs' own keys. The nation's root in a SAM
/// needs none.
Result<ChipCount> Planner::carried(const PlanRow& row, KeyVersion version) {
    ChipCount most;
    for (const KeyUse use : row.uses) {
        ONECARD_TRY(count,
                    carrying(*fleet_, city_key(city_, use, row.rotation.algorithm, version)));
        if (count.all() > most.all()) most = count;  // the same cards carry the whole set
    }
    return most;
}

Result<PlanVersion> Planner::version(const PlanRow& row, KeyVersion version, KeyState state) {
    PlanVersion out{version, state, {}, {}, {}};
    for (const Place& place : known_.places) {
        if (!place.in_service()) continue;
        bool holds = false;
        bool behind = false;
        for (const KeyUse use : row.uses) {
            const KeyName key = city_key(city_, use, row.rotation.algorithm, version);
            holds |= place.may_hold(key);
            behind |= is_behind(place, key, state);
        }
        // The nation's root: needed before the city's own master may be used.
        behind |=
            is_national(row.rotation.use) && state == KeyState::planned && place.makes_sams() &&
            !place.keys.contains(national_key(row.rotation.use, row.rotation.algorithm, version));
        if (holds) out.holders.push_back(place.text());
        if (behind) out.behind.push_back(place.text());
    }
    if (fleet_ == nullptr) return out;
    ONECARD_TRY(count, carried(row, version));
    out.carried = count;
    return out;
}

Result<std::string> Planner::next_of_planned(const PlanRow& row, const PlanVersion& planned) {
    if (!planned.behind.empty()) return "deliver --to DIR of: " + listed(planned.behind);
    if (is_national(row.rotation.use)) {
        if (fleet_ == nullptr) return std::string{"count the SAMs that lack it: --state FILE"};
        ONECARD_TRY(all, fleet_->in_use());
        const KeyName root =
            national_key(row.rotation.use, row.rotation.algorithm, planned.version);
        ONECARD_TRY(have, carrying(*fleet_, root));
        if (all.sams > have.sams) {
            return "replace " + std::to_string(all.sams - have.sams) + " of " +
                   std::to_string(all.sams) + " SAMs, which lack v" +
                   std::to_string(planned.version.value());
        }
    }
    return "rotate activate" + options_of(row.rotation);
}

/// The first thing that is open, in the order of the road.
Result<std::string> Planner::next(const PlanRow& row) {
    for (const PlanVersion& each : row.versions) {
        if (each.state == KeyState::planned) return next_of_planned(row, each);
    }
    for (const PlanVersion& each : row.versions) {
        if (each.behind.empty()) continue;
        return "deliver --to DIR of: " + listed(each.behind);
    }
    for (const PlanVersion& each : row.versions) {
        if (each.state == KeyState::retired) {
            return "rotate destroy" + options_of(row.rotation) + version_option(each);
        }
        if (each.state != KeyState::verify_only) continue;
        if (!each.carried) return std::string{"count the chips that carry it: --state FILE"};
        if (each.carried->all() > 0) {
            return "wait: " + std::to_string(each.carried->cards) + " cards and " +
                   std::to_string(each.carried->sams) + " SAMs carry v" +
                   std::to_string(each.version.value());
        }
        return "rotate retire" + options_of(row.rotation) + version_option(each);
    }
    return std::string{"-"};
}

Result<PlanRow> Planner::row(const Rotation& rotation, std::vector<KeyUse> uses) {
    PlanRow row{rotation, std::move(uses), {}, {}};
    const KeyName any = city_key(city_, rotation.use, rotation.algorithm);
    for (const auto& [key, state] : keys_) {
        if (key.label != any.label || key.use != any.use || key.algorithm != any.algorithm)
            continue;
        ONECARD_TRY(one, version(row, key.version, state));
        row.versions.push_back(std::move(one));
    }
    ONECARD_TRY(step, next(row));
    row.next = std::move(step);
    return row;
}

}  // namespace

Result<std::vector<PlanRow>> plan(CityCode city, const HeldKeys& keys, const CityRegister& known,
                                  FleetView* fleet) {
    Planner planner{city, keys, known, fleet};
    std::vector<PlanRow> rows;
    for (unsigned i = 1; i <= static_cast<unsigned>(crypto::keys::key_use_last); ++i) {
        const auto uses = rotation_set(static_cast<KeyUse>(i));
        if (!uses) continue;
        for (const KeyAlgorithm algorithm : algorithms_of(static_cast<KeyUse>(i))) {
            ONECARD_TRY(row, planner.row({static_cast<KeyUse>(i), algorithm}, *uses));
            if (!row.versions.empty()) rows.push_back(std::move(row));
        }
    }
    return rows;
}

}  // namespace host::keys
