// crypto/keys: custodians open a store together. docs/key_store.md, "Custodians".
#include <boost/json.hpp>

#include "tests/crypto/sealed_file_support.hpp"

namespace {

using namespace tests;

const std::vector<NewCustodian> three{{"ming", text_bytes("passphrase of ming")},
                                      {"hua", text_bytes("passphrase of hua")},
                                      {"li", text_bytes("passphrase of li")}};
const std::vector<NewCustodian> later{{"chen", text_bytes("passphrase of chen")},
                                      {"hua", text_bytes("passphrase of hua")},
                                      {"zhou", text_bytes("passphrase of zhou")}};

struct Fixture : SealedFixture {
    Store create_for(unsigned quorum, std::vector<NewCustodian> who) {
        auto store = create_sealed_file(path(), {Purpose::rehearsal, quorum, std::move(who), cheap},
                                        command("create"), random);
        REQUIRE(store.has_value());
        return std::move(*store);
    }
    KeyResult<Store> open_by(const std::vector<NewCustodian>& who) {
        auto opening = StoreOpening::read(path());
        if (!opening) return std::unexpected{opening.error()};
        for (const NewCustodian& each : who) {
            const auto known = opening->present(each.name, each.passphrase);
            if (!known) return std::unexpected{known.error()};
        }
        return std::move(*opening).open(random);
    }
    KeyError plan_error(unsigned quorum, std::vector<NewCustodian> who,
                        Purpose purpose = Purpose::rehearsal, DerivationCost cost = cheap) {
        const auto store = create_sealed_file(path(), {purpose, quorum, std::move(who), cost},
                                              command("create"), random);
        REQUIRE_FALSE(store.has_value());
        CHECK(directory.file_count() == 0);
        return store.error();
    }
};

std::vector<NewCustodian> several(std::size_t count) {
    // A custodian's passphrase is borrowed: these outlive every test.
    static const std::vector<std::string> words = [] {
        std::vector<std::string> out;
        for (unsigned i = 1; i <= 17; ++i) out.push_back("custodian-" + std::to_string(i));
        return out;
    }();
    std::vector<NewCustodian> out;
    for (std::size_t i = 0; i < count; ++i) out.push_back({words[i], text_bytes(words[i])});
    return out;
}

KeyResult<void> replace_custodians(KeyStore& store, unsigned quorum,
                                   const std::vector<NewCustodian>& who) {
    return in_command(store, [&] { return store.set_custodians(quorum, who); });
}

}  // namespace

TEST_CASE("custodians: of three, any two open the store, in any order, and no one alone") {
    Fixture f;
    REQUIRE(add(*f.create_for(2, three), tac_name, KeyState::active, tac_secret).has_value());
    CHECK(f.open_by({}).error() == KeyError::quorum_missing);
    for (const NewCustodian& one : three) {
        CHECK(f.open_by({one}).error() == KeyError::quorum_missing);
        for (const NewCustodian& other : three) {
            if (one.name == other.name) continue;
            const auto store = f.open_by({one, other});
            REQUIRE(store.has_value());
            CHECK(reveal(**store, *(*store)->find(tac_name)) == to_hex(tac_secret));
            CHECK((*store)->identity().opened_by == std::vector{one.name, other.name});
        }
    }
    CHECK(f.open_by(three).has_value());
    // A program alone does not.
    CHECK(f.open(three[0].passphrase).error() == KeyError::quorum_missing);
}

TEST_CASE("custodians: whoever lowers the quorum in the file gets nothing out of one share") {
    Fixture f;
    const Store store = f.create_for(2, three);
    AlteredFile file{read_all(f.path())};
    file.header.quorum = 1;
    write_all(f.path(), file.bytes());
    CHECK(f.open_by({three[0]}).error() == KeyError::signature_wrong);
    file.sign(audit_key_of(*store, f.random), f.random);  // one who has been in the store before
    write_all(f.path(), file.bytes());
    CHECK(f.open_by({three[0]}).error() == KeyError::wrong_passphrase);
}

TEST_CASE("custodians: sixteen of sixteen open, fifteen do not") {
    Fixture f;
    auto who = several(16);
    f.create_for(16, who);
    CHECK(f.open_by(who).has_value());
    who.erase(who.begin() + 7);
    CHECK(f.open_by(who).error() == KeyError::quorum_missing);
}

TEST_CASE("custodians: a wrong passphrase is named, and says nothing of the others") {
    Fixture f;
    f.create_for(2, three);
    CHECK(f.open_by({{"ming", three[1].passphrase}}).error() == KeyError::wrong_passphrase);
    CHECK(f.open_by({{"ming", {}}}).error() == KeyError::wrong_passphrase);
    CHECK(f.open_by({three[1], {"ming", text_bytes("passphrase of minh")}}).error() ==
          KeyError::wrong_passphrase);
    // A refused one may try again, and counts once it is right.
    auto opening = StoreOpening::read(f.path());
    REQUIRE(opening.has_value());
    CHECK(opening->present("hua", text_bytes("no")).error() == KeyError::wrong_passphrase);
    CHECK(opening->present("ming", three[0].passphrase).has_value());
    CHECK(opening->identity().opened_by == std::vector<std::string>{"ming"});
    CHECK(opening->present("hua", three[1].passphrase).has_value());
    CHECK(std::move(*opening).open(f.random).has_value());
}

TEST_CASE("custodians: unknown and repeated ones are named before any passphrase is tried") {
    Fixture f;
    f.create_for(2, three);
    CHECK(f.open_by({{"chen", three[0].passphrase}}).error() == KeyError::custodian_unknown);
    CHECK(f.open_by({{"Ming", three[0].passphrase}}).error() == KeyError::custodian_unknown);
    CHECK(f.open_by({{"", three[0].passphrase}}).error() == KeyError::custodian_unknown);
    CHECK(f.open_by({three[0], three[0]}).error() == KeyError::custodian_repeated);
    CHECK(f.open_by({three[0], {"ming", text_bytes("wrong")}}).error() ==
          KeyError::custodian_repeated);
}

TEST_CASE("custodians: the public identity shows who opens it, and nobody is proved by it") {
    Fixture f;
    const Store store = f.create_for(2, three);
    const auto opening = StoreOpening::read(f.path());
    REQUIRE(opening.has_value());
    const StoreIdentity seen = opening->identity();
    CHECK(seen.custodians == std::vector<std::string>{"ming", "hua", "li"});
    CHECK(seen.quorum == 2);
    CHECK(seen.id == store->identity().id);
    CHECK(seen.audit_key == store->identity().audit_key);
    CHECK(seen.opened_by.empty());
    CHECK(opening->rehearsal());
}

TEST_CASE("custodians: a slot moved to another store or under another name opens nothing") {
    Fixture f;
    Fixture g;
    g.random = crypto::SeededRandom{43, "keys"};
    f.create_for(2, three);
    g.create_for(2, three);  // the same people, the same passphrases
    AlteredFile moved{read_all(f.path())};
    moved.custodians[0] = AlteredFile{read_all(g.path())}.custodians[0];
    write_all(f.path(), moved.bytes());
    CHECK(f.open_by({three[0]}).error() == KeyError::wrong_passphrase);
    AlteredFile renamed{read_all(g.path())};
    renamed.custodians[0].name = "chen";
    write_all(g.path(), renamed.bytes());
    CHECK(g.open_by({{"chen", three[0].passphrase}}).error() == KeyError::wrong_passphrase);
    renamed.custodians[0].name = "hua";  // twice
    write_all(g.path(), renamed.bytes());
    CHECK(g.open_by({three[1]}).error() == KeyError::malformed);
    renamed.custodians[0].name = "Ming";
    write_all(g.path(), renamed.bytes());
    CHECK(g.open_by({three[1]}).error() == KeyError::malformed);
}

TEST_CASE("custodians: a share whose kind was changed is not opened by its passphrase") {
    Fixture f;
    f.create_for(1, three);
    AlteredFile file{read_all(f.path())};
    file.custodians[0].kind = CustodianKind::token;
    write_all(f.path(), file.bytes());
    CHECK(f.open_by({three[0]}).error() == KeyError::custodian_has_token);
    file.custodians[0].kind = CustodianKind{3};
    write_all(f.path(), file.bytes());
    CHECK(f.open_by({three[0]}).error() == KeyError::malformed);
}

TEST_CASE("custodians: quorums that cannot be met, or are none, make no store") {
    Fixture f;
    CHECK(f.plan_error(0, three) == KeyError::quorum_wrong);
    CHECK(f.plan_error(4, three) == KeyError::quorum_wrong);
    CHECK(f.plan_error(257, three) == KeyError::quorum_wrong);  // 1 in eight bits
    CHECK(f.plan_error(1, {}) == KeyError::quorum_wrong);
    CHECK(f.plan_error(0, {}) == KeyError::quorum_wrong);
    CHECK(f.plan_error(2, several(17)) == KeyError::quorum_wrong);
}

TEST_CASE("custodians: names are lower-case words, each once") {
    Fixture f;
    for (const std::string& name :
         {std::string{}, std::string(33, 'a'), std::string{"Ming"}, std::string{"li wei"},
          std::string{"li\n"}, std::string{"l\xC3\xAC"}, std::string{"li/wei"},
          std::string{"li\0wei", 6}}) {
        INFO(name);
        CHECK(f.plan_error(1, {{name, text_bytes("p")}}) == KeyError::quorum_wrong);
    }
    CHECK(f.plan_error(1, {{"li", text_bytes("p")}, {"li", text_bytes("q")}}) ==
          KeyError::custodian_repeated);
    f.create_for(1, {{"li.wei-3_b", text_bytes("p")}, {std::string(32, 'a'), text_bytes("q")}});
}

TEST_CASE("custodians: two who chose one passphrase would be one person") {
    Fixture f;
    auto same = three;
    same[2].passphrase = same[0].passphrase;
    CHECK(f.plan_error(2, same) == KeyError::passphrase_repeated);
    CHECK(f.plan_error(1, same) == KeyError::passphrase_repeated);
}

TEST_CASE("custodians: production asks for strength of each of them") {
    Fixture f;
    const DerivationCost least{production_memory_kib_min, 1, 1};
    auto weak = three;
    weak[1].passphrase = text_bytes("eleven char");
    CHECK(f.plan_error(2, weak, Purpose::production, least) == KeyError::weak_passphrase);
    auto less = least;
    --less.memory_kib;
    CHECK(f.plan_error(2, three, Purpose::production, less) == KeyError::weak_derivation);
    CHECK(f.plan_error(2, three, Purpose::production, cheap) == KeyError::weak_derivation);
    weak[1].passphrase = {};
    CHECK(f.plan_error(2, weak) == KeyError::weak_passphrase);  // a rehearsal's too
    CHECK(f.plan_error(2, three, Purpose::rehearsal, {64, 0, 1}) == KeyError::limits_exceeded);
    CHECK(f.plan_error(2, three, Purpose::production, {memory_kib_max + 1, 3, 4}) ==
          KeyError::limits_exceeded);
    weak[1].passphrase = text_bytes("twelve chars");
    CHECK(create_sealed_file(f.path(), {Purpose::production, 2, weak, least}, command(), f.random)
              .has_value());
    CHECK(f.open_by({weak[1], weak[0]}).has_value());
}

TEST_CASE("custodians: new ones open the store with all its keys, and former ones do not") {
    Fixture f;
    const Store store = f.create_for(2, three);
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    REQUIRE(replace_custodians(*store, 3, later).has_value());
    CHECK(f.open_by({three[0], three[2]}).error() == KeyError::custodian_unknown);
    CHECK(f.open_by({later[0], later[1]}).error() == KeyError::quorum_missing);
    const auto again = f.open_by(later);
    REQUIRE(again.has_value());
    CHECK(reveal(**again, *(*again)->find(tac_name)) == to_hex(tac_secret));
    CHECK((*again)->identity().quorum == 3);
    // The program that changed them goes on, under the new sealing key.
    CHECK(store->identity().custodians == std::vector<std::string>{"chen", "hua", "zhou"});
    REQUIRE(add(*store, load_name, KeyState::active, tac_secret).has_value());
    CHECK(f.open_by(later).value()->find(load_name).has_value());
}

TEST_CASE("custodians: what former ones could have learned opens nothing written afterwards") {
    Fixture f;
    const Store store = f.create_for(2, three);
    const AlteredFile before{read_all(f.path())};
    // The attack: two of the old ones kept the file, their passphrases, the sealing key and, since
    // they could open the store, its audit key.
    const FileBytes old_key = sealing_key_of(before, {three[0], three[1]});
    REQUIRE(AlteredFile{before}.opened(old_key).has_value());
    const auto audit = audit_key_of(*store, f.random);
    REQUIRE(replace_custodians(*store, 2, later).has_value());
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());

    AlteredFile now{read_all(f.path())};
    CHECK(sealing_key_of(now, {later[0], later[1]}) != old_key);
    CHECK_FALSE(now.opened(old_key).has_value());
    // hua stayed, with the same passphrase: her old share and her new one are of different lines.
    auto mixed = now;
    mixed.custodians[1] = before.custodians[1];
    CHECK_FALSE(now.opened(sealing_key_of(mixed, {later[0], later[1]})).has_value());
    // Their slots put back, signed with the store's own key: it opens to the old sealing key.
    now.custodians = before.custodians;
    now.header.quorum = 2;
    now.sign(audit, f.random);
    write_all(f.path(), now.bytes());
    CHECK(f.open_by({three[0], three[1]}).error() == KeyError::wrong_passphrase);
}

TEST_CASE("custodians: a refused or a rolled back change of custodians changes nobody") {
    Fixture f;
    const Store store = f.create_for(2, three);
    const FileBytes before = read_all(f.path());
    CHECK(replace_custodians(*store, 0, later).error() == KeyError::quorum_wrong);
    CHECK(replace_custodians(*store, 2, {later[0], later[0]}).error() ==
          KeyError::custodian_repeated);
    auto same = later;
    same[1].passphrase = same[0].passphrase;
    CHECK(replace_custodians(*store, 2, same).error() == KeyError::passphrase_repeated);
    {
        auto change = Change::begin(*store, command());
        REQUIRE(change.has_value());
        REQUIRE(store->set_custodians(1, later).has_value());
    }
    CHECK(read_all(f.path()) == before);
    REQUIRE(add(*store, tac_name, KeyState::active, tac_secret).has_value());
    CHECK(f.open_by({three[0], three[2]}).has_value());
    CHECK(store->set_custodians(1, later).error() == KeyError::command_missing);
}

TEST_CASE("custodians: the log says who opened the store, and who opens it from when on") {
    Fixture f;
    f.create_for(2, three);
    auto store = f.open_by({three[2], three[0]});
    REQUIRE(store.has_value());
    REQUIRE(replace_custodians(**store, 2, later).has_value());
    const auto& log = (*store)->log();
    REQUIRE(log.size() == 2);
    const auto made = boost::json::parse(log[0].line).as_object();
    CHECK(boost::json::serialize(made.at("by")) == R"(["ming","hua","li"])");
    const auto changed = boost::json::parse(log[1].line).as_object();
    CHECK(boost::json::serialize(changed.at("by")) == R"(["li","ming"])");
    CHECK(boost::json::serialize(changed.at("changes")) ==
          R"([{"change":"custodians","quorum":2,"names":["chen","hua","zhou"]}])");
}
