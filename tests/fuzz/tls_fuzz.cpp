// A host's TLS door: any bytes in any pieces give progress or a named refusal, never a handshake.
#include <cstdlib>

#include "platform/tls_engine.hpp"
#include "tests/platform/test_pki.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const platform_test::City city;
    platform::TlsEngine server{city.host};
    protocol::Bytes rest{data, size};
    while (!rest.empty()) {
        const std::size_t piece = std::min<std::size_t>(rest.size(), 1 + rest[0]);
        server.input(rest.first(piece));
        rest = rest.subspan(piece);
        const auto progress = server.handshake();
        if (progress == platform::TlsEngine::Progress::done) std::abort();
        if (progress == platform::TlsEngine::Progress::failed) {
            if (server.refusal() == platform::TlsRefusal::none) std::abort();
            return 0;
        }
        server.output_sent();
    }
    return 0;
}
