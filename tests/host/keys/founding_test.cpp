// Who holds what: docs/keys.md, 1-4.
#include <fstream>
#include <map>
#include <set>

#include <doctest/doctest.h>
#include <unistd.h>

#include "crypto/core/block_cipher.hpp"
#include "crypto/keys/emv_master.hpp"
#include "platform/files.hpp"
#include "platform/tls.hpp"
#include "tests/host/keys/founded_city.hpp"

using host::keys::KeyUse;
using host::keys::Mark;
using host::keys::RefusalKind;
using host::keys::Suite;
using keys_test::bytes_of;
using keys_test::city_code;
using keys_test::FoundedCity;
using keys_test::issuer_id;
using keys_test::words;

namespace {

template <class T>
std::string kind_of(const host::keys::Result<T>& result) {
    if (result.has_value()) return "accepted";
    CHECK_FALSE(result.error().detail.empty());
    return host::keys::name(result.error().kind);
}

std::set<std::pair<std::string, std::string>> labels_and_uses(const host::keys::KeyStore& store) {
    std::set<std::pair<std::string, std::string>> found;
    for (const auto& key : store.list()) {
        if (key.name.label == "store") continue;  // its own audit key
        found.emplace(key.name.label, host::keys::name(key.name.use));
    }
    return found;
}

host::keys::DeploymentOrder order_for(platform::PeerRole role) {
    host::keys::DeploymentOrder order;
    order.role = role;
    order.unit = "unit-1";
    order.operator_id = protocol::OperatorId{{0, 0, 0, 0, 0, 0x31, 0, 0x01}};
    order.device = protocol::DeviceId{{0, 0, 0, 0, 0x31, 0, 0x01, 0x01}};
    return order;
}

}  // namespace

TEST_CASE("founding: a city's purchase master is the nation's root, one level down") {
    const FoundedCity founded;
    for (const Suite suite : host::keys::suites) {
        const auto root = host::keys::reveal_purse(
            *founded.nation.store, crypto::keys::national_key(KeyUse::purchase, suite));
        const auto master = host::keys::reveal_purse(
            *founded.city.store, crypto::keys::city_key(city_code, KeyUse::purchase, suite));
        REQUIRE(root.has_value());
        REQUIRE(master.has_value());
        const auto expected = crypto::purse::diversify(*root, crypto::purse::factor_of(issuer_id));
        CHECK(std::ranges::equal(master->value.bytes(), expected.value.bytes()));
    }
}

TEST_CASE("founding: each use in its own algorithms, sixteen bytes, version 1, active") {
    const FoundedCity founded;
    std::map<KeyUse, std::set<std::string>> masters;
    for (const auto& key : founded.city.store->list()) {
        if (key.name.algorithm > crypto::keys::KeyAlgorithm::aes) continue;
        masters[key.name.use].insert(crypto::keys::name(key.name.algorithm));
        CHECK(key.size == 16);
        CHECK(key.name.version == crypto::keys::first_version);
        CHECK(key.state == crypto::keys::KeyState::active);
    }
    const std::set<std::string> both{"3des", "sm4"};
    const std::set<std::string> aes{"aes"};
    REQUIRE(masters.size() == 19);
    for (const auto& [use, algorithms] : masters) {
        CHECK_MESSAGE(algorithms == (use == KeyUse::secure_channel ? aes : both), name(use));
    }
}

TEST_CASE("founding: a payment master gives a card's key by EMV's option A") {
    const FoundedCity founded;
    const host::keys::KeyStore& store = *founded.city.store;
    const auto factor =
        crypto::keys::emv_factor(crypto::keys::MasterOption::a, "6210220110002707355", "01");
    // The right 16 digits of PAN | PSN, and their complement. EMV 4.4 Book 2, A1.4.1.
    constexpr std::array<std::uint8_t, 16> blocks{0x20, 0x11, 0x00, 0x02, 0x70, 0x73, 0x55, 0x01,
                                                  0xDF, 0xEE, 0xFF, 0xFD, 0x8F, 0x8C, 0xAA, 0xFE};
    for (const KeyUse use : {KeyUse::application_cryptogram, KeyUse::script_integrity,
                             KeyUse::script_confidentiality}) {
        const auto id = store.find(crypto::keys::city_key(city_code, use, Suite::triple_des));
        REQUIRE(id.has_value());
        crypto::SecretBytes<16> master;
        REQUIRE(store.reveal(*id, master.bytes()).has_value());
        auto expected = blocks;
        const crypto::BlockEncryptor cipher{crypto::Cipher::triple_des, master.bytes()};
        cipher.encrypt(std::span{expected}.first(8));
        cipher.encrypt(std::span{expected}.last(8));
        const auto card = store.derive(*id, std::array{*factor});
        REQUIRE(card.has_value());
        CHECK(std::ranges::equal(card->value.bytes(), expected));
    }
}

TEST_CASE("founding: the same seed gives the same keys, another seed others") {
    const FoundedCity first{7};
    const FoundedCity again{7};
    const FoundedCity other{8};
    CHECK(first.city.identity.list_key == again.city.identity.list_key);
    CHECK(first.city.identity.list_key != other.city.identity.list_key);
    CHECK(first.city.identity.list_key != first.city.identity.day_key);
}

TEST_CASE("founding: no two keys of a city have the same check value") {
    const FoundedCity founded;
    std::set<crypto::keys::CheckValue> seen;
    for (const auto& key : founded.city.store->list()) {
        const auto id = founded.city.store->find(key.name).value();
        CHECK(seen.insert(founded.city.store->check_value(id).value()).second);
    }
    CHECK(seen.size() == 41);
}

TEST_CASE("founding: nothing is overwritten, and a refused founding leaves nothing") {
    FoundedCity founded;
    const auto found = [&](const host::keys::Founding& founding) {
        const auto roots = host::keys::draw_national_roots(founded.random);
        return kind_of(
            host::keys::found_nation(founding, roots, "{}", founded.random, founded.clock));
    };
    CHECK(found({founded.directory.path / "nation", keys_test::two_people(), Mark::rehearsal}) ==
          "target_exists");
    const auto weak = founded.directory.path / "weak";
    // A live store asks for longer passphrases than these.
    CHECK(found({weak,
                 {{{"first", bytes_of("short")}, {"second", bytes_of("too")}}, 2},
                 Mark::live}) == "store_failed");
    CHECK_FALSE(std::filesystem::exists(weak));
}

TEST_CASE("founding: one person is not enough, nor two of whom one would do") {
    FoundedCity founded;
    const auto at = founded.directory.path / "alone";
    auto people = keys_test::two_people();
    people.quorum = 1;
    for (const auto& custodians : {host::keys::service(bytes_of(words)), people}) {
        const auto roots = host::keys::draw_national_roots(founded.random);
        CHECK(kind_of(host::keys::found_nation({at, custodians, Mark::rehearsal}, roots, "{}",
                                               founded.random, founded.clock)) ==
              "dual_control_missing");
        CHECK(kind_of(host::keys::found_city({at, custodians, Mark::rehearsal}, founded.nation,
                                             city_code, issuer_id, founded.random,
                                             founded.clock)) == "dual_control_missing");
        CHECK_FALSE(std::filesystem::exists(at));
    }
    const auto open = [&](std::vector<host::keys::Custodian> present) {
        const auto opened =
            host::keys::open_city(founded.directory.path / "city", present, founded.random);
        return opened ? "opened" : opened.error().detail;
    };
    const auto both = keys_test::two_people().people;
    CHECK(open({both[0]}).find("quorum_missing") != std::string::npos);
    CHECK(open({both[0], both[0]}).find("custodian_repeated") != std::string::npos);
    CHECK(open({both[0], {"third", both[1].passphrase}}).find("third: custodian_unknown") !=
          std::string::npos);
    CHECK(open({both[0], {"second", both[0].passphrase}}).find("second: wrong_passphrase") !=
          std::string::npos);
    CHECK(open({both[1], both[0]}) == "opened");
}

TEST_CASE("founding: what an interrupted run left does not matter") {
    FoundedCity founded;
    const auto at = [&](const char* name) { return founded.directory.path / name; };
    for (const char* name : {"late.part.Ab12Cd", "late.part.Zz34Yy", "late.part"}) {
        std::filesystem::create_directory(at(name));
        std::ofstream{at(name) / "keys.store"} << "half a store";
    }
    std::ofstream{at("late.part.Ab12Cd") / ".draft"};  // what an interrupted run had begun
    const auto roots = host::keys::draw_national_roots(founded.random);
    CHECK(kind_of(host::keys::found_nation(
              {founded.directory.path / "late", keys_test::two_people(), Mark::rehearsal}, roots,
              "{}", founded.random, founded.clock)) == "accepted");
    CHECK_FALSE(std::filesystem::exists(at("late.part.Ab12Cd")));
    // Nobody's draft: somebody's own.
    CHECK(std::filesystem::exists(at("late.part.Zz34Yy") / "keys.store"));
    CHECK(std::filesystem::exists(at("late.part") / "keys.store"));
    CHECK_FALSE(std::filesystem::exists(at("late") / ".draft"));
}

TEST_CASE("founding: of two directories with one name, one appears, whole") {
    const keys_test::Directory place;
    const auto target = place.path / "nation";
    auto first = host::keys::NewDirectory::begin(target).value();
    auto second = host::keys::NewDirectory::begin(target).value();
    REQUIRE(first.write("keys.store", "the first's"));
    REQUIRE(second.write("keys.store", "the second's"));
    REQUIRE(second.publish());
    CHECK(kind_of(first.publish()) == "target_exists");
    CHECK(platform::read_text_file(target / "keys.store", 100).value() == "the second's");
    CHECK(kind_of(host::keys::NewDirectory::begin(target)) == "target_exists");
    std::filesystem::create_symlink(place.path / "nowhere", place.path / "link");
    CHECK(kind_of(host::keys::NewDirectory::begin(place.path / "link")) == "target_exists");
    {
        auto third = host::keys::NewDirectory::begin(place.path / "third/").value();
        REQUIRE(third.write("keys.store", "never published"));
    }
    std::size_t left = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{place.path})
        ++left;
    CHECK(left == 3);  // nation, link, and the first's draft, which it still holds
}

TEST_CASE("founding: a city once, an issuer once") {
    FoundedCity founded;
    const auto found = [&](std::uint16_t city, protocol::IssuerId issuer, bool again) {
        const auto name = "c" + std::to_string(founded.clock.unix_ms() % 1000) +
                          std::to_string(city) + (again ? "a" : "");
        return kind_of(host::keys::found_city(
            {founded.directory.path / name, keys_test::two_people(), Mark::rehearsal, again},
            founded.nation, protocol::CityCode{city}, issuer, founded.random, founded.clock));
    };
    constexpr protocol::IssuerId other{{0x44, 0x01, 0, 0, 0, 0, 0, 0x01}};
    CHECK(found(0x3100, issuer_id, false) == "city_founded");
    CHECK(found(0x3200, issuer_id, false) == "city_founded");
    CHECK(found(0x3200, issuer_id, true) == "city_founded");
    CHECK(found(0x3100, other, true) == "city_founded");
    CHECK(found(0x4401, other, false) == "accepted");
    CHECK(found(0x3100, issuer_id, true) == "accepted");
    // The nation's newest founding counts: the first store is not this city's any more.
    CHECK(kind_of(host::keys::check_nation_of(founded.city, founded.nation)) == "nation_mismatch");
}

TEST_CASE("deploy: a refused deployment leaves no store and no line in a log") {
    FoundedCity founded;
    auto order = order_for(platform::PeerRole::issuer);
    order.directory = founded.directory.path / "issuer";
    order.passphrase = bytes_of(words);
    order.nation = &founded.nation;
    const auto entries = [&] {
        return founded.city.store->log().size() + founded.nation.store->log().size();
    };
    const auto before = entries();
    for (const char* unit : {"", "no trace", "a/b", "\n"}) {
        order.unit = unit;
        const auto deployed =
            host::keys::deploy(order, founded.city, founded.random, founded.clock);
        CHECK(kind_of(deployed) == "input_wrong");
        CHECK(entries() == before);
    }
    // The draft goes with a refusal behind its beginning too: the city's store is not ours to
    // change.
    order.unit = "issuer-1";
    std::filesystem::remove_all(founded.directory.path / "nation");
    CHECK(kind_of(host::keys::deploy(order, founded.city, founded.random, founded.clock)) ==
          "store_failed");
    for (const auto& entry : std::filesystem::directory_iterator{founded.directory.path}) {
        CHECK(entry.path().filename().string().find("issuer") == std::string::npos);
    }
}

TEST_CASE("founding: another nation is not this city's") {
    FoundedCity founded;
    FoundedCity stranger{2};
    CHECK(kind_of(host::keys::check_nation_of(founded.city, founded.nation)) == "accepted");
    CHECK(kind_of(host::keys::check_nation_of(founded.city, stranger.nation)) == "nation_mismatch");
    auto order = order_for(platform::PeerRole::issuer);
    order.directory = founded.directory.path / "issuer";
    order.passphrase = bytes_of(words);
    order.nation = &stranger.nation;
    const auto deployed = host::keys::deploy(order, founded.city, founded.random, founded.clock);
    CHECK(kind_of(deployed) == "nation_mismatch");
}

TEST_CASE("founding: rehearsal and live do not mix (docs/keys.md, 4)") {
    FoundedCity founded;
    const auto live = host::keys::found_city(
        {founded.directory.path / "live", keys_test::two_people(), Mark::live}, founded.nation,
        protocol::CityCode{0x4401}, issuer_id, founded.random, founded.clock);
    CHECK(kind_of(live) == "mark_mismatch");
    CHECK(founded.city.store->rehearsal());
}

TEST_CASE("opening a city: wrong passphrase, missing files, another city's description") {
    FoundedCity founded;
    const auto directory = founded.directory.path / "city";
    const auto open = [&](std::string_view passphrase) {
        auto people = keys_test::two_people().people;
        people[0].passphrase = bytes_of(passphrase);
        return host::keys::open_city(directory, people, founded.random);
    };
    CHECK(kind_of(open("another passphrase")) == "store_failed");
    const auto json = platform::read_text_file(directory / "city.json", 4096).value();
    const auto rewrite = [&](std::string_view from, std::string_view to) {
        std::string changed = json;
        changed.replace(changed.find(from), from.size(), to);
        REQUIRE(platform::replace_file(directory / "city.json", std::string_view{changed}));
    };
    rewrite("\"3100\"", "\"4401\"");
    CHECK(kind_of(open(words)) == "city_mismatch");
    rewrite("rehearsal", "live");
    CHECK(kind_of(open(words)) == "mark_mismatch");
    for (const std::string_view wrong :
         {"", "[]", "{}", "{\"city\":\"31O0\"}", "{\"mark\":", "null"}) {
        REQUIRE(platform::replace_file(directory / "city.json", wrong));
        CHECK(kind_of(open(words)) == "input_wrong");
    }
    // One honest member after another replaced by another city's: what custodians would hand on.
    const FoundedCity stranger{2};
    const auto foreign =
        platform::read_text_file(stranger.directory.path / "city" / "city.json", 4096).value();
    for (const std::string member : {"list_key", "day_key", "audit_key"}) {
        const auto value = [&](const std::string& text) {
            return text.substr(text.find(member) + member.size() + 3, 128);
        };
        REQUIRE(platform::replace_file(directory / "city.json", std::string_view{json}));
        rewrite(value(json), value(foreign));
        CHECK(kind_of(open(words)) == "city_mismatch");
    }
    REQUIRE(platform::replace_file(directory / "city.json", std::string_view{json}));
    rewrite("3104000000000001", "3104000000000002");
    CHECK(kind_of(open(words)) == "city_mismatch");
    REQUIRE(platform::replace_file(directory / "city.json", std::string_view{json}));
    for (const char* file : {host::keys::certificate_file, host::keys::root_file}) {
        const auto own = platform::read_text_file(directory / file, 65536).value();
        const auto other =
            platform::read_text_file(stranger.directory.path / "city" / file, 65536).value();
        for (const std::string_view wrong : {std::string_view{other}, std::string_view{"no PEM"}}) {
            REQUIRE(platform::replace_file(directory / file, wrong));
            CHECK(kind_of(open(words)) == "city_mismatch");
        }
        REQUIRE(platform::replace_file(directory / file, std::string_view{own}));
    }
    CHECK(kind_of(open(words)) == "accepted");
    std::filesystem::remove(directory / "certificate.pem");
    CHECK(kind_of(open(words)) == "file_failed");
}

TEST_CASE("deploy: each place holds exactly what the table says (docs/keys.md, 1)") {
    FoundedCity founded;
    const std::string city = "city/3100";
    using Keys = std::set<std::pair<std::string, std::string>>;
    CHECK(labels_and_uses(*founded.deploy(order_for(platform::PeerRole::city_host), "host")) ==
          Keys{{city, "load"},
               {city, "transaction_certificate"},
               {city, "list_signature"},
               {city, "day_signature"},
               {"tls", "tls_identity"}});
    CHECK(labels_and_uses(*founded.deploy(order_for(platform::PeerRole::desk), "desk")) ==
          Keys{{"tls", "tls_identity"}});
    CHECK(labels_and_uses(*founded.deploy(order_for(platform::PeerRole::operator_admin),
                                          "admin")) == Keys{{"tls", "tls_identity"}});
    CHECK(labels_and_uses(*founded.deploy(order_for(platform::PeerRole::terminal), "gate")) ==
          Keys{{"device/0000000031000101", "batch_signature"}, {"tls", "tls_identity"}});
    const auto issuer =
        labels_and_uses(*founded.deploy(order_for(platform::PeerRole::issuer), "issuer"));
    CHECK(issuer.contains({city, "purchase"}));
    CHECK_FALSE(issuer.contains({"national", "purchase"}));
    CHECK_FALSE(issuer.contains({city, "certificate_authority"}));
    CHECK_FALSE(issuer.contains({city, "list_signature"}));
    auto with_sams = order_for(platform::PeerRole::issuer);
    with_sams.nation = &founded.nation;
    const auto sam_issuer = labels_and_uses(*founded.deploy(with_sams, "sam-issuer"));
    CHECK(sam_issuer.contains({"national", "purchase"}));
    CHECK(sam_issuer.contains({"national", "application_lock"}));
    CHECK_FALSE(sam_issuer.contains({"national", "certificate_authority"}));
}

TEST_CASE("deploy: what it writes makes a TLS context, and says who it is") {
    FoundedCity founded;
    const auto store = founded.deploy(order_for(platform::PeerRole::terminal), "gate");
    const auto directory = founded.directory.path / "gate";
    const auto text = [&](const char* file) {
        return platform::read_text_file(directory / file, 1 << 16).value();
    };
    platform::TlsMaterial material;
    material.private_key = host::keys::reveal_tls(*store, crypto::keys::tls_identity()).value();
    material.certificate_pem = text("certificate.pem");
    material.trusted_pem = text("national-root.pem");
    const auto context =
        platform::TlsContext::make(platform::TlsContext::Side::client, material, founded.random);
    REQUIRE(context.has_value());
    CHECK(context->own_identity() == platform::PeerIdentity{platform::PeerRole::terminal,
                                                            "0000000000310001", "0000000031000101",
                                                            "3100"});
    const auto deployment = host::keys::parse_deployment(text("deployment.json"), "x");
    REQUIRE(deployment.has_value());
    CHECK(deployment->unit == "0000000031000101");
    CHECK(deployment->mark == Mark::rehearsal);
    CHECK(deployment->list_key == founded.city.identity.list_key);
    const auto device = protocol::DeviceId{{0, 0, 0, 0, 0x31, 0, 0x01, 0x01}};
    const auto batch_key =
        host::keys::sm2_public(*store, crypto::keys::batch_signature(device), founded.random);
    REQUIRE(batch_key.has_value());
    CHECK(std::ranges::equal(batch_key->bytes(), deployment->batch_key.value()));
}

TEST_CASE("deploy: names that no certificate may carry are refused, and nothing is left") {
    FoundedCity founded;
    for (const char* unit : {"", "host 1", "a,CN=root", "h\xC3\xB4te"}) {
        auto order = order_for(platform::PeerRole::city_host);
        order.unit = unit;
        order.directory = founded.directory.path / "bad";
        order.passphrase = bytes_of(words);
        const auto refused = host::keys::deploy(order, founded.city, founded.random, founded.clock);
        CHECK_FALSE(refused.has_value());
        CHECK_FALSE(std::filesystem::exists(order.directory));
    }
}

TEST_CASE("validity: a year from 29 February ends on the 28th") {
    const platform::ManualClock leap{
        protocol::DateTime{*protocol::Date::make(2024, 2, 29), *protocol::Time::make(12, 0, 0)}};
    const auto validity = host::keys::validity_of(leap, 1);
    CHECK(validity.not_before.date == *protocol::Date::make(2024, 2, 29));
    CHECK(validity.not_after.date == *protocol::Date::make(2025, 2, 28));
}
