// crypto/keys: custodians who open a store with tokens of their own. docs/key_store.md, 2.
#include "crypto/keys/pkcs11/share_keeper.hpp"
#include "crypto/keys/pkcs11/token_vault.hpp"
#include "tests/crypto/pkcs11_fixture.hpp"
#include "tests/crypto/sealed_file_support.hpp"

namespace {

using namespace tests;

constexpr std::string_view first_words = "passphrase of the first";

/// The first opens with a passphrase, the second and the third with a token each.
struct Fixture : SealedFixture {
    explicit Fixture(const char* module_path = ONECARD_SOFTHSM2)
        : module{good(p11::Module::load(module_path))} {}

    SoftHsm hsm;
    std::string second_serial = hsm.make_token("second");
    std::string third_serial = hsm.make_token("third");
    std::shared_ptr<p11::Module> module;

    [[nodiscard]] NewCustodian holder(const std::string& name, const std::string& serial,
                                      std::string_view pin = user_pin) const {
        return {name, {}, p11::share_keeper(module, serial, tests::text(pin))};
    }
    [[nodiscard]] NewCustodian first() const { return {"first", text_bytes(first_words)}; }
    [[nodiscard]] NewCustodian second() const { return holder("second", second_serial); }
    [[nodiscard]] NewCustodian third() const { return holder("third", third_serial); }

    KeyResult<Store> create_for(unsigned quorum, std::vector<NewCustodian> who) {
        return create_sealed_file(path(), {Purpose::rehearsal, quorum, std::move(who), cheap},
                                  command("create"), random);
    }
    /// With a key in it.
    FileBytes create_two_of_three() {
        const auto store = create_for(2, {first(), second(), third()});
        if (!store) FAIL(name(store.error()));
        REQUIRE(add(**store, tac_name, KeyState::active, tac_secret).has_value());
        return read_all(path());
    }
    KeyResult<Store> open_by(const std::vector<NewCustodian>& who) {
        auto opening = StoreOpening::read(path());
        if (!opening) return std::unexpected{opening.error()};
        for (const NewCustodian& each : who) ONECARD_CHECK(opening->present(each));
        return std::move(*opening).open(random);
    }
    KeyError refusal_of(const NewCustodian& one) {
        auto opening = StoreOpening::read(path());
        REQUIRE(opening.has_value());
        const auto known = opening->present(one);
        REQUIRE_FALSE(known.has_value());
        return known.error();
    }
    /// After a change to the file, with its digest renewed: what its custodian is told.
    KeyError refusal_after(const FileBytes& good_file, const NewCustodian& one,
                           const std::function<void(AlteredFile&)>& change) {
        AlteredFile file{good_file};
        change(file);
        write_all(path(), file.bytes());
        return refusal_of(one);
    }
};

/// The same behind the test double.
struct Faulty : Fixture {
    Faulty() : Fixture{ONECARD_FAULTY_MODULE} { faults().reset(); }
    ~Faulty() { faults().reset(); }
    Faulty(const Faulty&) = delete;
    Faulty& operator=(const Faulty&) = delete;
    static const FaultyModule& faults() { return FaultyToken::faults(); }
};

}  // namespace

TEST_CASE("custodian tokens: passphrases and tokens make one quorum, in any order") {
    Fixture f;
    f.create_two_of_three();
    const std::vector<NewCustodian> all{f.first(), f.second(), f.third()};
    for (const NewCustodian& one : all) {
        CHECK(f.open_by({one}).error() == KeyError::quorum_missing);
        for (const NewCustodian& other : all) {
            if (one.name == other.name) continue;
            const auto store = f.open_by({one, other});
            REQUIRE(store.has_value());
            CHECK(reveal(**store, *(*store)->find(tac_name)) == to_hex(tac_secret));
        }
    }
    const StoreIdentity identity = StoreOpening::read(f.path())->identity();
    CHECK(identity.tokens == std::vector<std::string>{"", f.second_serial, f.third_serial});
}

TEST_CASE("custodian tokens: after a restart, with nothing but file, tokens and PINs") {
    Fixture f;
    f.create_two_of_three();
    f.module.reset();  // C_Finalize
    f.module = good(p11::Module::load(ONECARD_SOFTHSM2));
    CHECK(f.open_by({f.third(), f.second()}).has_value());
}

TEST_CASE("custodian tokens: the key that holds a share stays in its token, one for all stores") {
    Fixture f;
    const FileBytes file = f.create_two_of_three();
    Fixture* const same_tokens = &f;
    KeyDirectory elsewhere;
    auto other = create_sealed_file(elsewhere.file(),
                                    {Purpose::rehearsal, 1, {same_tokens->second()}, cheap},
                                    command("create"), f.random);
    REQUIRE(other.has_value());
    const auto token =
        good(p11::Token::open(f.module, {{}, f.second_serial}, tests::text(user_pin)));
    const auto objects = good(token->list());
    REQUIRE(objects.size() == 1);
    CHECK(objects[0].kept_inside);
    CHECK(objects[0].born_inside);
    CHECK(p11::has_exactly(objects[0], p11::Use::seal));
    // And nothing of the PIN in the file.
    const std::string bytes{file.begin(), file.end()};
    CHECK(bytes.find(user_pin) == std::string::npos);
}

TEST_CASE("custodian tokens: a wrong PIN is named, and the right one opens afterwards") {
    Fixture f;
    f.create_two_of_three();
    const auto wrong = f.holder("second", f.second_serial, "custodian 24602");
    CHECK(f.refusal_of(wrong) == KeyError::token_pin_wrong);
    CHECK(f.refusal_of(f.holder("second", f.second_serial, "")) == KeyError::token_pin_wrong);
    CHECK(f.open_by({f.first(), f.second()}).has_value());
    // Whoever has the PIN of one token has nothing of the other's.
    CHECK(f.open_by({f.first(), wrong}).error() == KeyError::token_pin_wrong);
    CHECK(f.create_for(1, {wrong}).error() == KeyError::token_pin_wrong);
}

TEST_CASE("custodian tokens: the PIN goes to no other token, whatever its label says") {
    Faulty f;
    f.create_two_of_three();
    const std::string twin = f.hsm.make_token("second");
    const unsigned logins = Faulty::faults().calls("C_Login");
    CHECK(f.refusal_of(f.holder("second", twin)) == KeyError::token_other);
    CHECK(f.refusal_of(f.holder("second", f.third_serial)) == KeyError::token_other);
    CHECK(Faulty::faults().calls("C_Login") == logins);
    CHECK(f.refusal_of(f.holder("second", "0000000000000000")) == KeyError::token_other);
}

TEST_CASE("custodian tokens: a token that is not there, goes away or locks its PIN is named") {
    Faulty f;
    f.create_two_of_three();
    const auto& faults = Faulty::faults();
    faults.fail("C_Login", 1, CKR_PIN_LOCKED, 1);
    CHECK(f.refusal_of(f.second()) == KeyError::token_pin_locked);
    faults.fail("C_Decrypt", 1, CKR_DEVICE_REMOVED, 9);
    CHECK(f.refusal_of(f.second()) == KeyError::token_gone);
    faults.reset();
    faults.remove();
    CHECK(f.refusal_of(f.second()) == KeyError::token_missing);
    CHECK(f.open_by({f.first(), f.second()}).error() == KeyError::token_missing);
    faults.put_back();
    CHECK(f.open_by({f.first(), f.second()}).has_value());
}

TEST_CASE("custodian tokens: passphrase and token are not taken for each other") {
    Fixture f;
    f.create_two_of_three();
    CHECK(f.refusal_of({"second", text_bytes(first_words)}) == KeyError::custodian_has_token);
    CHECK(f.refusal_of({"second", {}}) == KeyError::custodian_has_token);
    CHECK(f.refusal_of(f.holder("first", f.second_serial)) == KeyError::custodian_has_passphrase);
    REQUIRE(f.create_for(1, {f.second()}).error() == KeyError::file_exists);
    std::filesystem::remove(f.path());
    REQUIRE(f.create_for(1, {f.second()}).has_value());
    CHECK(f.open(text_bytes(user_pin)).error() == KeyError::custodian_has_token);
}

TEST_CASE(
    "custodian tokens: a share moved to another custodian, name, token or store opens nothing") {
    Fixture f;
    const FileBytes file = f.create_two_of_three();
    const auto after = [&](const NewCustodian& one, const auto& change) {
        return f.refusal_after(file, one, change);
    };
    CHECK(after(f.second(), [](AlteredFile& altered) {
              std::swap(altered.custodians[1].sealed_share, altered.custodians[2].sealed_share);
          }) == KeyError::token_other);
    const auto blob_of = [](const CustodianSlot& slot) {
        return FileBytes{slot.sealed_share.begin() + 1 + slot.sealed_share[0],
                         slot.sealed_share.end()};
    };
    CHECK(after(f.second(), [&](AlteredFile& altered) {  // the third's, as if of the second's token
              auto& share = altered.custodians[1].sealed_share;
              share.resize(std::size_t{1} + share[0]);
              const FileBytes blob = blob_of(altered.custodians[2]);
              share.insert(share.end(), blob.begin(), blob.end());
          }) == KeyError::share_refused);
    CHECK(after(f.holder("fourth", f.second_serial), [](AlteredFile& altered) {
              altered.custodians[1].name = "fourth";
          }) == KeyError::share_refused);
    KeyDirectory elsewhere;
    auto other = create_sealed_file(elsewhere.file(),
                                    {Purpose::rehearsal, 2, {f.first(), f.second()}, cheap},
                                    command("create"), f.random);
    REQUIRE(other.has_value());
    CHECK(after(f.second(), [&](AlteredFile& altered) {
              altered.custodians[1] = AlteredFile{read_all(elsewhere.file())}.custodians[1];
          }) == KeyError::share_refused);
    const std::string blank = f.hsm.make_token("blank");
    CHECK(after(f.holder("second", blank), [&](AlteredFile& altered) {
              std::ranges::copy(blank, altered.custodians[1].sealed_share.begin() + 1);
          }) == KeyError::token_key_missing);
}

TEST_CASE(
    "custodian tokens: every changed byte of a share is refused, and cut ones are malformed") {
    Fixture f;
    const FileBytes file = f.create_two_of_three();
    const std::size_t size = AlteredFile{file}.custodians[1].sealed_share.size();
    for (std::size_t at = 1 + f.second_serial.size(); at < size; at += 5) {
        CAPTURE(at);
        CHECK(f.refusal_after(file, f.second(), [&](AlteredFile& altered) {
            altered.custodians[1].sealed_share[at] ^= 0x10;
        }) == KeyError::share_refused);
    }
    const auto with = [&](const FileBytes& share) {
        return f.refusal_after(file, f.second(), [&](AlteredFile& altered) {
            altered.custodians[1].sealed_share = share;
        });
    };
    CHECK(with({}) == KeyError::malformed);
    CHECK(with({0}) == KeyError::malformed);
    CHECK(with({0, 'x'}) == KeyError::malformed);
    CHECK(with({16, 'x', 'y'}) == KeyError::malformed);
    CHECK(with({1, '\n', 'y'}) == KeyError::malformed);
    FileBytes long_serial(40, 'x');
    long_serial[0] = 17;
    CHECK(with(long_serial) == KeyError::malformed);
    FileBytes only_serial(f.second_serial.begin(), f.second_serial.end());
    only_serial.insert(only_serial.begin(), static_cast<std::uint8_t>(f.second_serial.size()));
    CHECK(with(only_serial) == KeyError::malformed);
    only_serial.push_back(0);
    CHECK(with(only_serial) == KeyError::share_refused);
}

TEST_CASE(
    "custodian tokens: one token for two would be one person, one PIN for two tokens is not") {
    Fixture f;
    CHECK(f.create_for(2, {f.holder("second", f.second_serial), f.holder("third", f.second_serial)})
              .error() == KeyError::token_repeated);
    CHECK(f.directory.file_count() == 0);
    CHECK(f.create_for(2, {f.second(), f.third()}).has_value());  // both have `user_pin`
}

TEST_CASE("custodian tokens: a token that would let its key out keeps no share") {
    Faulty f;
    Faulty::faults().ignore_templates(true);
    CHECK(f.create_for(1, {f.second()}).error() == KeyError::token_key_missing);
    CHECK(f.directory.file_count() == 0);
}

TEST_CASE("custodian tokens: tokens take over from passphrases, and former custodians are out") {
    Fixture f;
    const auto store = f.create_for(2, {f.first(), {"fourth", text_bytes("words of the fourth")}});
    REQUIRE(store.has_value());
    const FileBytes before = read_all(f.path());
    const auto change = [&](std::vector<NewCustodian> who) {
        return in_command(**store, [&] { return (*store)->set_custodians(2, who); });
    };
    CHECK(change({f.first(), f.holder("second", f.second_serial, "wrong")}).error() ==
          KeyError::token_pin_wrong);
    CHECK(read_all(f.path()) == before);
    REQUIRE(change({f.second(), f.third()}).has_value());
    CHECK(f.refusal_of(f.first()) == KeyError::custodian_unknown);
    CHECK(f.open_by({f.second(), f.third()}).has_value());
    CHECK((*store)->identity().tokens == std::vector{f.second_serial, f.third_serial});
}

TEST_CASE(
    "custodian tokens: a store's own token may be a custodian's, and two stores may share it") {
    Fixture f;
    const auto plan = [&](const NewCustodian& who) {
        return StorePlan{
            Purpose::rehearsal,
            1,
            {who},
            cheap,
            TokenPlan{f.second_serial, tests::text(user_pin), p11::vault_opener(ONECARD_SOFTHSM2)}};
    };
    const auto own = create_sealed_file(f.path(), plan(f.second()), command("create"), f.random);
    REQUIRE(own.has_value());
    KeyDirectory elsewhere;
    const auto other =
        create_sealed_file(elsewhere.file(), plan(f.first()), command("create"), f.random);
    REQUIRE(other.has_value());
    for (const auto* store : {&own, &other}) {
        REQUIRE(add(***store, tac_name, KeyState::active, tac_secret).has_value());
        CHECK(reveal(***store, *(**store)->find(tac_name)) == to_hex(tac_secret));
    }
    // The second one's PIN is compared with the one that the token took: nothing is sent.
    auto wrong = plan(f.first());
    wrong.token->pin = tests::text("custodian 24602");
    KeyDirectory third;
    CHECK(create_sealed_file(third.file(), wrong, command("create"), f.random).error() ==
          KeyError::token_pin_wrong);
    CHECK(third.file_count() == 0);
}
