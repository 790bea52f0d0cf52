#pragma once
// Both ends of a TLS connection in one thread, without sockets.
#include <vector>

#include <doctest/doctest.h>

#include "platform/tls_engine.hpp"
#include "tests/platform/test_pki.hpp"

namespace platform_test {

using platform::TlsContext;
using platform::TlsEngine;
using platform::TlsRefusal;
using Progress = TlsEngine::Progress;

struct Ends {
    Progress server = Progress::need_input;
    Progress client = Progress::need_input;
};

inline void carry(TlsEngine& from, TlsEngine& to) {
    const auto output = from.output();
    const std::vector<std::uint8_t> bytes{output.begin(), output.end()};
    from.output_sent();
    if (!bytes.empty()) to.input(bytes);
}

/// Both ends until both have finished, or `rounds` have passed.
inline Ends shake_hands(TlsEngine& server, TlsEngine& client, int rounds = 20) {
    Ends ends;
    for (int i = 0; i < rounds; ++i) {
        if (ends.client == Progress::need_input) ends.client = client.handshake();
        carry(client, server);
        if (ends.server == Progress::need_input) ends.server = server.handshake();
        carry(server, client);
    }
    return ends;
}

struct Refusals {
    TlsRefusal server;
    TlsRefusal client;
};
inline Refusals refusals(const TlsContext& server_context, const TlsContext& client_context) {
    TlsEngine server{server_context};
    TlsEngine client{client_context};
    const Ends ends = shake_hands(server, client);
    CHECK(ends.server != Progress::need_input);
    CHECK(ends.client != Progress::need_input);
    return {server.refusal(), client.refusal()};
}

}  // namespace platform_test
