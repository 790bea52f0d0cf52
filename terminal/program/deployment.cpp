#include "terminal/program/deployment.hpp"

#include <boost/json.hpp>

#include "crypto/keys/sealed_file.hpp"
#include "crypto/keys/tls_key.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"
#include "platform/revocation_log.hpp"

namespace terminal {

namespace json = boost::json;

namespace {

constexpr std::size_t text_size_max = 64 * 1024;

std::expected<std::string, std::string> text_of(const json::object& object, const char* key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_string()) {
        return std::unexpected{std::string{key} + " missing"};
    }
    return std::string{value->get_string().data(), value->get_string().size()};
}

std::expected<std::string, std::string> read_text(const std::filesystem::path& path) {
    auto text = platform::read_text_file(path, text_size_max);
    if (!text) {
        return std::unexpected{std::string{name(text.error().error)} + ": " + text.error().detail};
    }
    return std::move(*text);
}

std::expected<std::unique_ptr<platform::TlsContext>, std::string> make_tls(
    const std::filesystem::path& directory, const crypto::keys::KeyStore& keys,
    platform::StaleLists stale_lists, crypto::Random& random) {
    platform::TlsMaterial material;
    ONECARD_TRY(certificate, read_text(directory / "certificate.pem"));
    ONECARD_TRY(roots, read_text(directory / "national-root.pem"));
    auto key = crypto::keys::reveal_tls_key(keys, certificate);
    if (!key) {
        return std::unexpected{directory.string() + ": " + name(key.error()) + ": " +
                               advice(key.error())};
    }
    material.certificate_pem = certificate;
    material.trusted_pem = roots;
    material.private_key = *std::move(key);
    material.revoked_file = directory / platform::revoked_file_name;
    material.stale_lists = stale_lists;
    material.on_reload = platform::log_revocation;
    auto tls = platform::TlsContext::make(platform::TlsContext::Side::client, material, random);
    if (!tls) {
        return std::unexpected{directory.string() + ": " + name(tls.error()) + ": " +
                               advice(tls.error())};
    }
    return std::make_unique<platform::TlsContext>(std::move(*tls));
}

}  // namespace

std::expected<Deployment, std::string> parse_deployment(std::string_view text) {
    json::error_code error;
    const json::value value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::unexpected<std::string>{"not a JSON object"};
    const json::object& object = value.get_object();
    Deployment out;
    ONECARD_TRY(mark, text_of(object, "mark"));
    if (mark != "live" && mark != "rehearsal") {
        return std::unexpected<std::string>{"mark is neither live nor rehearsal"};
    }
    out.mark = mark == "live" ? protocol::Mark::live : protocol::Mark::rehearsal;
    ONECARD_TRY(role, text_of(object, "role"));
    ONECARD_TRY(organisation, text_of(object, "organisation"));
    ONECARD_TRY(unit, text_of(object, "unit"));
    ONECARD_TRY(city_text, text_of(object, "city"));
    const auto city = platform::from_hex<2>(city_text);
    if (!city) return std::unexpected<std::string>{"city is not four digits"};
    out.role = role;
    out.organisation = organisation;
    out.unit = unit;
    out.city = protocol::CityCode{static_cast<std::uint16_t>((*city)[0] << 8 | (*city)[1])};
    if (object.contains("list_key")) {
        ONECARD_TRY(list_key, text_of(object, "list_key"));
        const auto bytes = platform::from_hex(list_key);
        const auto key =
            crypto::sm2::PublicKey::parse(bytes ? crypto::Bytes{*bytes} : crypto::Bytes{});
        if (!key) return std::unexpected{std::string{"list_key: "} + name(key.error())};
        out.list_key = *key;
    }
    return out;
}

std::expected<OpenDeployment, std::string> open_deployment(const std::filesystem::path& directory,
                                                           const platform::PassphraseSource& source,
                                                           bool rehearsal, crypto::Random& random,
                                                           platform::StaleLists stale_lists) {
    const auto file = directory / "deployment.json";
    ONECARD_TRY(text, read_text(file));
    auto who = parse_deployment(text);
    if (!who) return std::unexpected{file.string() + ": " + who.error()};
    const auto passphrase = platform::read_passphrase(source);
    if (!passphrase) return std::unexpected{std::string{advice(passphrase.error())}};
    const auto store = directory / "keys.store";
    auto keys = crypto::keys::open_sealed_file(store, passphrase->bytes(), random);
    if (!keys) {
        return std::unexpected{store.string() + ": " + name(keys.error()) + ": " +
                               advice(keys.error())};
    }
    if ((*keys)->rehearsal() != (who->mark == protocol::Mark::rehearsal)) {
        return std::unexpected{store.string() + ": mark_mismatch: store and deployment.json " +
                               "disagree about rehearsal"};
    }
    if ((*keys)->rehearsal() != rehearsal) {
        return std::unexpected{directory.string() +
                               (rehearsal ? ": mark_mismatch: live keys; leave --rehearsal out"
                                          : ": mark_mismatch: throw-away keys of a rehearsal; "
                                            "add --rehearsal to use them")};
    }
    ONECARD_TRY(tls, make_tls(directory, **keys, stale_lists, random));
    return OpenDeployment{*who, std::move(*keys), std::move(tls)};
}

std::expected<crypto::sm2::PrivateKey, std::string> batch_key(const OpenDeployment& deployment,
                                                              const protocol::DeviceId& device,
                                                              crypto::Random& random) {
    const auto id = deployment.keys->find(crypto::keys::batch_signature(device));
    if (!id) return std::unexpected{std::string{"batch key: "} + advice(id.error())};
    crypto::SecretBytes<crypto::sm2::scalar_size> d;
    if (const auto done = deployment.keys->reveal(*id, d.bytes()); !done) {
        return std::unexpected{std::string{"batch key: "} + advice(done.error())};
    }
    auto key = crypto::sm2::PrivateKey::load(d.bytes(), random);
    if (!key) return std::unexpected{std::string{"batch key: "} + name(key.error())};
    return std::move(*key);
}

}  // namespace terminal
