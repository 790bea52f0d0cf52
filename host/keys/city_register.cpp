#include "host/keys/city_register.hpp"

#include "host/keys/founding.hpp"
#include "host/keys/log_line.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

std::optional<HeldKeys> keys_of(const json::object& detail) {
    const json::value* value = detail.if_contains("keys");
    if (value == nullptr || !value->is_object()) return std::nullopt;
    HeldKeys keys;
    for (const auto& [name, state] : value->get_object()) {
        const auto key = parse_key_name({name.data(), name.size()});
        const auto parsed =
            state.is_string()
                ? parse_key_state({state.get_string().data(), state.get_string().size()})
                : std::nullopt;
        if (!key || !parsed) return std::nullopt;
        keys.emplace(*key, *parsed);
    }
    return keys;
}

class Fold {
public:
    /// What is wrong with it, or nothing.
    const char* take(const json::object& line);
    CityRegister finish() { return std::move(out_); }

private:
    const char* deploy(const json::object& detail);
    const char* deliver(const json::object& detail, bool confirmed);
    const char* found_city(const json::object& detail);
    const char* certify(const json::object& detail);
    void revoke(const json::object& detail);
    void custodians(const json::object& line);
    CityRegister out_;
};

const char* Fold::deploy(const json::object& detail) {
    const auto role = text_of(detail, "role");
    const auto parsed = role ? platform::parse_peer_role(*role) : std::nullopt;
    auto organisation = text_of(detail, "organisation");
    auto unit = text_of(detail, "unit");
    auto store = text_of(detail, "store");
    auto certificate = text_of(detail, "certificate");
    auto not_after = text_of(detail, "not_after");
    auto keys = keys_of(detail);
    if (!parsed || !organisation || !unit) return "whom it deployed";
    if (!store || !certificate || !not_after) return "its store or certificate";
    if (!keys) return "its keys";
    for (Place& place : out_.places) {
        if (place.role == *parsed && place.organisation == *organisation && place.unit == *unit) {
            place.replaced = true;
        }
    }
    out_.places.push_back({*parsed,
                           *std::move(organisation),
                           *std::move(unit),
                           *std::move(store),
                           *std::move(certificate),
                           *std::move(not_after),
                           *std::move(keys),
                           {},
                           false,
                           false,
                           text_of(detail, "audit_key").value_or("")});
    return nullptr;
}

const char* Fold::deliver(const json::object& detail, bool confirmed) {
    const auto store = text_of(detail, "store");
    auto keys = keys_of(detail);
    if (!store || !keys) return "its store or keys";
    const auto place = std::ranges::find(out_.places, *store, &Place::store);
    if (place == out_.places.end()) return "a store that was deployed";
    if (confirmed) {
        place->keys = *std::move(keys);
        place->announced.clear();
    } else {
        place->announced = *std::move(keys);
    }
    return nullptr;
}

const char* Fold::found_city(const json::object& detail) {
    const auto city = text_of(detail, "city");
    const auto issuer = text_of(detail, "issuer");
    const auto founded = city ? parse_city_code(*city) : std::nullopt;
    const auto id = issuer ? platform::from_hex<8>(*issuer) : std::nullopt;
    if (!founded || !id) return "which city it founded";
    // A founding that was interrupted is in the log twice: the store of the last one is in use.
    const auto known = std::ranges::find(out_.cities, *founded, &KnownCity::city);
    KnownCity& entry = known == out_.cities.end() ? out_.cities.emplace_back() : *known;
    entry = {*founded, IssuerId{*id}, text_of(detail, "audit_key").value_or(""),
             text_of(detail, "root").value_or("")};
    return nullptr;
}

/// A unit that got another certificate goes on with that one.
const char* Fold::certify(const json::object& detail) {
    const auto role = text_of(detail, "role");
    const auto organisation = text_of(detail, "organisation");
    const auto unit = text_of(detail, "unit");
    const auto certificate = text_of(detail, "certificate");
    const auto not_after = text_of(detail, "not_after");
    const auto parsed = role ? platform::parse_peer_role(*role) : std::nullopt;
    if (!parsed || !organisation || !unit) return "whom it certified";
    if (!certificate || !not_after) return "its certificate";
    for (Place& place : out_.places) {
        const bool same =
            place.role == *parsed && place.organisation == *organisation && place.unit == *unit;
        if (!same || place.replaced) continue;
        place.certificate = *certificate;
        place.not_after = *not_after;
    }
    return nullptr;
}

void Fold::revoke(const json::object& detail) {
    const auto certificate = text_of(detail, "certificate");
    if (!certificate) return;
    for (Place& place : out_.places) {
        if (place.certificate == *certificate) place.revoked = true;
    }
}

/// Whatever command it was: the change itself says so.
void Fold::custodians(const json::object& line) {
    const json::value* changes = line.if_contains("changes");
    if (changes == nullptr || !changes->is_array()) return;
    for (const json::value& change : changes->get_array()) {
        if (!change.is_object()) continue;
        const json::object& object = change.get_object();
        const json::value* names = object.if_contains("names");
        const json::value* quorum = object.if_contains("quorum");
        if (text_of(object, "change") != "custodians" || names == nullptr || !names->is_array() ||
            quorum == nullptr || !quorum->is_int64()) {
            continue;
        }
        CustodianChange found{
            text_of(line, "at").value_or(""), {}, static_cast<unsigned>(quorum->get_int64())};
        for (const json::value& name : names->get_array()) {
            if (name.is_string()) found.names.emplace_back(name.get_string());
        }
        out_.custodians.push_back(std::move(found));
    }
}

const char* Fold::take(const json::object& line) {
    const auto command = text_of(line, "command");
    const json::value* detail = line.if_contains("detail");
    if (!command || detail == nullptr || !detail->is_object()) return "a command with its detail";
    custodians(line);
    const json::object& object = detail->get_object();
    if (*command == "deploy" || *command == "give-roots") {
        // A deployed store's own log has the command too, of itself: without a detail.
        return object.empty() ? nullptr : deploy(object);
    }
    // In a place's own log, `deliver` says which city it was.
    if (*command == "deliver") {
        return object.contains("city") ? nullptr : deliver(object, false);
    }
    if (*command == "delivered") return deliver(object, true);
    if (*command == "found-city") return found_city(object);
    if (*command == "certificate-issue" || *command == "certificate-renew") return certify(object);
    if (*command == "certificate-revoked") revoke(object);
    return nullptr;
}

}  // namespace

bool Place::may_hold(const KeyName& key) const {
    const auto holds = [&](const HeldKeys& held) {
        const auto found = held.find(key);
        return found != held.end() && found->second != KeyState::destroyed;
    };
    return holds(keys) || holds(announced);
}
bool Place::makes_sams() const {
    return std::ranges::any_of(keys, [](const auto& key) { return key.first.label == "national"; });
}
std::string Place::text() const {
    return std::string{platform::name(role)} + " " + unit;
}

const Place* CityRegister::find(std::string_view store) const {
    const auto place = std::ranges::find(places, store, &Place::store);
    return place == places.end() ? nullptr : &*place;
}

Result<CityRegister> fold_log(std::span<const crypto::keys::LogEntry> log) {
    return fold_lines(log, Fold{});
}

}  // namespace host::keys
