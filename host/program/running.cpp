#include "host/program/running.hpp"

#include <fmt/format.h>

#include "crypto/keys/sealed_file.hpp"
#include "crypto/keys/tls_key.hpp"
#include "host/keys/stores.hpp"
#include "host/service/key_store_keys.hpp"
#include "host/store/sqlite_store.hpp"
#include "platform/files.hpp"
#include "platform/http_client.hpp"
#include "platform/revocation_log.hpp"

namespace host::program {
namespace {

template <class T>
using Text = std::expected<T, std::string>;

constexpr std::size_t pem_size_max = 64 * 1024;

std::string hex(protocol::CityCode city) {
    return fmt::format("{:04X}", city.value());
}

Text<std::unique_ptr<crypto::keys::KeyStore>> open_keys(const CommonOptions& options,
                                                        const HostConfig& config,
                                                        crypto::Random& random) {
    const auto path = config.deployment / keys::store_file;
    const auto words = platform::read_passphrase(options.passphrase);
    if (!words) return std::unexpected{std::string{platform::advice(words.error())}};
    auto out = crypto::keys::open_sealed_file(path, words->bytes(), random);
    if (!out) {
        return std::unexpected{fmt::format("{}: {}: {}", path.string(),
                                           crypto::keys::name(out.error()),
                                           crypto::keys::advice(out.error()))};
    }
    if ((*out)->rehearsal() != options.rehearsal) {
        return std::unexpected{fmt::format(
            "{}: mark_mismatch: {}", path.string(),
            options.rehearsal ? "live keys, but --rehearsal was given"
                              : "rehearsal keys: give --rehearsal, or deploy live ones")};
    }
    return std::move(*out);
}

Text<std::unique_ptr<platform::TlsContext>> open_tls(const Identity& identity,
                                                     platform::TlsContext::Side side) {
    const auto read = [&](const char* file) {
        return platform::read_text_file(identity.config.deployment / file, pem_size_max);
    };
    platform::TlsMaterial material;
    const auto certificate = read(keys::certificate_file);
    if (!certificate) return std::unexpected{certificate.error().detail};
    const auto root = read(keys::root_file);
    if (!root) return std::unexpected{root.error().detail};
    material.certificate_pem = *certificate;
    material.trusted_pem = *root;
    material.revoked_file = identity.config.deployment / platform::revoked_file_name;
    material.stale_lists = identity.config.stale_lists;
    material.on_reload = platform::log_revocation;
    auto key = crypto::keys::reveal_tls_key(*identity.key_store, *certificate);
    if (!key) {
        return std::unexpected{fmt::format("{}: {}: {}", identity.config.deployment.string(),
                                           crypto::keys::name(key.error()),
                                           crypto::keys::advice(key.error()))};
    }
    material.private_key = std::move(*key);
    auto out = platform::TlsContext::make(side, material, *identity.random);
    if (!out) {
        return std::unexpected{fmt::format("{}: {}: {}", identity.config.deployment.string(),
                                           platform::name(out.error()),
                                           platform::advice(out.error()))};
    }
    return std::make_unique<platform::TlsContext>(std::move(*out));
}

std::unique_ptr<platform::HttpClient> channel(const Identity& identity, const std::string& address,
                                              std::uint16_t port, protocol::CityCode city) {
    platform::HttpClientOptions options;
    options.host = address;
    options.port = port;
    options.peer_role = platform::PeerRole::city_host;
    options.peer_organisation = hex(city);
    return std::make_unique<platform::HttpClient>(std::move(options), *identity.client);
}

}  // namespace

Text<Identity> open_identity(const CommonOptions& options) {
    Identity out;
    ONECARD_TRY(config, load_config(options.config, options.rehearsal));
    out.config = std::move(config);
    auto random = crypto::SystemRandom::open();
    if (!random) return std::unexpected{std::string{crypto::name(random.error())}};
    out.random = std::make_unique<crypto::SystemRandom>(std::move(*random));
    ONECARD_TRY(key_store, open_keys(options, out.config, *out.random));
    out.key_store = std::move(key_store);
    const City& city = out.config.city;
    auto keys = keys_from(*out.key_store, city.code, city.issuer, *out.random);
    if (!keys) {
        return std::unexpected{
            fmt::format("{}: {}: deploy the host again (onecard-keys deploy host)",
                        (out.config.deployment / keys::store_file).string(), name(keys.error()))};
    }
    out.keys = std::move(*keys);
    ONECARD_TRY(server, open_tls(out, platform::TlsContext::Side::server));
    out.server = std::move(server);
    ONECARD_TRY(client, open_tls(out, platform::TlsContext::Side::client));
    out.client = std::move(client);
    return out;
}

Text<Open> open_host(const Identity& identity, const platform::Clock& clock) {
    Open out;
    auto store = store::open_sqlite_store(identity.config.store);
    if (!store) {
        const bool busy = store.error().name == "busy";
        return std::unexpected{fmt::format(
            "{}: {}: {}{}", identity.config.store.string(), store.error().name, store.error().text,
            busy ? ": another onecard-host has it open; one process per store" : "")};
    }
    out.store = std::move(*store);
    auto made = Host::open(identity.config.city, *out.store, *identity.keys, clock);
    if (!made) {
        return std::unexpected{fmt::format("{}: {}: {}", identity.config.store.string(),
                                           name(made.error().why), made.error().detail)};
    }
    out.host = std::move(*made);
    return out;
}

std::unique_ptr<platform::HttpClient> channel_to(const Identity& identity,
                                                 const PeerAddress& peer) {
    return channel(identity, peer.address, peer.port, peer.city);
}
std::unique_ptr<platform::HttpClient> channel_to_self(const Identity& identity) {
    return channel(identity, identity.config.listen_address, identity.config.listen_port,
                   identity.config.city.code);
}

}  // namespace host::program
