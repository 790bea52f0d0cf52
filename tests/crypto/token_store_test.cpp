// crypto/keys: what a token adds to a key store's promises. docs/key_store.md, "With a token".
#include "crypto/keys/p256.hpp"
#include "tests/crypto/key_store_fixture.hpp"
#include "tests/crypto/pkcs11_openssl.hpp"

using namespace tests;
using Fixture = KeyStoreFixture;

namespace {

const KeyName lock_name{"city/3100", KeyUse::application_lock, KeyAlgorithm::triple_des,
                        protocol::KeyVersion{1}};
const KeyName root_name{"national", KeyUse::purchase, KeyAlgorithm::triple_des,
                        protocol::KeyVersion{1}};
const KeyName authority_name{"city/3100", KeyUse::certificate_authority,
                             KeyAlgorithm::p256_private, protocol::KeyVersion{1}};
const FileBytes des_secret = from_hex("0123456789ABCDEFFEDCBA9876543210");

/// Objects of ours in the token, without the sealing key; with the store closed, since a token is
/// opened once in a process.
std::size_t objects_inside(const Fixture& f) {
    const auto module = good(p11::Module::load(ONECARD_SOFTHSM2));
    const auto token = good(p11::Token::open(module, {{}, f.serial}, text(user_pin)));
    std::size_t count = 0;
    for (const auto& object : good(token->list())) {
        if (object.object_class != p11::ObjectClass::public_key) ++count;
    }
    return count - 1;
}

}  // namespace

TEST_CASE("token store: a program's 3DES masters stay inside, and derive there what they should") {
    Fixture f;
    const Store store = f.create();
    const auto key = add(*store, lock_name, KeyState::active, des_secret);
    REQUIRE(key.has_value());
    FileBytes out(16);
    CHECK(store->reveal(*key, out).error() == KeyError::not_revealable);
    const std::array factors{crypto::purse::Factor{{0x31, 0x04, 0, 0, 0, 0, 0, 0x01}},
                             crypto::purse::Factor{{0, 0, 0, 0, 0, 0, 0x12, 0x34}}};
    const auto derived = store->derive(*key, factors);
    REQUIRE(derived.has_value());
    crypto::purse::PurseKey expected{protocol::Suite::triple_des,
                                     std::span<const std::uint8_t, 16>{des_secret}};
    for (const auto& factor : factors) expected = crypto::purse::diversify(expected, factor);
    CHECK(to_hex(derived->value.bytes()) == to_hex(expected.value.bytes()));
}

TEST_CASE("token store: what it must give out or cannot compute with is sealed, not inside") {
    Fixture f;
    Store store = f.create();
    for (const KeyName& name : {tac_name, load_name, root_name}) {
        const auto key = add(*store, name, KeyState::active, des_secret);
        REQUIRE(key.has_value());
        CHECK(reveal(*store, *key) == to_hex(des_secret));
    }
    store.reset();
    CHECK(objects_inside(f) == 0);
    // Of a store that people open, even what could stay inside: its keys go to other stores.
    Fixture people;
    Store city = people.create(2);
    const auto lock = add(*city, lock_name, KeyState::active, des_secret);
    REQUIRE(lock.has_value());
    CHECK(reveal(*city, *lock) == to_hex(des_secret));
}

TEST_CASE("token store: nothing of a secret is in the file, and the file alone opens nothing") {
    Fixture f;
    {
        const Store store = f.create();
        REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    }
    CHECK(f.open_with({}).error() == KeyError::token_missing);
    CHECK(f.open_with(p11::vault_opener("/nowhere/module.so")).error() == KeyError::token_missing);
    const auto again = f.open();
    REQUIRE(again.has_value());
    CHECK(reveal(**again, *(*again)->find(tac_name)) == to_hex(tac_secret));
    const KeyName pin{"token/" + f.serial, KeyUse::token_pin, KeyAlgorithm::passphrase,
                      protocol::KeyVersion{1}};
    const auto pin_id = (*again)->find(pin);
    REQUIRE(pin_id.has_value());
    FileBytes out(user_pin.size());
    CHECK((*again)->reveal(*pin_id, out).error() == KeyError::not_revealable);
}

TEST_CASE("token store: an authority's key is made inside and signs there (FIPS 186-4, 6.4)") {
    Fixture f;
    const Store store = f.create(2);
    const auto key = generate(*store, authority_name, KeyState::active, 32, f.random);
    REQUIRE(key.has_value());
    FileBytes out(32);
    CHECK(store->reveal(*key, out).error() == KeyError::not_revealable);
    std::array<std::uint8_t, 32> digest{};
    digest.fill(0xA5);
    const auto signature = store->sign_p256(*key, digest);
    const auto point = store->p256_public(*key);
    REQUIRE((signature && point));
    p11::P256Point uncompressed{0x04};  // SEC 1, 2.3.3
    std::ranges::copy(*point, uncompressed.begin() + 1);
    CHECK(openssl_verifies(uncompressed, digest, *signature));
    digest[0] ^= 1;
    CHECK_FALSE(openssl_verifies(uncompressed, digest, *signature));
    REQUIRE(set_state(*store, *key, KeyState::verify_only).has_value());
    CHECK(store->sign_p256(*key, digest).error() == KeyError::key_state_forbids);
}

TEST_CASE("token store: a destroyed key is gone from the token, a forgotten change too") {
    Fixture f;
    {
        const Store store = f.create();
        const auto key = add(*store, lock_name, KeyState::active, des_secret);
        REQUIRE(key.has_value());
        auto change = Change::begin(*store, command());
        REQUIRE(change.has_value());
        auto other = lock_name;
        other.version = protocol::KeyVersion{2};
        REQUIRE(store->add(other, KeyState::active, des_secret).has_value());
    }
    CHECK(objects_inside(f) == 1);
    {
        const auto store = f.open();
        REQUIRE(store.has_value());
        REQUIRE(set_state(**store, *(*store)->find(lock_name), KeyState::destroyed).has_value());
    }
    CHECK(objects_inside(f) == 0);
}

TEST_CASE("token store: what a killed change left in the token is swept by the next one") {
    Fixture f;
    const FileBytes file = [&] {
        const Store store = f.create();
        REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
        std::ifstream in{f.directory.file(), std::ios::binary};
        return FileBytes{std::istreambuf_iterator<char>{in}, {}};
    }();
    {
        const auto store = f.open();
        REQUIRE(add(**store, lock_name, KeyState::active, des_secret).has_value());
    }
    // As if the kill had come before the file was renamed: the object is there, the file is old.
    std::ofstream{f.directory.file(), std::ios::binary | std::ios::trunc}.write(
        reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    CHECK(objects_inside(f) == 1);
    {
        const auto store = f.open();
        REQUIRE(store.has_value());
        CHECK((*store)->find(lock_name).error() == KeyError::key_unknown);
        REQUIRE(add(**store, load_name, KeyState::active, des_secret).has_value());
    }
    CHECK(objects_inside(f) == 0);
}

TEST_CASE("token store: another token, or a PIN changed at the token, is refused by name") {
    Fixture f;
    REQUIRE(add(*f.create(), lock_name, KeyState::active, des_secret).has_value());
    Fixture other;  // SoftHSM2 reads the other directory now
    CHECK(f.open().error() == KeyError::token_missing);
    const auto wrong = StorePlan{Purpose::rehearsal,
                                 1,
                                 {{"service", other.passphrase}},
                                 cheap,
                                 TokenPlan{other.serial, text("not the PIN"), other.opener()}};
    CHECK(create_sealed_file(other.directory.file(), wrong, command(), other.random).error() ==
          KeyError::token_pin_wrong);
    CHECK_FALSE(std::filesystem::exists(other.directory.file()));
}
