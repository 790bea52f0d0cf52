// crypto/keys: what every key store promises, wherever its secrets are. docs/key_store.md.
#include "tests/crypto/key_store_fixture.hpp"

using namespace tests;
using Fixture = KeyStoreFixture;

TEST_CASE("key store: an added key is found by its whole name, described and revealed") {
    Fixture f;
    const Store store = f.create();
    const auto key = add(*store, tac_name, KeyState::active, tac_secret);
    REQUIRE(key.has_value());
    CHECK(store->find(tac_name) == key);
    CHECK(store->describe(*key)->name == tac_name);
    CHECK(store->describe(*key)->size == 16);
    CHECK(reveal(*store, *key) == to_hex(tac_secret));
    auto other = tac_name;
    other.version = protocol::KeyVersion{2};
    CHECK(store->find(other).error() == KeyError::key_unknown);
    other = tac_name;
    other.use = KeyUse::load;
    CHECK(store->find(other).error() == KeyError::key_unknown);
    other = tac_name;
    other.label = "city/3101";
    CHECK(store->find(other).error() == KeyError::key_unknown);
}

TEST_CASE("key store: a name is taken once, whatever became of the key") {
    Fixture f;
    const Store store = f.create();
    const auto key = add(*store, tac_name, KeyState::active, tac_secret);
    REQUIRE(key.has_value());
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).error() == KeyError::key_exists);
    REQUIRE(set_state(*store, *key, KeyState::destroyed).has_value());
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).error() == KeyError::key_exists);
    CHECK(store->list().size() == own_keys + 1);
}

TEST_CASE("key store: labels and sizes outside the format are refused") {
    Fixture f;
    const Store store = f.create();
    for (const std::string& label :
         {std::string{}, std::string(65, 'a'), std::string{"a\nb"}, std::string{"caf\xC3\xA9"}}) {
        auto name = tac_name;
        name.label = label;
        CHECK(add(*store, name, KeyState::active, tac_secret).error() == KeyError::key_label_wrong);
    }
    for (const std::size_t size : {0U, 8U, 15U, 17U, 24U, 32U}) {
        const FileBytes secret(size, 1);
        CHECK(add(*store, tac_name, KeyState::active, secret).error() == KeyError::key_size_wrong);
        CHECK(generate(*store, tac_name, KeyState::active, size, f.random).error() ==
              KeyError::key_size_wrong);
    }
    CHECK(add(*store, tac_name, KeyState::destroyed, tac_secret).error() ==
          KeyError::key_state_forbids);
    CHECK(store->list().size() == own_keys);
}

TEST_CASE("key store: check values are E(key, zeros), and never the key") {
    Fixture f;
    const Store store = f.create();
    // SM4 of zeros by OpenSSL 3.0. 3DES: the zero key's check value, as printed in every HSM
    // manual.
    const auto sm4 = add(*store, tac_name, KeyState::active, tac_secret);
    const auto des = add(*store, load_name, KeyState::active, FileBytes(16, 0));
    REQUIRE((sm4 && des));
    CHECK(to_hex(*store->check_value(*sm4)) == "2677F4");
    CHECK(to_hex(*store->check_value(*des)) == "8CA64D");
}

TEST_CASE("key store: derive gives the card's key, issuer's factor first (docs/algorithms.md, 2)") {
    Fixture f;
    const Store store = f.create();
    for (const auto& vector : tests::read_vectors("crypto/purse_sm4.vec")) {
        if (vector.text("Operation") != "diversify") continue;
        const auto key = add(*store, tac_name, KeyState::active, vector.bytes("Key"));
        REQUIRE(key.has_value());
        const std::array factors{crypto::purse::Factor{vector.bytes<8>("Issuer")},
                                 crypto::purse::Factor{vector.bytes<8>("Card")}};
        const auto card = store->derive(*key, factors);
        REQUIRE(card.has_value());
        CHECK(to_hex(card->value.bytes()) == vector.text("CardKey"));
        CHECK(store->derive(*key, {}).error() == KeyError::key_algorithm_wrong);
    }
    CHECK(store->list().size() == own_keys + 1);
}

TEST_CASE("key store: derive refuses keys that are not a purse's, and states that forbid use") {
    Fixture f;
    const Store store = f.create();
    const std::array factors{crypto::purse::Factor{}};
    const KeyName aes{"city/3100", KeyUse::key_wrapping, KeyAlgorithm::aes,
                      protocol::KeyVersion{1}};
    const auto wrapping = add(*store, aes, KeyState::active, FileBytes(16, 7));
    const auto longer = add(*store, load_name, KeyState::active, FileBytes(24, 7));
    const auto planned = add(*store, tac_name, KeyState::planned, tac_secret);
    REQUIRE((wrapping && longer && planned));
    CHECK(store->derive(*wrapping, factors).error() == KeyError::key_algorithm_wrong);
    CHECK(store->derive(*longer, factors).error() == KeyError::key_algorithm_wrong);
    CHECK(store->derive(*planned, factors).error() == KeyError::key_state_forbids);
    REQUIRE(set_state(*store, *planned, KeyState::active).has_value());
    CHECK(store->derive(*planned, factors).has_value());
    REQUIRE(set_state(*store, *planned, KeyState::verify_only).has_value());
    CHECK(store->derive(*planned, factors).has_value());
    REQUIRE(set_state(*store, *planned, KeyState::retired).has_value());
    CHECK(store->derive(*planned, factors).error() == KeyError::key_state_forbids);
}

TEST_CASE("key store: states only move forwards, and a destroyed key has nothing left") {
    Fixture f;
    const Store store = f.create();
    const auto key = add(*store, tac_name, KeyState::verify_only, tac_secret);
    REQUIRE(key.has_value());
    for (const KeyState back : {KeyState::planned, KeyState::active, KeyState::verify_only}) {
        CHECK(set_state(*store, *key, back).error() == KeyError::key_state_forbids);
    }
    CHECK(set_state(*store, *key, static_cast<KeyState>(6)).error() == KeyError::key_state_forbids);
    REQUIRE(set_state(*store, *key, KeyState::destroyed).has_value());
    FileBytes out(16);
    CHECK(store->reveal(*key, out).error() == KeyError::key_state_forbids);
    CHECK(store->check_value(*key).error() == KeyError::key_state_forbids);
    CHECK(store->describe(*key)->size == 0);
    CHECK(set_state(*store, *key, KeyState::destroyed).error() == KeyError::key_state_forbids);
}

TEST_CASE("key store: an id from nowhere, or a buffer of another size, is refused") {
    Fixture f;
    const Store store = f.create();
    const auto key = add(*store, tac_name, KeyState::active, tac_secret);
    REQUIRE(key.has_value());
    const KeyId nowhere{key->value() + 1};
    FileBytes out(16);
    CHECK(store->describe(nowhere).error() == KeyError::key_unknown);
    CHECK(store->check_value(nowhere).error() == KeyError::key_unknown);
    CHECK(store->reveal(nowhere, out).error() == KeyError::key_unknown);
    CHECK(set_state(*store, nowhere, KeyState::retired).error() == KeyError::key_unknown);
    FileBytes small(15);
    CHECK(store->reveal(*key, small).error() == KeyError::key_size_wrong);
}

TEST_CASE("key store: generated keys come from the given source and differ") {
    Fixture f;
    const Store store = f.create();
    auto second = tac_name;
    second.version = protocol::KeyVersion{2};
    crypto::SeededRandom random{1};
    crypto::SeededRandom same{1};
    const auto one = generate(*store, tac_name, KeyState::active, 16, random);
    const auto two = generate(*store, second, KeyState::active, 16, random);
    REQUIRE((one && two));
    FileBytes expected(16);
    same.fill(expected);
    CHECK(reveal(*store, *one) == to_hex(expected));
    CHECK(reveal(*store, *two) != to_hex(expected));
}
