#pragma once
// The store under test: a sealed file, or one whose secrets are in a SoftHSM2 token. The build says
// which, so that the same tests hold both to the same promises.
#include "tests/crypto/key_store_support.hpp"
#ifdef ONECARD_TEST_TOKEN
#include "crypto/keys/pkcs11/token_vault.hpp"
#include "tests/crypto/pkcs11_fixture.hpp"
#endif

namespace tests {

struct KeyStoreFixture {
    KeyDirectory directory;
    crypto::SeededRandom random{42, "keys"};
    const FileBytes passphrase = from_hex("636F727265637420686F72736520626174746572792073746170");
    const FileBytes second = from_hex("616E6F74686572206F6E65");
#ifdef ONECARD_TEST_TOKEN
    SoftHsm hsm;
    std::string serial = hsm.make_token(token_label);
    const char* module = ONECARD_SOFTHSM2;
    VaultOpener opener() const { return p11::vault_opener(module); }
    std::optional<TokenPlan> token() const { return TokenPlan{serial, text(user_pin), opener()}; }
#else
    static VaultOpener opener() { return {}; }
    static std::optional<TokenPlan> token() { return std::nullopt; }
#endif

    StorePlan plan(unsigned quorum = 1) const {
        StorePlan out{Purpose::rehearsal, quorum, {{"service", passphrase}}, cheap, token()};
        if (quorum == 2) out.custodians.push_back({"second", second});
        return out;
    }
    Store create(unsigned quorum = 1) {
        auto store = create_sealed_file(directory.file(), plan(quorum), command("create"), random);
        if (!store) FAIL(name(store.error()));
        return std::move(*store);
    }
    KeyResult<Store> open() { return open_with(opener()); }
    KeyResult<Store> open_with(const VaultOpener& with) {
        auto opening = StoreOpening::read(directory.file());
        REQUIRE(opening.has_value());
        REQUIRE(opening->present("service", passphrase).has_value());
        if (opening->identity().quorum == 2) {
            REQUIRE(opening->present("second", second).has_value());
        }
        return std::move(*opening).open(random, with);
    }
};

}  // namespace tests
