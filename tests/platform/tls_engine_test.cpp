// The TLS connection as a function of bytes: docs/platform.md, "TLS".
#include "platform/tls_engine.hpp"

#include <optional>
#include <vector>

#include <doctest/doctest.h>

#include "tests/platform/handshake.hpp"

using platform::TlsContext;
using platform::TlsEngine;
using platform::TlsRefusal;
using platform::TlsSetupError;
using platform_test::carry;
using platform_test::City;
using platform_test::Ends;
using platform_test::host_subject;
using platform_test::make_authority;
using platform_test::make_context;
using platform_test::make_root;
using platform_test::make_unit;
using platform_test::refusals;
using platform_test::shake_hands;
using platform_test::sign;
using platform_test::Signer;
using platform_test::terminal_subject;
using platform_test::test_random;
using Progress = TlsEngine::Progress;

namespace {

TlsContext client_with(const platform::TlsMaterial& material) {
    return make_context(TlsContext::Side::client, material);
}

}  // namespace

TEST_CASE("TLS: a terminal and its host know each other after the handshake") {
    const City city;
    TlsEngine server{city.host};
    TlsEngine client{city.terminal};
    const Ends ends = shake_hands(server, client);
    REQUIRE(ends.server == Progress::done);
    REQUIRE(ends.client == Progress::done);
    CHECK(server.peer() == platform::PeerIdentity{platform::PeerRole::terminal, "0000000000310001",
                                                  "0000000031000101", "3100"});
    CHECK(client.peer().role == platform::PeerRole::city_host);
    CHECK(client.peer().organisation == "3100");
}

TEST_CASE("TLS: plain bytes arrive as sent, and a close is told from a cut") {
    const City city;
    TlsEngine server{city.host};
    TlsEngine client{city.terminal};
    REQUIRE(shake_hands(server, client).server == Progress::done);
    const std::vector<std::uint8_t> sent(40'000, 0x5A);  // three records
    std::vector<std::uint8_t> received;
    std::size_t offset = 0;
    while (offset < sent.size()) {
        std::size_t count = 0;
        REQUIRE(client.write(protocol::Bytes{sent}.subspan(offset), count) == Progress::done);
        REQUIRE(count > 0);
        offset += count;
        carry(client, server);
        std::array<std::uint8_t, 5000> part{};
        while (server.read(part, count) == Progress::done) {
            received.insert(received.end(), part.begin(),
                            part.begin() + static_cast<std::ptrdiff_t>(count));
        }
    }
    CHECK(received == sent);

    SUBCASE("close_notify is the end") {
        client.close_notify();
        carry(client, server);
        std::array<std::uint8_t, 1> part{};
        std::size_t count = 0;
        CHECK(server.read(part, count) == Progress::ended);
    }
    SUBCASE("an end without close_notify is a failure (RFC 5246, 7.2.1)") {
        server.input_ended();
        std::array<std::uint8_t, 1> part{};
        std::size_t count = 0;
        CHECK(server.read(part, count) == Progress::failed);
    }
    SUBCASE("a changed record is a failure (RFC 5246, 6.2.3.3)") {
        std::size_t count = 0;
        REQUIRE(client.write(protocol::Bytes{sent}.first(10), count) == Progress::done);
        std::vector<std::uint8_t> record{client.output().begin(), client.output().end()};
        record.back() ^= 0x01;
        server.input(record);
        std::array<std::uint8_t, 16> part{};
        CHECK(server.read(part, count) == Progress::failed);
    }
}

TEST_CASE("TLS: a terminal of a foreign nation is refused, and hears it") {
    const City city;
    const Signer foreign_root = make_root();
    const Signer foreign_authority = make_authority(foreign_root, "3100");
    auto material = make_unit(foreign_root, foreign_authority, terminal_subject);
    material.trusted_pem = city.root.certificate;  // it trusts us, we do not trust it
    const auto found = refusals(city.host, client_with(material));
    CHECK(found.server == TlsRefusal::certificate_untrusted);
    CHECK(found.client == TlsRefusal::rejected_by_peer);
}

TEST_CASE("TLS: a host of a foreign nation is refused by the terminal") {
    const City city;
    const City foreign;
    const auto found = refusals(foreign.host, city.terminal);
    CHECK(found.client == TlsRefusal::certificate_untrusted);
    CHECK(found.server == TlsRefusal::rejected_by_peer);
}

TEST_CASE("TLS: dates count (RFC 5280, 6.1.3)") {
    const City city;
    SUBCASE("an expired certificate") {
        const auto material = make_unit(city.root, city.authority, terminal_subject, {-10, -1});
        CHECK(refusals(city.host, client_with(material)).server == TlsRefusal::certificate_expired);
    }
    SUBCASE("one that is not valid yet") {
        const auto material = make_unit(city.root, city.authority, terminal_subject, {1, 10});
        CHECK(refusals(city.host, client_with(material)).server == TlsRefusal::certificate_future);
    }
}

TEST_CASE("TLS: a unit may not sign units (RFC 5280, 4.2.1.9)") {
    const City city;
    Signer impostor{terminal_subject};
    impostor.certificate = sign(city.authority, impostor.subject, impostor.key, {});
    platform::TlsMaterial material;
    material.private_key = crypto::keys::generate_p256(test_random());
    // The authority's certificate stands second, so that its own context takes the chain.
    material.certificate_pem = sign(impostor, terminal_subject, material.private_key, {}) +
                               city.authority.certificate + impostor.certificate;
    material.trusted_pem = city.root.certificate;
    CHECK(refusals(city.host, client_with(material)).server == TlsRefusal::certificate_untrusted);
}

TEST_CASE("TLS: an authority vouches for its own city's host only") {
    const City city;
    const Signer other = make_authority(city.root, "4401");
    auto material = make_unit(city.root, other, {"city-host", "3100", "host"});
    SUBCASE("our own context does not start with such a certificate") {
        const auto setup = TlsContext::make(TlsContext::Side::client, material, test_random());
        REQUIRE_FALSE(setup.has_value());
        CHECK(setup.error() == TlsSetupError::own_identity_wrong);
    }
    SUBCASE("a peer that does is refused") {
        // A certificate that nobody signed for us makes its own chain look right to itself.
        const Signer pretended = make_authority(make_root(), "3100");
        material.certificate_pem.resize(material.certificate_pem.size() - other.certificate.size());
        material.certificate_pem += pretended.certificate + other.certificate;
        CHECK(refusals(city.host, client_with(material)).server == TlsRefusal::authority_mismatch);
    }
    SUBCASE("a terminal may come from any city") {
        const auto found =
            refusals(city.host, client_with(make_unit(city.root, other, terminal_subject)));
        CHECK(found.server == TlsRefusal::none);
    }
}

TEST_CASE("TLS: our own material is checked when a context is made") {
    const City city;
    auto material = make_unit(city.root, city.authority, host_subject);
    const auto make = [&] {
        return TlsContext::make(TlsContext::Side::server, material, test_random());
    };
    const auto refused_as = [&](TlsSetupError why) {
        const auto made = make();
        REQUIRE_FALSE(made.has_value());
        CHECK(std::string{platform::name(made.error())} == platform::name(why));
    };
    SUBCASE("right") {
        CHECK(make().has_value());
    }
    SUBCASE("no PEM") {
        material.certificate_pem = "no certificate";
        refused_as(TlsSetupError::certificate_unreadable);
    }
    SUBCASE("no root") {
        material.trusted_pem.clear();
        refused_as(TlsSetupError::trust_unreadable);
    }
    SUBCASE("garbage as a revocation list") {
        material.revoked_pem = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";
        refused_as(TlsSetupError::revocation_unreadable);
    }
    SUBCASE("the key zero") {
        material.private_key = {};
        refused_as(TlsSetupError::private_key_out_of_range);
    }
    SUBCASE("a key above the group's order") {
        std::ranges::fill(material.private_key.bytes(), 0xFF);
        refused_as(TlsSetupError::private_key_out_of_range);
    }
    SUBCASE("another key") {
        material.private_key = crypto::keys::generate_p256(test_random());
        refused_as(TlsSetupError::key_mismatch);
    }
    SUBCASE("without its authority's certificate") {
        material.certificate_pem = material.certificate_pem.substr(
            0, material.certificate_pem.size() - city.authority.certificate.size());
        refused_as(TlsSetupError::own_identity_wrong);
    }
    SUBCASE("a subject that is no role of ours") {
        material = make_unit(city.root, city.authority, {"janitor", "3100", "host"});
        refused_as(TlsSetupError::own_identity_wrong);
    }
}

TEST_CASE("TLS: subjects are read strictly") {
    const City city;
    const auto refused = [&](const crypto::keys::X509Subject& subject) {
        const auto made = TlsContext::make(
            TlsContext::Side::client, make_unit(city.root, city.authority, subject), test_random());
        return !made.has_value() && made.error() == TlsSetupError::own_identity_wrong;
    };
    CHECK(refused({"terminal", "310001", "0000000031000101"}));  // 16 digits each
    CHECK(refused({"terminal", "0000000000310001", "gate-1"}));
    CHECK(refused({"terminal", "000000000031000a", "0000000031000101"}));  // lower case
    CHECK(refused({"city-host", "31000", "host"}));
    CHECK(refused({"city-host", "31a0", "host"}));
    CHECK(refused({"Terminal", "0000000000310001", "0000000031000101"}));
    CHECK(refused({"city-ca", "3100", "authority"}));  // an authority is no unit
}

TEST_CASE("TLS: bytes that are no TLS are refused at once") {
    const City city;
    TlsEngine server{city.host};
    SUBCASE("plain HTTP") {
        const std::string_view text = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        server.input({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
        CHECK(server.handshake() == Progress::failed);
        CHECK(server.refusal() == TlsRefusal::not_tls);
    }
    SUBCASE("random bytes, many seeds") {
        for (std::uint64_t seed = 0; seed < 200; ++seed) {
            TlsEngine victim{city.host};
            crypto::SeededRandom random{seed, "garbage"};
            std::vector<std::uint8_t> bytes(1 + random.below(2000));
            random.fill(bytes);
            if (seed % 2 == 0) bytes[0] = 0x16;  // looks like a handshake record: RFC 5246, 6.2.1
            victim.input(bytes);
            victim.input_ended();
            CHECK(victim.handshake() == Progress::failed);
            CHECK(victim.refusal() != TlsRefusal::none);
        }
    }
    SUBCASE("an end after nothing") {
        server.input_ended();
        CHECK(server.handshake() == Progress::failed);
        CHECK(server.refusal() == TlsRefusal::closed);
    }
}

TEST_CASE("TLS: a handshake with one byte changed, at every place of the client's first flight") {
    const City city;
    TlsEngine first{city.terminal};
    REQUIRE(first.handshake() == Progress::need_input);
    const std::vector<std::uint8_t> hello{first.output().begin(), first.output().end()};
    for (std::size_t i = 0; i < hello.size(); ++i) {
        auto changed = hello;
        changed[i] ^= 0xFF;
        TlsEngine server{city.host};
        server.input(changed);
        const auto progress = server.handshake();
        CHECK(progress != Progress::done);
    }
}

TEST_CASE("TLS: an endless client hello is refused, not collected") {
    const City city;
    TlsEngine server{city.host};
    const std::array<std::uint8_t, 5> record{0x16, 0x03, 0x03, 0xFF, 0xFF};  // 65535 bytes promised
    server.input(record);
    CHECK(server.handshake() == Progress::failed);
}
