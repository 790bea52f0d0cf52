// Requests, certificates and their installation killed before every one of their file operations:
// docs/certificates.md, 6.
#include "host/keys/chip_certificates.hpp"
#include "tests/host/keys/certificate_scene.hpp"
#include "tests/host/keys/dying_process.hpp"

namespace {

using keys_test::CertificateScene;
using keys_test::kind_of;
namespace fs = std::filesystem;

/// A directory as it was when this was made.
class Snapshot {
public:
    explicit Snapshot(fs::path directory) : directory_{std::move(directory)} {
        fs::copy(directory_, saved_.path / "saved", fs::copy_options::recursive);
    }
    void restore() const {
        fs::remove_all(directory_);
        fs::copy(saved_.path / "saved", directory_, fs::copy_options::recursive);
    }

private:
    fs::path directory_;
    keys_test::Directory saved_;
};

/// From any kill on: the program starts, with the old certificate or the new one, and `install`
/// again ends with the new one.
void install_dies(CertificateScene& scene, const host::keys::IssuedCertificate& issued) {
    const std::string before = scene.serial_in_use();
    const Snapshot snapshot{scene.directory};
    int count = 1;
    int early = 0;
    for (; dies_before(count, [&] { return scene.install(issued.pem).has_value(); }); ++count) {
        INFO("operation ", count);
        CHECK(scene.starts());
        const bool old = scene.serial_in_use() == before;
        early += old ? 1 : 0;
        CHECK((old || scene.serial_in_use() == issued.entry.serial));
        CHECK(kind_of(scene.install(issued.pem)) == "accepted");
        CHECK(scene.serial_in_use() == issued.entry.serial);
        CHECK(scene.starts());
        snapshot.restore();
    }
    CHECK(count > 6);
    CHECK(early > 3);
    CHECK(kind_of(scene.install(issued.pem)) == "accepted");
}

}  // namespace

TEST_CASE("install killed before any file operation: a pair that fits, always") {
    CertificateScene scene;
    install_dies(scene, scene.issued());
    const auto renewal = scene.request({.renew = true}).value();
    install_dies(scene, scene.renew(renewal.pem).value());
    // `install` was repeated after its end: only the key in use is left.
    CHECK(scene.key_states() == std::vector<std::string>{"destroyed", "destroyed", "active"});
}

TEST_CASE("request killed before any file operation: the key in use stays, one key waits at last") {
    CertificateScene scene;
    const Snapshot snapshot{scene.directory};
    int count = 1;
    for (; dies_before(count, [&] { return scene.request({}).has_value(); }); ++count) {
        INFO("operation ", count);
        CHECK(scene.starts());
        const auto made = scene.request({});
        CHECK(kind_of(made) == "accepted");
        CHECK(scene.key_states() == std::vector<std::string>{"active", "planned"});
        snapshot.restore();
    }
    CHECK(count > 3);
}

TEST_CASE("issue killed before any file operation: asked again, one certificate and one entry") {
    CertificateScene scene;
    const auto made = scene.request({}).value();
    const auto directory = scene.founded.directory.path / "city";
    const auto issue = [&] {
        auto city =
            host::keys::open_city(directory, keys_test::two_people().people, scene.founded.random);
        REQUIRE(city);
        const auto issued = issue_certificate(*city, made.pem, scene.order_for(made),
                                              scene.founded.random, scene.founded.clock);
        REQUIRE(issued);
        return host::keys::fold_certificates(city->store->log()).value();
    };
    const Snapshot snapshot{directory};
    int count = 1;
    for (; dies_before(count, [&] { return !issue().certificates.empty(); }); ++count) {
        INFO("operation ", count);
        CHECK(issue().certificates.size() == 2);  // the one of the deployment, and this one
        CHECK(issue().certificates.size() == 2);
        snapshot.restore();
    }
    CHECK(count > 3);
}

TEST_CASE("card-issuer killed before any file operation: asked again, one serial and one note") {
    using host::keys::ChipFamily;
    keys_test::FoundedCity founded;
    const host::keys::ChipRoot root{ChipFamily::sm2, {0xA0, 0x00, 0x00, 0x03, 0x33}, 1};
    const auto people = keys_test::two_people().people;
    REQUIRE(certify_root(founded.nation, root, {0x12, 0x45}, founded.random, founded.random,
                         founded.clock));
    const auto certify = [&] {
        const auto& at = founded.directory.path;
        auto nation = host::keys::open_nation(at / "nation", people, founded.random).value();
        auto city = host::keys::open_city(at / "city", people, founded.random).value();
        const auto made = certify_issuer(nation, city, {root, "310482", {0x12, 0x35}},
                                         founded.random, founded.random, founded.clock);
        const auto known = host::keys::fold_chips(city.store->log()).value();
        return made && made->entry.serial == 2 && known.issuers.size() == 1;
    };
    const Snapshot nation{founded.directory.path / "nation"};
    const Snapshot city{founded.directory.path / "city"};
    int count = 1;
    for (; dies_before(count, certify); ++count) {
        INFO("operation ", count);
        CHECK(certify());
        CHECK(certify());
        nation.restore();
        city.restore();
    }
    CHECK(count > 11);
}
