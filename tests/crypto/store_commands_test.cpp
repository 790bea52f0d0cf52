// crypto/keys: every change belongs to a command, and the command is logged in the same commit.
// docs/key_store.md, "Changing"; docs/audit.md.
#include <boost/json.hpp>

#include "tests/crypto/sealed_file_support.hpp"

namespace {

using namespace tests;
using Fixture = SealedFixture;

/// Remembers where it wrote, so that a test sees what became of a secret's place. The arena keeps
/// its pages as long as the store lives.
class WatchedRandom final : public crypto::Random {
public:
    explicit WatchedRandom(std::uint8_t byte) : byte_{byte} {}
    void fill(crypto::MutableBytes out) override {
        std::ranges::fill(out, byte_);
        place_ = out;
    }
    [[nodiscard]] std::string place() const { return to_hex(place_); }

private:
    std::uint8_t byte_;
    Bytes place_;
};

const std::string wiped(32, '0');  // 16 bytes
const std::string written = to_hex(FileBytes(16, 0xA7));

/// File, log and list, to be compared.
struct Seen {
    Seen(const KeyStore& store, const std::filesystem::path& path)
        : file{read_all(path)}, log{store.log()}, head{store.log_head()} {
        for (const KeyDescription& key : store.list()) {
            keys += text(key.name) + " " + name(key.state) + "\n";
        }
    }
    friend bool operator==(const Seen&, const Seen&) = default;

    FileBytes file;
    std::vector<LogEntry> log;
    LogHead head;
    std::string keys;
};

}  // namespace

TEST_CASE("store commands: outside a command nothing changes") {
    Fixture f;
    const Store store = f.create();
    const Seen before{*store, f.path()};
    const KeyId audit = *store->find(audit_name);
    CHECK(store->add(tac_name, KeyState::active, tac_secret).error() == KeyError::command_missing);
    CHECK(store->generate(tac_name, KeyState::active, 16, f.random).error() ==
          KeyError::command_missing);
    CHECK(store->set_state(audit, KeyState::destroyed).error() == KeyError::command_missing);
    CHECK(store->set_custodians(1, f.custodians()).error() == KeyError::command_missing);
    CHECK(store->commit().error() == KeyError::command_missing);
    store->roll_back();
    CHECK(Seen{*store, f.path()} == before);
}

TEST_CASE("store commands: a command inside another is refused, and the outer one goes on") {
    Fixture f;
    const Store store = f.create();
    auto outer = Change::begin(*store, command("outer"));
    REQUIRE(outer.has_value());
    REQUIRE(store->add(tac_name, KeyState::active, tac_secret).has_value());
    CHECK(Change::begin(*store, command("inner")).error() == KeyError::command_missing);
    CHECK(store->begin(command("inner")).error() == KeyError::command_missing);
    CHECK(outer->commit().has_value());
    CHECK(store->log().size() == 2);
    CHECK((*f.open())->find(tac_name).has_value());
    CHECK(outer->commit().error() == KeyError::command_missing);  // it is over
}

TEST_CASE("store commands: several changes are one generation and one line") {
    Fixture f;
    const Store store = f.create();
    auto change = Change::begin(*store, command("found-city", R"({"city": "3100"})"));
    REQUIRE(change.has_value());
    const auto tac = store->add(tac_name, KeyState::planned, tac_secret);
    REQUIRE(tac.has_value());
    REQUIRE(store->add(load_name, KeyState::active, FileBytes(16, 0)).has_value());
    REQUIRE(store->set_state(*tac, KeyState::active).has_value());
    CHECK(store->log().size() == 1);  // not before the commit
    REQUIRE(change->commit().has_value());
    REQUIRE(store->log().size() == 2);
    // The audit key's check value is of a random key: only the second line can be written here.
    CHECK(store->log()[1].line ==
          R"({"n":2,"at":"2026-11-29T08:30:00Z","by":["service"],"command":"found-city",)"
          R"("detail":{"city":"3100"},"changes":[)"
          R"({"change":"added","key":"city/3100 transaction_certificate sm4 v1",)"
          R"("state":"planned","check":"2677F4"},)"
          R"({"change":"added","key":"city/3100 load 3des v1","state":"active",)"
          R"("check":"8CA64D"},)"
          R"({"change":"state","key":"city/3100 transaction_certificate sm4 v1",)"
          R"("state":"active","check":"2677F4"}]})");
    const auto audit = audit_sealed_file(f.path());
    REQUIRE(audit.has_value());
    CHECK(audit->generation == 2);
    CHECK(audit->count == 2);
    CHECK(audit->head == store->log_head());
}

TEST_CASE(
    "store commands: a command that changes nothing is logged too, and a destroyed key's end") {
    Fixture f;
    const Store store = f.create();
    REQUIRE(Change::begin(*store, command("issue"))->commit().has_value());
    REQUIRE(store->log().size() == 2);
    CHECK(store->log()[1].line.ends_with(R"("command":"issue","detail":{},"changes":[]})"));
    const auto key = generate(*store, tac_name, KeyState::active, 16, f.random);
    REQUIRE(set_state(*store, *key, KeyState::destroyed).has_value());
    CHECK(store->log()[3].line.ends_with(
        R"([{"change":"state","key":"city/3100 transaction_certificate sm4 v1",)"
        R"("state":"destroyed"}]})"));
    CHECK((*f.open())->log() == store->log());
}

TEST_CASE("store commands: ids inside a command work at once, and after it") {
    Fixture f;
    const Store store = f.create();
    auto change = Change::begin(*store, command());
    REQUIRE(change.has_value());
    const auto key = store->generate(tac_name, KeyState::active, 16, f.random);
    REQUIRE(key.has_value());
    CHECK(store->find(tac_name) == key);
    CHECK(store->add(tac_name, KeyState::active, tac_secret).error() == KeyError::key_exists);
    const std::string secret = reveal(*store, *key);
    const std::array factors{crypto::purse::Factor{}};
    CHECK(store->derive(*key, factors).has_value());
    REQUIRE(change->commit().has_value());
    CHECK(store->find(tac_name) == key);
    CHECK(reveal(*store, *key) == secret);
}

TEST_CASE("store commands: rolled back by hand or by leaving the scope, a command never was") {
    Fixture f;
    const Store store = f.create();
    const auto kept = add(*store, load_name, KeyState::active, tac_secret);
    REQUIRE(kept.has_value());
    const Seen before{*store, f.path()};
    for (const bool by_hand : {true, false}) {
        auto change = std::make_unique<Change>(*Change::begin(*store, command()));
        const auto key = store->add(tac_name, KeyState::active, tac_secret);
        REQUIRE(key.has_value());
        REQUIRE(store->set_state(*kept, KeyState::destroyed).has_value());
        if (by_hand) store->roll_back();
        change.reset();
        CHECK(Seen{*store, f.path()} == before);
        CHECK(store->describe(*key).error() == KeyError::key_unknown);
        CHECK(reveal(*store, *kept) == to_hex(tac_secret));
    }
    CHECK(add(*store, tac_name, KeyState::active, tac_secret).has_value());
}

TEST_CASE("store commands: refused by another program's change, a commit rolls back whole") {
    Fixture f;
    const Store store = f.create();
    REQUIRE(add(**f.open(), load_name, KeyState::active, tac_secret).has_value());
    const Seen before{*store, f.path()};
    auto change = Change::begin(*store, command());
    REQUIRE(change.has_value());
    REQUIRE(store->add(tac_name, KeyState::active, tac_secret).has_value());
    REQUIRE(
        store->set_custodians(1, std::vector<NewCustodian>{{"li", text_bytes("p")}}).has_value());
    CHECK(change->commit().error() == KeyError::changed_elsewhere);
    CHECK(Seen{*store, f.path()} == before);
    CHECK(store->identity().custodians == std::vector<std::string>{"service"});
    CHECK(store->add(tac_name, KeyState::active, tac_secret).error() == KeyError::command_missing);
}

TEST_CASE("store commands: a write that fails leaves file, memory and log, and may be repeated") {
    Fixture f;
    const Store store = f.create();
    const auto kept = add(*store, load_name, KeyState::active, tac_secret);
    REQUIRE(kept.has_value());
    const Seen before{*store, f.path()};
    const std::filesystem::path blocked = f.path().string() + ".new";
    std::filesystem::create_directories(blocked / "x");
    const auto change_all = [&] {
        return in_command(*store, [&]() -> KeyResult<KeyId> {
            ONECARD_CHECK(store->set_state(*kept, KeyState::destroyed));
            return store->add(tac_name, KeyState::active, tac_secret);
        });
    };
    CHECK(change_all().error() == KeyError::file_unwritable);
    CHECK(Seen{*store, f.path()} == before);
    CHECK(reveal(*store, *kept) == to_hex(tac_secret));
    std::filesystem::remove_all(blocked);
    REQUIRE(change_all().has_value());
    CHECK(store->log().size() == 3);
    CHECK(audit_sealed_file(f.path())->state_signed);
}

TEST_CASE("store commands: secrets that no longer belong to the store are wiped at once") {
    Fixture f;
    const Store store = f.create();
    WatchedRandom random{0xA7};
    {
        auto change = Change::begin(*store, command());
        REQUIRE(store->generate(tac_name, KeyState::active, 16, random).has_value());
        CHECK(random.place() == written);
    }
    CHECK(random.place() == wiped);  // rolled back

    const auto key = generate(*store, tac_name, KeyState::active, 16, random);
    REQUIRE(key.has_value());
    REQUIRE(store->begin(command()).has_value());
    REQUIRE(store->set_state(*key, KeyState::destroyed).has_value());
    CHECK(random.place() == written);  // a roll back would need it
    REQUIRE(store->commit().has_value());
    CHECK(random.place() == wiped);  // destroyed

    REQUIRE(store->begin(command()).has_value());
    WatchedRandom above_order{0xFF};  // no scalar of either curve
    for (const KeyAlgorithm algorithm : {KeyAlgorithm::p256_private, KeyAlgorithm::sm2_private}) {
        const KeyName refused{"city/3100", KeyUse::list_signature, algorithm,
                              protocol::KeyVersion{1}};
        CHECK(store->generate(refused, KeyState::active, 32, above_order).error() ==
              KeyError::key_value_wrong);
        CHECK(above_order.place() == wiped + wiped);
        CHECK(store->add(refused, KeyState::active, FileBytes(32, 0)).error() ==
              KeyError::key_value_wrong);
    }
    CHECK(store->commit().has_value());
    CHECK(store->list().size() == own_keys + 1);
}

TEST_CASE("store commands: the store's own audit key is never retired, replaced or added twice") {
    Fixture f;
    const Store store = f.create();
    const KeyId audit = *store->find(audit_name);
    for (const KeyState state : {KeyState::verify_only, KeyState::retired, KeyState::destroyed}) {
        CHECK(set_state(*store, audit, state).error() == KeyError::key_state_forbids);
    }
    CHECK(generate(*store, audit_name, KeyState::active, 32, f.random).error() ==
          KeyError::key_exists);
}

TEST_CASE("store commands: what a log line cannot hold begins no command") {
    Fixture f;
    const Store store = f.create();
    const Seen before{*store, f.path()};
    const auto begin_error = [&](Command given) {
        const auto begun = store->begin(std::move(given));
        REQUIRE_FALSE(begun.has_value());
        return begun.error();
    };
    const std::string at = "2026-11-29T08:30:00Z";
    for (const std::string& bad :
         {std::string{}, std::string{"a\nb"}, std::string{"a\x1B[2J"}, std::string{"a\0", 2},
          std::string{"caf\xC3\xA9"}, std::string{"a\x7F"}, std::string(65, 'a')}) {
        CHECK(begin_error({at, bad, "{}"}) == KeyError::command_malformed);
        CHECK(begin_error({bad, "test", "{}"}) == KeyError::command_malformed);
    }
    const std::string deep = R"({"a":)" + std::string(100, '[') + std::string(100, ']') + "}";
    const std::string long_one = R"({"a":")" + std::string(128 * 1024, 'x') + R"("})";
    for (const std::string& bad :
         {std::string{}, std::string{"[]"}, std::string{"1"}, std::string{"null"},
          std::string{R"("{}")"}, std::string{"{"}, std::string{"{} {}"}, std::string{"{}x"},
          std::string{R"({"a":"\x01"})"}, std::string{"{\"a\":\"line\nfeed\"}"},
          std::string{"{\"a\":\"\xFF\"}"}, std::string{"{'a':1}"}, deep, long_one}) {
        CHECK(begin_error({at, "test", bad}) == KeyError::command_malformed);
    }
    CHECK(Seen{*store, f.path()} == before);
    CHECK(store->commit().error() == KeyError::command_missing);
}

TEST_CASE(
    "store commands: details keep their meaning and are one line, whatever they looked like") {
    Fixture f;
    const Store store = f.create();
    const char* const detail = "{\n  \"a\" : \"x\\ny\\u0007\",\r\n\t\"n\":9 }\n";
    REQUIRE(Change::begin(*store, command("quote\"d \\ name", detail))->commit().has_value());
    const std::string& line = store->log()[1].line;
    CHECK(line.find('\n') == std::string::npos);
    const auto read = boost::json::parse(line).as_object();
    CHECK(read.at("command").as_string() == "quote\"d \\ name");
    CHECK(read.at("detail").at("a").as_string() == "x\ny\a");
    CHECK(read.at("detail").at("n").as_int64() == 9);
    CHECK_FALSE(audit_sealed_file(f.path())->finding.has_value());
    CHECK(f.open().has_value());
}

TEST_CASE("store commands: a line that grew too long is refused by the commit, which rolls back") {
    Fixture f;
    const Store store = f.create();
    const Seen before{*store, f.path()};
    KeyName each{"", KeyUse::purchase, KeyAlgorithm::sm4, protocol::KeyVersion{1}};
    auto change = Change::begin(*store, command());
    REQUIRE(change.has_value());
    for (unsigned i = 0; i < 2000; ++i) {  // each about 140 bytes of line
        each.label = std::string(50, 'x') + std::to_string(i);
        REQUIRE(store->add(each, KeyState::active, tac_secret).has_value());
    }
    CHECK(change->commit().error() == KeyError::command_malformed);
    CHECK(Seen{*store, f.path()} == before);
}

TEST_CASE("store commands: attest is checked with the public identity alone") {
    Fixture f;
    const Store store = f.create();
    const Bytes message = text_bytes("minutes of a ceremony");
    const auto signature = store->attest(message);
    REQUIRE(signature.has_value());
    const auto key = crypto::sm2::PublicKey::parse(store->identity().audit_key);
    REQUIRE(key.has_value());
    CHECK(crypto::sm2::verify(*key, crypto::sm2::default_id, message, *signature));
    CHECK_FALSE(crypto::sm2::verify(*key, crypto::sm2::default_id, message.first(3), *signature));
}
