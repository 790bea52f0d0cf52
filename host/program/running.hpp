#pragma once
// The host with everything a process gives it: keys, store, TLS, clock. docs/host.md, 2.
#include <memory>

#include "crypto/keys/key_store.hpp"
#include "crypto/random/system_random.hpp"
#include "host/program/config.hpp"
#include "host/service/host.hpp"
#include "platform/http_client.hpp"
#include "platform/passphrase.hpp"
#include "platform/tls.hpp"

namespace host::program {

constexpr const char* program_name = "onecard-host";

struct CommonOptions {
    std::filesystem::path config;
    bool rehearsal = false;
    bool json = false;
    platform::PassphraseSource passphrase{.descriptor = {},
                                          .file = {},
                                          .prompt = "Passphrase of the host's store: ",
                                          .confirm = false};
};

/// The identity: configuration, open keys, TLS on both sides. Not the store.
struct Identity {
    HostConfig config;
    std::unique_ptr<crypto::SystemRandom> random;
    std::unique_ptr<crypto::keys::KeyStore> key_store;
    std::unique_ptr<Keys> keys;
    std::unique_ptr<platform::TlsContext> server;
    std::unique_ptr<platform::TlsContext> client;
};
/// The error says what, where, what to do.
[[nodiscard]] std::expected<Identity, std::string> open_identity(const CommonOptions& options);

/// The store and the host on it. The store is this process's alone.
struct Open {
    std::unique_ptr<store::Store> store;
    std::unique_ptr<Host> host;
};
[[nodiscard]] std::expected<Open, std::string> open_host(const Identity& identity,
                                                         const platform::Clock& clock);

/// A channel to the peer's host, or to our own.
[[nodiscard]] std::unique_ptr<platform::HttpClient> channel_to(const Identity& identity,
                                                               const PeerAddress& peer);
[[nodiscard]] std::unique_ptr<platform::HttpClient> channel_to_self(const Identity& identity);

/// Serves until asked to stop. An exit status.
[[nodiscard]] int serve(const CommonOptions& options);

}  // namespace host::program
