#include "host/keys/deployment.hpp"

#include <boost/json.hpp>

#include "host/keys/roles.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::city_signature;
using platform::PeerRole;

/// Every version of the window, in the state that it has in such a place.
Result<void> copy_masters(const City& city, KeyStore& store, PeerRole role) {
    for (const auto& [key, state] : held_keys(*city.store)) {
        if (!suite_of(key) || !in_window(state) || !holds_master(role, key.use)) continue;
        ONECARD_CHECK(copy_key(*city.store, store, key, state_at(role, key.use, state)));
    }
    return {};
}

Result<void> copy_host_keys(const City& city, KeyStore& store) {
    ONECARD_CHECK(copy_masters(city, store, PeerRole::city_host));
    for (const KeyUse use : signature_uses(PeerRole::city_host)) {
        ONECARD_CHECK(copy_key(*city.store, store, city_signature(city.identity.city, use)));
    }
    return {};
}

Result<void> fill_issuer(const DeploymentOrder& order, const City& city, KeyStore& store,
                         crypto::Random& random) {
    ONECARD_CHECK(
        generate_key(store, crypto::keys::issuing_state_key(), crypto::purse::key_size, random));
    ONECARD_CHECK(copy_masters(city, store, PeerRole::issuer));
    if (order.nation == nullptr) return {};
    for (const auto& [key, state] : held_keys(*order.nation->store)) {
        if (!suite_of(key) || !in_window(state)) continue;
        ONECARD_CHECK(copy_key(*order.nation->store, store, key, state));
    }
    return {};
}

/// The keys of this role; a terminal's batch key is made here and never leaves.
Result<void> fill_store(const DeploymentOrder& order, const City& city, KeyStore& store,
                        Deployment& deployment, crypto::Random& random) {
    switch (order.role) {
        case PeerRole::city_host: return copy_host_keys(city, store);
        case PeerRole::issuer: return fill_issuer(order, city, store, random);
        case PeerRole::terminal: {
            ONECARD_TRY(key,
                        generate_sm2(store, crypto::keys::batch_signature(order.device), random));
            deployment.batch_key.emplace();
            std::ranges::copy(key.bytes(), deployment.batch_key->begin());
            return {};
        }
        case PeerRole::desk:
        case PeerRole::operator_admin: return {};
    }
    return {};
}

Deployment describe(const DeploymentOrder& order, const City& city) {
    const bool operators =
        order.role == PeerRole::terminal || order.role == PeerRole::operator_admin;
    Deployment out;
    out.mark = city.identity.mark;
    out.role = order.role;
    out.organisation =
        operators ? platform::to_hex(order.operator_id.value()) : city_digits(city.identity.city);
    out.unit =
        order.role == PeerRole::terminal ? platform::to_hex(order.device.value()) : order.unit;
    out.city = city.identity.city;
    out.issuer = city.identity.issuer;
    out.list_key = city.identity.list_key;
    out.day_key = city.identity.day_key;
    return out;
}

struct Certified {
    std::string chain_pem;
    crypto::keys::X509Serial serial{};
    crypto::keys::P256PublicKey key{};
    Validity validity;
};

Result<Certified> certify(const Deployment& deployment, const City& city,
                          const crypto::keys::P256PrivateKey& key, unsigned years,
                          crypto::Random& random, const platform::Clock& clock) {
    ONECARD_TRY(authority,
                authority_in(*city.store, crypto::keys::city_authority(city.identity.city)));
    const auto own_key = crypto::keys::public_key_of(key, random);
    if (!own_key) return refuse(RefusalKind::certificate_refused, "the unit's key: out of range");
    const Validity validity = validity_of(clock, years);
    const auto serial = crypto::keys::generate_serial(random);
    auto pem = crypto::keys::write_certificate(
        {crypto::keys::X509Kind::unit,
         {platform::name(deployment.role), deployment.organisation, deployment.unit},
         authority_subject(city.identity.city, city.identity.mark),
         serial,
         validity.not_before,
         validity.not_after},
        *own_key, authority);
    if (!pem) {
        return refuse(RefusalKind::certificate_refused,
                      deployment.unit + ": " + crypto::keys::name(pem.error()));
    }
    return Certified{*pem + city.authority_pem, serial, *own_key, validity};
}

/// What the city's log keeps of a deployment, and with `roots_only` the nation's: docs/audit.md.
std::string deployment_detail(const Deployment& deployment, const KeyStore& store,
                              const Certified& certified, bool roots_only) {
    json::object keys;
    for (const auto& [key, state] : held_keys(store)) {
        if (!roots_only || key.label == "national") keys[text(key)] = name(state);
    }
    return json::serialize(json::object{{"role", platform::name(deployment.role)},
                                        {"organisation", deployment.organisation},
                                        {"unit", deployment.unit},
                                        {"store", platform::to_hex(store.identity().id)},
                                        {"audit_key", platform::to_hex(store.identity().audit_key)},
                                        {"certificate", platform::to_hex(certified.serial)},
                                        {"fingerprint", fingerprint_text(certified.key)},
                                        {"not_before", utc_text(certified.validity.not_before)},
                                        {"not_after", utc_text(certified.validity.not_after)},
                                        {"keys", std::move(keys)}});
}

/// Both logs know before the first key leaves: whatever comes next, nobody holds a key unseen.
Result<void> announce(const DeploymentOrder& order, City& city, const Deployment& deployment,
                      const KeyStore& store, const Certified& certified,
                      const platform::Clock& clock) {
    const auto log = [&](KeyStore& whose, const char* name, bool roots_only) -> Result<void> {
        auto detail = deployment_detail(deployment, store, certified, roots_only);
        return record(whose, command(clock, name, std::move(detail)));
    };
    if (order.nation != nullptr) ONECARD_CHECK(log(*order.nation->store, "give-roots", true));
    return log(*city.store, "deploy", false);
}

std::optional<std::array<std::uint8_t, 64>> key_member(const json::object& object,
                                                       std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return platform::from_hex<64>({value->get_string().data(), value->get_string().size()});
}

std::string text_member(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) return {};
    return {value->get_string().data(), value->get_string().size()};
}

}  // namespace

std::string to_json(const Deployment& deployment) {
    json::object object{{"mark", word(deployment.mark)},
                        {"role", platform::name(deployment.role)},
                        {"organisation", deployment.organisation},
                        {"unit", deployment.unit},
                        {"city", city_digits(deployment.city)},
                        {"issuer", platform::to_hex(deployment.issuer.value())},
                        {"list_key", platform::to_hex(deployment.list_key)},
                        {"day_key", platform::to_hex(deployment.day_key)}};
    if (deployment.batch_key) object["batch_key"] = platform::to_hex(*deployment.batch_key);
    return json::serialize(object) + "\n";
}

Result<Deployment> parse_deployment(std::string_view text, const std::string& file) {
    ONECARD_TRY(city, parse_city(text, file));  // the same members, and more
    const json::value parsed = json::parse(text);
    const json::object& object = parsed.get_object();
    const auto role = platform::parse_peer_role(text_member(object, "role"));
    if (!role) return refuse(RefusalKind::input_wrong, file + ": \"role\" is none of ours");
    Deployment out{city.mark,
                   *role,
                   text_member(object, "organisation"),
                   text_member(object, "unit"),
                   city.city,
                   city.issuer,
                   city.list_key,
                   city.day_key,
                   key_member(object, "batch_key")};
    if (out.organisation.empty() || out.unit.empty()) {
        return refuse(RefusalKind::input_wrong, file + ": \"organisation\" or \"unit\" is missing");
    }
    if (*role == PeerRole::terminal && !out.batch_key) {
        return refuse(RefusalKind::input_wrong, file + ": \"batch_key\" is not 128 hex digits");
    }
    return out;
}

Result<Deployment> deploy(const DeploymentOrder& order, City& city, crypto::Random& random,
                          const platform::Clock& clock) {
    Deployment deployment = describe(order, city);
    if (deployment.unit.empty()) {
        return refuse(RefusalKind::input_wrong, "a name for the unit is missing: --unit");
    }
    if (!crypto::keys::is_plain(
            {platform::name(deployment.role), deployment.organisation, deployment.unit})) {
        return refuse(RefusalKind::input_wrong,
                      "--unit: 1 to 64 letters, digits, \"-\", \".\", \"_\"");
    }
    if (order.nation != nullptr) ONECARD_CHECK(check_nation_of(city, *order.nation));
    if (order.token && order.role != PeerRole::issuer) {
        return refuse(RefusalKind::input_wrong,
                      "only an issuer's store may have a token: the other programs open sealed "
                      "files");
    }
    ONECARD_TRY(directory, NewDirectory::begin(order.directory));
    Custodians custodians = service(order.passphrase);
    custodians.token = order.token;
    ONECARD_TRY(store, create_store(directory / store_file, custodians, deployment.mark,
                                    command(clock, "create-store"), random));
    ONECARD_TRY(filling, StoreChange::begin(*store, command(clock, "deploy")));
    ONECARD_CHECK(fill_store(order, city, *store, deployment, random));
    ONECARD_TRY(key, generate_tls(*store, crypto::keys::tls_identity(), random));
    ONECARD_TRY(certified, certify(deployment, city, key, order.years, random, clock));
    ONECARD_CHECK(announce(order, city, deployment, *store, certified, clock));
    ONECARD_CHECK(filling.commit());
    ONECARD_CHECK(directory.write(certificate_file, certified.chain_pem));
    ONECARD_CHECK(directory.write(root_file, city.root_pem));
    ONECARD_CHECK(directory.write(deployment_file, to_json(deployment)));
    ONECARD_CHECK(directory.publish());
    return deployment;
}

}  // namespace host::keys
