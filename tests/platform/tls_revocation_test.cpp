// Revocation in the handshake, on both sides: docs/certificates.md, 5.
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <unistd.h>

#include "platform/files.hpp"
#include "tests/platform/handshake.hpp"

using namespace platform_test;
using platform::StaleLists;
using platform::TlsMaterial;
using platform::TlsSetupError;
using Side = TlsContext::Side;

namespace {

/// A city's host and terminal, each with its material, so that lists can name and reach both.
struct Scene {
    Signer root = make_root();
    Signer city = make_authority(root, "3100");
    TlsMaterial host = make_unit(root, city, host_subject);
    TlsMaterial terminal = make_unit(root, city, terminal_subject);

    /// Both ends begin with the lists they hold now.
    [[nodiscard]] Refusals meet() const {
        return refusals(make_context(Side::server, host), make_context(Side::client, terminal));
    }
};

std::string name_of(TlsRefusal refusal) {
    return name(refusal);
}

std::optional<TlsSetupError> refused(const TlsMaterial& material) {
    const auto made = TlsContext::make(Side::server, material, test_random());
    return made ? std::nullopt : std::optional{made.error()};
}

struct Directory {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() /
        ("onecard-revocation-" + std::to_string(::getpid()) + "-" + std::to_string(next()));
    Directory() { std::filesystem::create_directories(path); }
    ~Directory() { std::filesystem::remove_all(path); }
    static int next() {
        static int count = 0;
        return ++count;
    }
};

}  // namespace

TEST_CASE("revocation: a server refuses a revoked client, which hears it") {
    Scene scene;
    scene.host.revoked_pem = revoke(scene.city, {scene.terminal.certificate_pem});
    const auto found = scene.meet();
    CHECK(name_of(found.server) == "certificate_revoked");
    CHECK(name_of(found.client) == "rejected_by_peer");
}

TEST_CASE("revocation: a client refuses a revoked server, which hears it") {
    Scene scene;
    scene.terminal.revoked_pem = revoke(scene.city, {scene.host.certificate_pem});
    const auto found = scene.meet();
    CHECK(name_of(found.client) == "certificate_revoked");
    CHECK(name_of(found.server) == "rejected_by_peer");
}

TEST_CASE("revocation: a revoked authority takes all its units along, on both sides") {
    Scene scene;
    const std::string list = revoke(scene.root, {scene.city.certificate});
    SUBCASE("the server looks") {
        scene.host.revoked_pem = list;
        CHECK(name_of(scene.meet().server) == "authority_revoked");
    }
    SUBCASE("the client looks") {
        scene.terminal.revoked_pem = list;
        CHECK(name_of(scene.meet().client) == "authority_revoked");
    }
    SUBCASE("the unit is on its own authority's list as well") {
        scene.host.revoked_pem = list + revoke(scene.city, {scene.terminal.certificate_pem});
        CHECK(name_of(scene.meet().server) == "authority_revoked");
    }
}

TEST_CASE("revocation: lists that name neither end change nothing") {
    Scene scene;
    const TlsMaterial other = make_unit(scene.root, scene.city, host_subject);
    const std::string lists = revoke(scene.city, {other.certificate_pem}) + revoke(scene.root, {});
    scene.host.revoked_pem = lists;
    scene.terminal.revoked_pem = lists;
    const auto found = scene.meet();
    CHECK(name_of(found.server) == "none");
    CHECK(name_of(found.client) == "none");
}

TEST_CASE("revocation: a list speaks of its issuer's certificates only") {
    Scene scene;
    const Signer other = make_authority(scene.root, "4401");
    SUBCASE("another city's list with our unit's serial") {
        scene.host.revoked_pem = revoke(other, {scene.terminal.certificate_pem});
        CHECK(name_of(scene.meet().server) == "none");
    }
    SUBCASE("a list of a foreign nation's city of another name") {
        const Signer stranger = make_authority(make_root("elsewhere"), "9999");
        scene.host.revoked_pem = revoke(stranger, {scene.terminal.certificate_pem});
        CHECK(name_of(scene.meet().server) == "none");
    }
    SUBCASE("a terminal of another city, on that city's list") {
        scene.terminal = make_unit(scene.root, other, terminal_subject);
        scene.host.revoked_pem = revoke(other, {scene.terminal.certificate_pem});
        CHECK(name_of(scene.meet().server) == "certificate_revoked");
    }
}

TEST_CASE("revocation: a stale list refuses, or stays in force, as we are told") {
    Scene scene;
    const TlsMaterial other = make_unit(scene.root, scene.city, host_subject);
    scene.host.revoked_pem = revoke(scene.city, {other.certificate_pem}, {1, -9, -2});
    CHECK(name_of(scene.meet().server) == "revocation_list_stale");
    scene.host.stale_lists = StaleLists::accept;
    CHECK(name_of(scene.meet().server) == "none");
    scene.host.revoked_pem = revoke(scene.city, {scene.terminal.certificate_pem}, {1, -9, -2});
    CHECK(name_of(scene.meet().server) == "certificate_revoked");
    scene.host.stale_lists = StaleLists::refuse;
    CHECK(name_of(scene.meet().server) == "certificate_revoked");  // the more certain reason
    scene.host.revoked_pem = revoke(scene.root, {}, {1, -9, -2});
    CHECK(name_of(scene.meet().server) == "revocation_list_stale");  // the root's counts as well
    scene.host.revoked_pem.clear();
    scene.terminal.revoked_pem = revoke(scene.city, {}, {1, -9, -2});
    CHECK(name_of(scene.meet().client) == "revocation_list_stale");
    CHECK(platform::parse_stale_lists("accept") == StaleLists::accept);
    CHECK(platform::parse_stale_lists("refuse") == StaleLists::refuse);
    CHECK_FALSE(platform::parse_stale_lists("ignore").has_value());
}

TEST_CASE("revocation: a list from the future refuses, accepted staleness or not") {
    Scene scene;
    scene.host.revoked_pem = revoke(scene.city, {}, {1, 2, 9});
    CHECK(name_of(scene.meet().server) == "revocation_list_future");
    scene.host.stale_lists = StaleLists::accept;
    CHECK(name_of(scene.meet().server) == "revocation_list_future");
}

TEST_CASE("revocation: a forged list is found when it is loaded, or when its authority shows up") {
    Scene scene;
    Signer impostor{scene.city.subject};  // the name, and a key of its own
    const std::string forged = revoke(impostor, {});
    SUBCASE("our own authority's name") {
        scene.host.revoked_pem = forged;
        CHECK(refused(scene.host) == TlsSetupError::revocation_forged);
    }
    SUBCASE("our root's name") {
        Signer root{scene.root.subject};
        scene.host.revoked_pem = revoke(root, {});
        CHECK(refused(scene.host) == TlsSetupError::revocation_forged);
    }
    SUBCASE("a name that we have not met") {
        const Signer other = make_authority(scene.root, "4401");
        scene.terminal = make_unit(scene.root, other, terminal_subject);
        impostor.subject = other.subject;
        scene.host.revoked_pem = revoke(impostor, {});
        CHECK_FALSE(refused(scene.host).has_value());
        CHECK(name_of(scene.meet().server) == "revocation_list_untrusted");
    }
    SUBCASE("signed by a unit of that name") {
        impostor.subject = scene.city.subject;
        impostor.certificate = sign(scene.city, impostor.subject, impostor.key, {});
        scene.host.revoked_pem = revoke(impostor, {});
        CHECK(refused(scene.host) == TlsSetupError::revocation_forged);
    }
    SUBCASE("a changed byte") {
        std::string list = revoke(scene.city, {scene.terminal.certificate_pem});
        list[list.size() / 2] = list[list.size() / 2] == 'A' ? 'B' : 'A';
        scene.host.revoked_pem = list;
        const auto why = refused(scene.host);
        CHECK((why == TlsSetupError::revocation_forged ||
               why == TlsSetupError::revocation_unreadable));
    }
}

TEST_CASE("revocation: what is no set of lists does not load") {
    Scene scene;
    scene.host.revoked_pem = "no lists";
    CHECK(refused(scene.host) == TlsSetupError::revocation_unreadable);
    scene.host.revoked_pem = scene.city.certificate;
    CHECK(refused(scene.host) == TlsSetupError::revocation_unreadable);
    scene.host.revoked_pem =
        revoke(scene.city, {}) + revoke(scene.root, {}) + revoke(scene.city, {}, {2});
    CHECK(refused(scene.host) == TlsSetupError::revocation_repeated);
}

TEST_CASE("revocation: new lists count for the next connection, and never go back") {
    Scene scene;
    const TlsContext host = make_context(Side::server, scene.host);
    const TlsContext terminal = make_context(Side::client, scene.terminal);
    CHECK(refusals(host, terminal).server == TlsRefusal::none);

    TlsEngine standing{host};
    CHECK_FALSE(standing.lists_changed());
    const std::string first = revoke(scene.city, {}, {5});
    const std::string second = revoke(scene.city, {scene.terminal.certificate_pem}, {6});
    REQUIRE(host.reload_revoked(first).has_value());
    CHECK(standing.lists_changed());
    CHECK(refusals(host, terminal).server == TlsRefusal::none);
    REQUIRE(host.reload_revoked(second).has_value());
    CHECK(name_of(refusals(host, terminal).server) == "certificate_revoked");

    const auto refusal = [&](const std::string& pem) { return host.reload_revoked(pem).error(); };
    CHECK(refusal(first) == TlsSetupError::revocation_rolled_back);
    CHECK(refusal("") == TlsSetupError::revocation_rolled_back);
    CHECK(refusal(revoke(scene.root, {})) == TlsSetupError::revocation_rolled_back);
    CHECK(refusal(revoke(scene.city, {}, {6})) == TlsSetupError::revocation_rolled_back);
    CHECK(refusal("garbage") == TlsSetupError::revocation_unreadable);
    CHECK(name_of(refusals(host, terminal).server) == "certificate_revoked");
    CHECK(host.reload_revoked(second + revoke(scene.root, {})).has_value());
    // Another list 1 of the root.
    CHECK(refusal(revoke(scene.root, {scene.city.certificate}) + revoke(scene.city, {}, {7})) ==
          TlsSetupError::revocation_rolled_back);
    CHECK(name_of(refusals(host, terminal).server) == "certificate_revoked");
}

TEST_CASE("revocation: a file is read when it comes, when it changes, and kept when it goes") {
    Scene scene;
    const Directory directory;
    std::vector<platform::RevocationReload> events;
    scene.host.revoked_file = directory.path / "revoked.pem";
    scene.host.on_reload = [&](const auto& event) { events.push_back(event); };
    const TlsContext host = make_context(Side::server, scene.host);
    const TlsContext terminal = make_context(Side::client, scene.terminal);
    const auto write = [&](const std::string& text) {
        REQUIRE(platform::replace_file(scene.host.revoked_file, std::string_view{text}));
    };
    const auto outcome = [&] { return name_of(refusals(host, terminal).server); };
    CHECK(outcome() == "none");
    CHECK(events.empty());

    write(revoke(scene.city, {}));
    CHECK(outcome() == "none");
    CHECK(outcome() == "none");
    REQUIRE(events.size() == 1);
    CHECK_FALSE(events[0].refusal.has_value());
    CHECK(events[0].list_count == 1);
    CHECK(events[0].entry_count == 0);

    write(revoke(scene.city, {scene.terminal.certificate_pem}, {2}));
    CHECK(outcome() == "certificate_revoked");
    REQUIRE(events.size() == 2);
    CHECK(events[1].entry_count == 1);

    write("half a fi");
    CHECK(outcome() == "certificate_revoked");
    REQUIRE(events.size() == 3);
    CHECK(events[2].refusal == TlsSetupError::revocation_unreadable);
    CHECK(events[2].list_count == 1);
    CHECK(events[2].detail.find("revoked.pem") != std::string::npos);

    std::filesystem::remove(scene.host.revoked_file);
    CHECK(outcome() == "certificate_revoked");
    CHECK(outcome() == "certificate_revoked");
    REQUIRE(events.size() == 4);
    CHECK(events[3].refusal == TlsSetupError::revocation_rolled_back);

    write(revoke(scene.city, {}, {3}));  // taken off: certificateHold's end
    CHECK(outcome() == "none");
    CHECK(events.size() == 5);
}

TEST_CASE("revocation: a file that is wrong at the start stops the start") {
    Scene scene;
    const Directory directory;
    scene.host.revoked_file = directory.path / "revoked.pem";
    std::ofstream{scene.host.revoked_file} << "no lists";
    CHECK(refused(scene.host) == TlsSetupError::revocation_unreadable);
    std::filesystem::remove(scene.host.revoked_file);
    std::filesystem::create_directory(scene.host.revoked_file);
    CHECK(refused(scene.host) == TlsSetupError::revocation_unreadable);
}

TEST_CASE("revocation: each setup refusal has its name and advice") {
    for (const auto error :
         {TlsSetupError::revocation_unreadable, TlsSetupError::revocation_repeated,
          TlsSetupError::revocation_forged, TlsSetupError::revocation_rolled_back}) {
        CHECK(std::string_view{name(error)}.starts_with("revocation_"));
        CHECK(std::string_view{advice(error)}.size() > 20);
    }
}
