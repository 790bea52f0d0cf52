// Which versions a host accepts: active and verify_only, by its store's states.
// docs/rotation.md, 1.
#include <doctest/doctest.h>

#include "host/clearing/issuer.hpp"
#include "host/service/key_store_keys.hpp"
#include "tests/host/keys/founded_city.hpp"

using crypto::keys::city_key;
using crypto::keys::KeyState;
using host::keys::KeyUse;
using host::keys::Suite;
using keys_test::city_code;
using keys_test::FoundedCity;
using keys_test::issuer_id;
using protocol::KeyVersion;

namespace {

constexpr protocol::CardNumber card{{0x03, 0x10, 0x48, 0, 0, 0, 0, 0, 0, 0x17}};
constexpr std::array states{KeyState::active, KeyState::verify_only, KeyState::planned,
                            KeyState::retired, KeyState::destroyed};

/// A host's store whose versions 1 to 5 are in the five states, in this order.
struct Host {
    FoundedCity founded;
    std::unique_ptr<host::keys::KeyStore> store;

    Host() {
        host::keys::DeploymentOrder order;
        order.role = platform::PeerRole::city_host;
        order.unit = "host-1";
        store = founded.deploy(order, "host");
        auto change =
            host::keys::StoreChange::begin(*store, host::keys::command(founded.clock, "states"))
                .value();
        for (std::uint8_t i = 1; i < states.size(); ++i) {
            for (const KeyUse use : {KeyUse::load, KeyUse::transaction_certificate}) {
                const auto name = city_key(city_code, use, Suite::sm4,
                                           KeyVersion{static_cast<std::uint8_t>(i + 1)});
                const auto made =
                    store->generate(name, KeyState::planned, 16, founded.random).value();
                if (states.at(i) != KeyState::planned) {
                    REQUIRE(store->set_state(made, states.at(i)).has_value());
                }
            }
        }
        REQUIRE(change.commit().has_value());
    }
    [[nodiscard]] std::unique_ptr<host::Keys> keys() {
        return host::keys_from(*store, city_code, issuer_id, founded.random).value();
    }
};

}  // namespace

TEST_CASE("host window: loads and TACs go by active and verify_only and nothing else") {
    Host place;
    const auto keys = place.keys();
    for (std::uint8_t version = 1; version <= 6; ++version) {
        CAPTURE(version);
        const bool inside = version <= 2;  // 6: nobody has made it
        CHECK(keys->load_key(card, Suite::sm4, KeyVersion{version}).has_value() == inside);
        CHECK(
            keys->tac_masters()
                .find({issuer_id, crypto::batch::KeyPurpose::tac, KeyVersion{version}, Suite::sm4})
                .has_value() == inside);
    }
    CHECK_FALSE(keys->load_key(card, Suite::triple_des, KeyVersion{2}).has_value());
    CHECK(keys->load_key(card, Suite::triple_des, KeyVersion{1}).has_value());
    CHECK(keys->tac_masters().size() == 3);
}

TEST_CASE("host window: each version is its own key, and TAC keys come newest first") {
    Host place;
    const auto keys = place.keys();
    const auto first = keys->load_key(card, Suite::sm4, KeyVersion{1}).value();
    const auto second = keys->load_key(card, Suite::sm4, KeyVersion{2}).value();
    CHECK_FALSE(std::ranges::equal(first.value.bytes(), second.value.bytes()));
    const auto tac_keys = keys->tac_keys(card, Suite::sm4);
    REQUIRE(tac_keys.size() == 2);
    for (std::size_t i = 0; i < tac_keys.size(); ++i) {
        const auto master = host::keys::reveal_purse(
            *place.store, city_key(city_code, KeyUse::transaction_certificate, Suite::sm4,
                                   KeyVersion{static_cast<std::uint8_t>(2 - i)}));
        const auto expected = crypto::purse::diversify(*master, crypto::purse::factor_of(card));
        CHECK(std::ranges::equal(tac_keys[i].value.bytes(), expected.value.bytes()));
    }
    CHECK(keys->tac_keys(card, Suite::triple_des).size() == 1);
}

TEST_CASE("host window: a debit's record is key_unknown outside and genuine inside") {
    Host place;
    const auto keys = place.keys();
    const host::ledger::Account payee{host::ledger::Purpose::payable,
                                      host::ledger::Participant::of(city_code)};
    std::vector<host::clearing::Submitted> records(6, {{}, {}, {}, payee});
    for (std::uint8_t i = 0; i < records.size(); ++i) {
        auto& record = records[i].record;
        record.kind = protocol::RecordKind::debit;
        record.issuer = issuer_id;
        record.card = card;
        record.suite = Suite::sm4;
        record.key_version = KeyVersion{static_cast<std::uint8_t>(i + 1)};
        record.amount = protocol::Money::from_fen(200);
        const auto name =
            city_key(city_code, KeyUse::transaction_certificate, Suite::sm4, record.key_version);
        const auto master = host::keys::reveal_purse(*place.store, name);
        if (!master) continue;  // destroyed, or never made
        record.tac = crypto::purse::tac(
            crypto::purse::diversify(*master, crypto::purse::factor_of(card)),
            protocol::purchase_tac_input(record.amount, record.type, record.terminal,
                                         record.terminal_sequence, record.when));
    }
    host::clearing::check_tacs(*keys, records, 1);
    for (std::size_t i = 0; i < records.size(); ++i) {
        CAPTURE(i + 1);
        CHECK(records[i].key_known == (i < 2));
        CHECK(records[i].tac_genuine == (i < 2));
    }
}

TEST_CASE("host window: without any TAC key in the window the host does not start") {
    Host place;
    auto change = host::keys::StoreChange::begin(*place.store,
                                                 host::keys::command(place.founded.clock, "retire"))
                      .value();
    for (const auto& key : place.store->list()) {
        if (key.name.use == KeyUse::transaction_certificate && key.state < KeyState::retired) {
            REQUIRE(place.store->set_state(*place.store->find(key.name), KeyState::retired));
        }
    }
    REQUIRE(change.commit().has_value());
    const auto refused = host::keys_from(*place.store, city_code, issuer_id, place.founded.random);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error() == host::KeysRefusal::tac_master_missing);
}
