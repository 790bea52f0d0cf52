// Certificates inside chips, made and revoked from the stores of the nation and a city.
// docs/card_certificates.md, 4.
#include "host/keys/chip_certificates.hpp"

#include "crypto/keys/scheme_key.hpp"
#include "platform/mask.hpp"
#include "tests/host/keys/certificate_scene.hpp"

namespace {

using crypto::keys::CardExpiry;
using host::keys::ChipCertificateKind;
using host::keys::ChipFamily;
using host::keys::ChipIssuerOrder;
using host::keys::ChipOrder;
using host::keys::ChipRoot;
using keys_test::FoundedCity;
using keys_test::kind_of;

constexpr CardExpiry root_expiry{0x12, 0x45};
constexpr CardExpiry issuer_expiry{0x12, 0x35};
constexpr CardExpiry card_expiry{0x06, 0x31};
constexpr CardExpiry past{0x12, 0x25};
constexpr std::array<std::uint8_t, 5> rid{0xA0, 0x00, 0x00, 0x03, 0x33};
constexpr const char* pan = "3104820000000000017";

/// The bytes of "name: HEX".
std::vector<std::uint8_t> value(const std::string& text, const std::string& name) {
    const auto at = text.find(name + ": ");
    REQUIRE(at != std::string::npos);
    const auto begin = at + name.size() + 2;
    return platform::from_hex(text.substr(begin, text.find('\n', begin) - begin)).value();
}

struct Scene {
    FoundedCity founded;

    auto root(ChipFamily family, std::uint8_t index = 1, CardExpiry expiry = root_expiry) {
        return certify_root(founded.nation, {family, rid, index}, expiry, founded.random,
                            founded.random, founded.clock);
    }
    auto issuer(const ChipIssuerOrder& order) {
        return certify_issuer(founded.nation, founded.city, order, founded.random, founded.random,
                              founded.clock);
    }
    static ChipIssuerOrder issuer_order(ChipFamily family) {
        return {{family, rid, 1}, "310482", issuer_expiry};
    }
    auto chip(const ChipOrder& order) {
        return certify_chip(founded.city, order, founded.random, founded.clock);
    }
    ChipOrder card_order() {
        const auto key = crypto::sm2::PrivateKey::generate(founded.random).value();
        return {ChipFamily::sm2, ChipCertificateKind::card, pan,
                card_expiry,     key.public_key(),          {1, 2, 3}};
    }
    /// Root and issuer are there.
    void founded_issuer(ChipFamily family) {
        REQUIRE(root(family));
        REQUIRE(issuer(issuer_order(family)));
    }
    host::keys::ChipRegister known() {
        return host::keys::fold_chips(founded.city.store->log()).value();
    }
};

host::keys::Result<host::keys::ChipPublicKey> rsa_key(const std::string& modulus,
                                                      const std::string& exponent) {
    return host::keys::parse_chip_key(ChipFamily::rsa,
                                      "modulus: " + modulus + "\nexponent: " + exponent + "\n");
}

}  // namespace

TEST_CASE("SM2: root, issuer, card and SAM, each verified under the one above (JR/T 0025.17)") {
    Scene scene;
    const auto root_text = scene.root(ChipFamily::sm2).value().text;
    const auto issuer_text = scene.issuer(Scene::issuer_order(ChipFamily::sm2)).value().text;
    auto order = scene.card_order();
    const auto card_text = scene.chip(order).value().text;
    order.kind = ChipCertificateKind::sam;
    order.number = "31000000000000000001";
    order.key = scene.card_order().key;
    order.static_data.clear();
    const auto sam_text = scene.chip(order).value().text;
    const auto parsed = [](const std::string& text) {
        return crypto::keys::parse_sm2_certificate(value(text, "certificate")).value();
    };
    const auto root = parsed(root_text);
    const auto issuer = parsed(issuer_text);
    const std::vector<std::uint8_t> static_data{1, 2, 3};
    CHECK(verify_sm2_certificate(root, root, {}));
    CHECK(verify_sm2_certificate(issuer, root, {}));
    CHECK(verify_sm2_certificate(parsed(card_text), issuer, {static_data, {}, {}}));
    CHECK_FALSE(verify_sm2_certificate(parsed(card_text), issuer, {}));
    CHECK(verify_sm2_certificate(parsed(sam_text), issuer, {}));
    CHECK(scene.known().certificates.size() == 2);
    CHECK(scene.known().certificates.front().subject == "310482*********0017");
    CHECK(scene.known().certificates.back().serial == 2);
}

TEST_CASE("SM2: asked again it is the same serial, and a key is of one chip") {
    Scene scene;
    scene.founded_issuer(ChipFamily::sm2);
    CHECK(scene.root(ChipFamily::sm2).value().repeated);
    CHECK(scene.issuer(Scene::issuer_order(ChipFamily::sm2)).value().repeated);
    auto order = scene.card_order();
    const auto first = scene.chip(order).value();
    const auto again = scene.chip(order).value();
    CHECK_FALSE(first.repeated);
    CHECK(again.repeated);
    CHECK(again.entry.serial == first.entry.serial);
    order.number = "3104820000000000025";
    CHECK(kind_of(scene.chip(order)) == "key_certified");
    order.number = pan;
    order.expiry = issuer_expiry;  // a longer one: another certificate
    CHECK(scene.chip(order).value().entry.serial == first.entry.serial + 1);
    const auto city =
        chip_authority(scene.founded.city, ChipFamily::sm2, scene.founded.random).value();
    REQUIRE(revoke_chip(*scene.founded.city.store, ChipFamily::sm2, city.signer, first.entry.serial,
                        scene.founded.clock));
    CHECK(kind_of(scene.chip(order)) == "already_revoked");
}

TEST_CASE("SM2: refused where numbers, dates, keys or signers are wrong") {
    Scene scene;
    auto order = scene.card_order();
    CHECK(kind_of(scene.root(ChipFamily::sm2, 0)) == "input_wrong");
    CHECK(kind_of(scene.root(ChipFamily::sm2, 255)) == "input_wrong");
    CHECK(kind_of(scene.root(ChipFamily::sm2, 1, past)) == "certificate_expired");
    CHECK(kind_of(scene.issuer(Scene::issuer_order(ChipFamily::sm2))) == "certificate_unknown");
    REQUIRE(scene.root(ChipFamily::sm2));
    CHECK(kind_of(scene.chip(order)) == "certificate_unknown");

    auto issuer = Scene::issuer_order(ChipFamily::sm2);
    for (const char* wrong : {"", "31", "310482001", "31048F", "3104 2"}) {
        issuer.number = wrong;
        CHECK(kind_of(scene.issuer(issuer)) == "input_wrong");
    }
    issuer = Scene::issuer_order(ChipFamily::sm2);
    issuer.expiry = {0x01, 0x46};
    CHECK(kind_of(scene.issuer(issuer)) == "certificate_refused");
    issuer.expiry = past;
    CHECK(kind_of(scene.issuer(issuer)) == "certificate_expired");
    issuer.root.index = 2;
    CHECK(kind_of(scene.issuer(issuer)) == "certificate_unknown");
    REQUIRE(scene.issuer(Scene::issuer_order(ChipFamily::sm2)));

    order.number = "4403820000000000017";
    CHECK(kind_of(scene.chip(order)) == "city_mismatch");
    for (const char* wrong : {"", "31048200000", "310482000000000000171", "310482000000000F"}) {
        order.number = wrong;
        CHECK(kind_of(scene.chip(order)) == "input_wrong");
    }
    order.number = pan;
    order.expiry = {0x01, 0x36};
    CHECK(kind_of(scene.chip(order)) == "certificate_refused");
    order.expiry = past;
    CHECK(kind_of(scene.chip(order)) == "certificate_expired");
    order.expiry = card_expiry;
    order.kind = ChipCertificateKind::sam;
    CHECK(kind_of(scene.chip(order)) == "input_wrong");  // 20 digits
    CHECK(scene.known().certificates.empty());
}

TEST_CASE("SM2: a signer's list names what it has revoked, its sequence rises by one") {
    Scene scene;
    scene.founded_issuer(ChipFamily::sm2);
    const auto card = scene.chip(scene.card_order()).value();
    auto& store = *scene.founded.city.store;
    const auto city =
        chip_authority(scene.founded.city, ChipFamily::sm2, scene.founded.random).value();
    const auto revoke = [&](const std::string& signer, std::uint32_t serial) {
        return revoke_chip(store, ChipFamily::sm2, signer, serial, scene.founded.clock);
    };
    const auto list = [&] {
        return host::keys::write_chip_list(store, city.key, city.signer, scene.founded.random,
                                           scene.founded.clock);
    };
    CHECK(list().value().list.serials.empty());
    CHECK(kind_of(revoke(city.signer, card.entry.serial + 1)) == "certificate_unknown");
    CHECK(kind_of(revoke("12345678", card.entry.serial)) == "certificate_unknown");
    CHECK(kind_of(revoke(city.signer, card.entry.serial)) == "accepted");
    CHECK(kind_of(revoke(city.signer, card.entry.serial)) == "already_revoked");
    const auto written = list().value();
    CHECK(written.list.sequence == 2);
    CHECK(written.list.serials.size() == 1);
    const auto issuer = crypto::keys::parse_sm2_certificate(
        value(scene.issuer(Scene::issuer_order(ChipFamily::sm2)).value().text, "certificate"));
    const auto opened =
        crypto::keys::open_revocation_list(value(written.text, "list"), issuer.value(), 2);
    REQUIRE(opened.has_value());
    CHECK(opened->contains({0, 0, 1}));
    CHECK_FALSE(crypto::keys::open_revocation_list(value(written.text, "list"), issuer.value(), 3));
    scene.founded.clock.advance_ms(6 * 366 * keys_test::day_ms);  // the card's month has passed
    CHECK(list().value().list.serials.empty());
}

TEST_CASE("SM2: an issuer's certificate is revoked at the nation, and its key gets no other") {
    Scene scene;
    scene.founded_issuer(ChipFamily::sm2);
    const auto root = host::keys::chip_authority(ChipRoot{ChipFamily::sm2, rid, 1});
    auto& store = *scene.founded.nation.store;
    CHECK(kind_of(revoke_chip(store, ChipFamily::sm2, root.signer, 2, scene.founded.clock)) ==
          "accepted");
    auto order = Scene::issuer_order(ChipFamily::sm2);
    CHECK(kind_of(scene.issuer(order)) == "already_revoked");
    order.new_key = true;
    CHECK(scene.issuer(order).value().entry.serial == 3);
    CHECK(kind_of(scene.chip(scene.card_order())) == "accepted");
    const auto list = host::keys::write_chip_list(store, root.key, root.signer,
                                                  scene.founded.random, scene.founded.clock);
    CHECK(list.value().list.serials.size() == 1);
}

TEST_CASE("SM2: a second root counts its own serials, whatever the first has signed") {
    Scene scene;
    scene.founded_issuer(ChipFamily::sm2);
    REQUIRE(scene.root(ChipFamily::sm2, 2));
    auto order = Scene::issuer_order(ChipFamily::sm2);
    order.root.index = 2;
    const auto under_second = scene.issuer(order).value();
    CHECK_FALSE(under_second.repeated);
    CHECK(under_second.entry.serial == 2);  // 1 is the root's own
    CHECK(scene.issuer(order).value().repeated);
    const auto known = host::keys::fold_chips(scene.founded.nation.store->log()).value();
    CHECK(known.certificates.size() == 4);
}

TEST_CASE("SM2: a refused new key changes nothing, and one that waits is gone on with") {
    Scene scene;
    scene.founded_issuer(ChipFamily::sm2);
    const auto versions = [&] {
        return std::ranges::count_if(scene.founded.city.store->list(), [](const auto& key) {
            return key.name.use == host::keys::KeyUse::card_certificate_authority;
        });
    };
    auto order = Scene::issuer_order(ChipFamily::sm2);
    order.new_key = true;
    order.expiry = {0x01, 0x46};  // after the root's
    CHECK(kind_of(scene.issuer(order)) == "certificate_refused");
    CHECK(versions() == 1);
    auto card = scene.card_order();
    const auto before = scene.chip(card).value();
    order.expiry = issuer_expiry;
    const auto renewed = scene.issuer(order).value();
    CHECK_FALSE(renewed.repeated);
    CHECK(versions() == 2);
    // The same card under the new key is another certificate.
    const auto after = scene.chip(card).value();
    CHECK_FALSE(after.repeated);
    CHECK(after.entry.serial == before.entry.serial + 1);
    CHECK(after.entry.signer_key == renewed.entry.fingerprint);
}

TEST_CASE("SM2: an issuer's number is one city's, its nation is its own, its key is no card's") {
    Scene scene;
    scene.founded_issuer(ChipFamily::sm2);
    host::keys::found_city({scene.founded.directory.path / "other", keys_test::two_people(),
                            host::keys::Mark::rehearsal},
                           scene.founded.nation, protocol::CityCode{0x4401},
                           protocol::IssuerId{{0x44, 0x01, 0, 0, 0, 0, 0, 1}}, scene.founded.random,
                           scene.founded.clock)
        .value();
    auto other = host::keys::open_city(scene.founded.directory.path / "other",
                                       keys_test::two_people().people, scene.founded.random)
                     .value();
    auto order = Scene::issuer_order(ChipFamily::sm2);
    for (const char* number : {"310482", "310", "31048201"}) {
        order.number = number;
        CHECK(kind_of(certify_issuer(scene.founded.nation, other, order, scene.founded.random,
                                     scene.founded.random, scene.founded.clock)) ==
              "city_mismatch");
    }
    Scene stranger;
    REQUIRE(stranger.root(ChipFamily::sm2));
    CHECK(kind_of(certify_issuer(stranger.founded.nation, other, order, scene.founded.random,
                                 scene.founded.random, scene.founded.clock)) == "nation_mismatch");
    auto card = scene.card_order();
    const auto issuer = scene.issuer(Scene::issuer_order(ChipFamily::sm2)).value();
    card.key = crypto::keys::parse_sm2_certificate(value(issuer.text, "certificate")).value().key;
    CHECK(kind_of(scene.chip(card)) == "key_certified");
    auto sam = scene.card_order();
    sam.kind = ChipCertificateKind::sam;
    sam.number = "31000000000000000001";
    CHECK(kind_of(scene.chip(sam)) == "input_wrong");  // it has no static data
}

TEST_CASE("RSA: scheme key, issuer and card, recovered one under the other (EMV 4.4 Book 2, 6)") {
    Scene scene;
    const auto record = scene.root(ChipFamily::rsa).value().text;
    const auto scheme = crypto::keys::read_scheme_key(value(record, "record")).value();
    CHECK(scheme.index == 1);
    CHECK(scheme.key.modulus.size() == 248);
    const auto issuer = scene.issuer(Scene::issuer_order(ChipFamily::rsa)).value().text;
    CHECK(issuer.find("remainder") == std::string::npos);  // 176 of 212 bytes
    const auto issuer_exponent = value(issuer, "exponent");
    const auto above = crypto::keys::recover_emv_certificate(
                           scheme.key, value(issuer, "certificate"), {{}, issuer_exponent, {}})
                           .value();
    const auto card_key =
        crypto::keys::generate_rsa(1152, crypto::keys::RsaExponent::three, scene.founded.random)
            .value();
    ChipOrder order{ChipFamily::rsa, ChipCertificateKind::card, pan,
                    card_expiry,     card_key.public_key,       {9, 8, 7}};
    const auto card = scene.chip(order).value().text;
    const auto exponent = value(card, "exponent");
    const auto certificate = value(card, "certificate");
    const auto remainder = value(card, "remainder");  // 144 bytes, room for 134
    CHECK(remainder.size() == 10);
    const auto read = crypto::keys::recover_emv_certificate(
                          above.key, certificate, {remainder, exponent, order.static_data})
                          .value();
    CHECK(read.hash_right);
    CHECK(read.key == card_key.public_key);
    CHECK(scene.chip(order).value().repeated);
    order.kind = ChipCertificateKind::sam;
    CHECK(kind_of(scene.chip(order)) == "input_wrong");
    const auto city =
        chip_authority(scene.founded.city, ChipFamily::rsa, scene.founded.random).value();
    CHECK(kind_of(host::keys::write_chip_list(*scene.founded.city.store, city.key, city.signer,
                                              scene.founded.random, scene.founded.clock)) ==
          "list_refused");
}

TEST_CASE("parse_chip_key: anything but a key of the family is refused") {
    const auto sm2 = [](const std::string& text) {
        return kind_of(host::keys::parse_chip_key(ChipFamily::sm2, text));
    };
    const std::string good =
        "32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7"
        "BC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0";  // GB/T 32918.5: G
    CHECK(sm2("key: " + good + "\n") == "accepted");
    CHECK(sm2("key: " + good + "\r\n") == "accepted");
    for (const std::string& wrong :
         {std::string{}, good, "key: " + good.substr(2), "key: " + good + "00",
          "key: " + std::string(128, '0'), "key: " + good + "\nkey: " + good}) {
        CHECK(sm2(wrong) == "input_wrong");
    }
    CHECK(kind_of(rsa_key("", "03")) == "input_wrong");
    CHECK(kind_of(rsa_key("xy", "03")) == "input_wrong");
    CHECK(kind_of(host::keys::parse_chip_key(ChipFamily::rsa, "modulus: 0102\n")) == "input_wrong");
}

TEST_CASE("RSA: a card's key that is none, or longer than its issuer's, is not certified") {
    Scene scene;
    scene.founded_issuer(ChipFamily::rsa);
    ChipOrder order{ChipFamily::rsa, ChipCertificateKind::card,    pan,
                    card_expiry,     crypto::keys::RsaPublicKey{}, {}};
    const auto refused = [&](const std::string& modulus, const std::string& exponent) {
        order.key = rsa_key(modulus, exponent).value();
        return kind_of(scene.chip(order));
    };
    const std::string odd(256, 'F');
    CHECK(refused(odd, "05") == "certificate_refused");
    CHECK(refused("00" + odd, "03") == "certificate_refused");
    CHECK(refused(std::string(62, 'F'), "03") == "certificate_refused");
    CHECK(refused(std::string(400, 'F'), "03") == "certificate_refused");
    CHECK(scene.known().certificates.empty());
    CHECK(refused(odd, "03") == "accepted");
}

TEST_CASE("fold_chips: an entry of ours that lacks a member is named") {
    const auto fold = [](const std::string& command, const std::string& detail) {
        const std::array log{
            crypto::keys::LogEntry{R"({"n":1,"at":"2026-01-01T00:00:00Z","command":")" + command +
                                       R"(","detail":)" + detail + "}",
                                   {}}};
        return host::keys::fold_chips(log);
    };
    const std::string whole =
        R"({"family":"sm2","kind":"card","subject":"3104","signer":"310482FF",)"
        R"("certificate":"0000FF","fingerprint":"AB","expiry":"0634"})";
    CHECK(fold("chip-certificate", whole).value().next_serial(ChipFamily::sm2, "310482FF") ==
          0x100);
    for (const char* part :
         {"\"sm2\"", "\"card\"", "\"3104\"", "\"310482FF\"", "\"0000FF\"", "\"AB\"", "\"0634\""}) {
        INFO(part);
        std::string without = whole;
        without.replace(without.find(part), std::string_view{part}.size(), "\"\"");
        CHECK(kind_of(fold("chip-certificate", without)) == "log_malformed");
    }
    std::string last = whole;
    last.replace(last.find("0000FF"), 6, "FFFFFF");
    CHECK_FALSE(fold("chip-certificate", last).value().next_serial(ChipFamily::sm2, "310482FF"));
    CHECK(kind_of(fold("chip-issuer", "{}")) == "log_malformed");
    CHECK(kind_of(fold("chip-issuer", R"({"family":"sm2","number":"310482FF","expiry":"1399"})")) ==
          "log_malformed");
    CHECK(kind_of(fold("chip-revoked", R"({"family":"sm2"})")) == "log_malformed");
    CHECK(kind_of(fold("chip-list", R"({"signer":"310482FF"})")) == "log_malformed");
    CHECK(kind_of(fold("something-else", "{}")) == "accepted");
}
