// The issuing state against someone who has its file: docs/audit.md, 5; docs/issuing.md, 6 and 7.
#include <sys/stat.h>

#include "host/keys/issue_fleet.hpp"
#include "host/keys/issuing_audit.hpp"
#include "host/keys/rotation.hpp"
#include "tests/host/keys/issuer_scene.hpp"

using namespace keys_test;
using host::keys::audit_issuing_state;
using host::keys::AuditVerdict;
using host::keys::ChipStep;
using host::keys::IssueFleet;
using host::keys::PinSeal;
using host::keys::RefusalKind;
using host::keys::StepOrder;

namespace {

const Number third_card = number_of("03104800000000000033");

/// A state with its log: an issued card that was lost, a SAM with a released chip before it, an
/// ordered card with a PIN.
struct LoggedState : Issuer {
    std::filesystem::path file = founded.directory.path / "logged.db";

    LoggedState() {
        hook = host::keys::audit_hook(*keys, founded.clock);
        service.reset();
        state.reset();
        reopen();
        REQUIRE(state->import(host::keys::parse_orders(lines, "lines").value(), office).value() ==
                3);
        service.emplace(*keys, *state, host::keys::IssuerPlace{city_code, issuer_id},
                        founded.random, [](const auto&) {});
        BlankChip scrap{*keys, KeyUse::sam_transport, Suite::sm4, 8};
        BlankChip sam{*keys, KeyUse::sam_transport, Suite::sm4, 9};
        BlankChip card{*keys, KeyUse::card_transport, Suite::sm4, 1};
        (void)keys_test::open(*this, scrap, "sam", "a");
        REQUIRE(state->release(ChipKind::sam, first_sam, office).has_value());
        REQUIRE(issue(*this, sam, "sam", "b").contains("done"));
        REQUIRE(issue(*this, card, "card", "c").contains("done"));
        import(
            "card,03104800000000000033,sm4,20260101,20351231,elder,yes,enabled,4711,,,"
            "03104800000000000017");  // makes the first card lost
    }
    void reopen() {
        state.emplace(IssueStore::open(file, Mark::rehearsal, city_code, founded.clock, hook,
                                       PinSeal::of(*keys, founded.random).value())
                          .value());
    }
    void import(const std::string& line) {
        const auto orders =
            host::keys::parse_orders(std::string{host::keys::order_header} + "\n" + line, "lines");
        REQUIRE(state->import(orders.value(), office).value() == 1);
    }
    host::keys::Result<ChipState> step(ChipStep what, ChipKind kind, const Number& number) {
        return state->take_step({what, kind, number, {}, {}}, office);
    }
    /// By someone with a database program, past all of ours.
    void tamper(const std::string& sql) {
        auto raw = platform::sqlite::Database::open(file).value();
        REQUIRE(raw.execute("PRAGMA foreign_keys=OFF").has_value());
        const auto done = raw.execute(sql);
        CAPTURE(sql);
        if (!done) CAPTURE(done.error().text);
        REQUIRE(done.has_value());
    }
    std::string audit() {
        const auto report = audit_issuing_state(file, {});
        return report ? std::string{name(report->verdict)} + ": " + report->text
                      : report.error().detail;
    }
};

/// Everything as it was before, when it ends.
class Restored {
public:
    explicit Restored(LoggedState& scene) : scene_{scene} {
        scene_.service.reset();
        scene_.state.reset();  // the last connection moves the write-ahead log into the file
        copy_ = scene_.file.string() + ".copy";
        std::filesystem::copy_file(scene_.file, copy_);
    }
    ~Restored() {
        scene_.state.reset();
        for (const char* part : {"-wal", "-shm"})
            std::filesystem::remove(scene_.file.string() + part);
        std::filesystem::rename(copy_, scene_.file);
        scene_.reopen();
    }
    Restored(const Restored&) = delete;
    Restored& operator=(const Restored&) = delete;

private:
    LoggedState& scene_;
    std::filesystem::path copy_;
};

struct Tampering {
    const char* sql;
    const char* finding;
};

}  // namespace

TEST_CASE("issuing state: its log vouches for every row") {
    LoggedState scene;
    CHECK(scene.audit().starts_with("whole: "));
    // Lines: 1 lost card, 2 ordered card, 3 SAM, 4 ordered card with a PIN, which replaces 1.
    for (const Tampering& each : {
             Tampering{"INSERT INTO line(kind, number, content, ordered) SELECT 2, "
                       "x'10000000000000000002', content, ordered FROM line WHERE id = 3",
                       "of the import of entry 1, 3 lines, 4 are there"},
             Tampering{"INSERT INTO line(kind, number, content) SELECT 2, "
                       "x'10000000000000000002', content FROM line WHERE id = 3",
                       "line 5 was brought by no import"},
             Tampering{"DELETE FROM line WHERE id = 2", "3 lines, 2 are there"},
             Tampering{"DELETE FROM line WHERE id = 3", "3 lines, 2 are there"},
             Tampering{"UPDATE line SET content = replace(content, 'ordinary', 'elder') "
                       "WHERE id = 2",
                       "the lines that entry 1 imported were changed"},
             Tampering{"UPDATE line SET ordered = (SELECT max(ordered) FROM line) WHERE id = 2",
                       "lines, 2 are there"},
             Tampering{"UPDATE line SET state = 7 WHERE id = 2",
                       "line 2 was changed, and no entry tells it"},
             Tampering{"UPDATE line SET pin = x'' WHERE id = 4",
                       "line 4 was changed, and no entry tells it"},
             Tampering{"UPDATE line SET state = 7 WHERE id = 3", "line 3 is not what entry"},
             Tampering{"UPDATE line SET chip = x'0000000000000077' WHERE id = 3",
                       "line 3 is not what entry"},
             Tampering{"UPDATE line SET key_set = NULL WHERE id = 3", "line 3 is not what entry"},
             Tampering{"UPDATE line SET replaced_by = NULL WHERE id = 1",
                       "line 1 is not what entry"},
             Tampering{"DELETE FROM key_set_member WHERE use = 1", "does not hold the keys"},
             Tampering{"UPDATE key_set SET members = 'load sm4 1,' || id", "tells was changed"},
             Tampering{"DELETE FROM scrap", "was changed: its event"},
             Tampering{"UPDATE scrap SET chip = x'0000000000000078'", "was changed: its event"},
             Tampering{"INSERT INTO scrap VALUES(x'0000000000000079', 1, NULL, 999)",
                       "scrap has rows that no entry tells"},
             Tampering{"UPDATE registry SET entry = '{}' WHERE sequence = 1",
                       "was changed: its event"},
             Tampering{"DELETE FROM registry WHERE topic = 2", "was changed: its event"},
             Tampering{"INSERT INTO registry VALUES(99, 3, 2, '{}', 999)",
                       "registry has rows that no entry tells"},
             Tampering{"INSERT INTO registry VALUES(99, 3, 2, '{}', 1)",
                       "what entry 1 tells was changed"},
             Tampering{"UPDATE event SET who = 'person:nobody' WHERE id = 2",
                       "what entry 2 tells was changed"},
             Tampering{"UPDATE event SET line = 2 WHERE id = 3", "what entry 3 tells was changed"},
             Tampering{"DELETE FROM event WHERE id = 2", "what entry 2 tells was changed"},
             Tampering{"INSERT INTO event VALUES(0, 0, '', 6, 3, 3, 4, '{}')",
                       "events that no entry tells"},
             Tampering{"INSERT INTO event SELECT max(id) + 1, 0, '', 6, 3, 3, 4, '{}' FROM event",
                       "truncated"},
             Tampering{"DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)",
                       "truncated"},
             Tampering{"DELETE FROM audit WHERE number = 2", "entry 2: entry_missing"},
             Tampering{"UPDATE audit SET line = replace(line, 'office', 'nobody') "
                       "WHERE number = 1",
                       "entry 1: entry_altered"},
             Tampering{"DELETE FROM audit; DELETE FROM audit_owner", "its log is not begun"},
             Tampering{"CREATE TRIGGER t AFTER INSERT ON audit BEGIN UPDATE line SET state = 7; "
                       "END",
                       "triggers are not this program's"},
             Tampering{"DROP INDEX line_replaced_by", "indexes or triggers"},
         }) {
        const Restored again{scene};
        scene.tamper(each.sql);
        CAPTURE(each.sql);
        const std::string finding = scene.audit();
        CAPTURE(finding);
        CHECK(finding.find(each.finding) != std::string::npos);
        CHECK_FALSE(finding.starts_with("whole"));
    }
    CHECK(scene.audit().starts_with("whole: "));
    // Cancelling a replacement changes another line too.
    REQUIRE(scene.step(ChipStep::retire, ChipKind::card, third_card).has_value());
    CHECK(scene.audit().starts_with("whole: "));
    CHECK(scene.step(ChipStep::find, ChipKind::card, first_card).value() == ChipState::issued);
    REQUIRE(scene.step(ChipStep::block, ChipKind::card, first_card).has_value());
    scene.import(
        "card,03104800000000000041,sm4,20260101,20351231,elder,yes,enabled,,,,"
        "03104800000000000017");  // of a blocked one: no step, an event all the same
    CHECK(scene.audit().starts_with("whole: "));
}

TEST_CASE("issuing state: a log that was taken out is not begun again") {
    LoggedState scene;
    for (const char* sql : {
             "DELETE FROM audit; DELETE FROM audit_owner",
             "DELETE FROM audit; DELETE FROM audit_owner; DELETE FROM event",
             "DELETE FROM audit; DELETE FROM audit_owner; DELETE FROM event; "
             "UPDATE line SET ordered = 1",
             "DELETE FROM audit",
             "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)",
             "INSERT INTO event SELECT max(id) + 1, 0, '', 6, 3, 3, 4, '{}' FROM event",
         }) {
        CAPTURE(sql);
        const Restored again{scene};
        scene.tamper(sql);
        scene.reopen();
        const auto refused = scene.step(ChipStep::retire, ChipKind::card, second_card);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().kind == RefusalKind::file_failed);
        CHECK(scene.state->counts()->of(ChipState::retired) == 0);
    }
}

TEST_CASE("issuing state: a PIN is sealed, for its own line, and nobody else reads the file") {
    LoggedState scene;
    struct stat status{};
    for (const char* part : {"", "-wal", "-shm"}) {
        REQUIRE(::stat((scene.file.string() + part).c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
    }
    CHECK(scene.state->claim({"desk-1", "p"}, ChipKind::card).has_value());  // line 2, without
    const auto line = scene.state->claim({"desk-1", "q"}, ChipKind::card);
    REQUIRE(line.has_value());
    CHECK(std::get<host::keys::CardOrder>(line->order).pin == "4711");
    for (const char* sql : {"UPDATE line SET pin = zeroblob(41) WHERE id = 4",
                            "UPDATE line SET pin = x'' WHERE id = 4",
                            "UPDATE line SET content = replace(content, 'elder', 'student') "
                            "WHERE id = 4"}) {
        CAPTURE(sql);
        const Restored again{scene};
        scene.tamper(sql);
        scene.reopen();
        const auto refused = scene.state->claim({"desk-1", "q"}, ChipKind::card);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().refusal == host::keys::IssuingRefusal::store_failed);
        CHECK(refused.error().detail.find("4711") == std::string::npos);
    }
    REQUIRE(scene.step(ChipStep::retire, ChipKind::card, third_card).has_value());
    auto raw = platform::sqlite::Database::open(scene.file).value();
    auto pins = raw.prepare("SELECT count(*) FROM line WHERE length(pin) > 0").value();
    REQUIRE(pins.step().value());
    CHECK(pins.integer(0) == 0);
    // Without the issuer's key, no card with a PIN.
    const auto bare = scene.founded.directory.path / "bare.db";
    auto store = IssueStore::open(bare, Mark::rehearsal, city_code, scene.founded.clock).value();
    CHECK(store.import(host::keys::parse_orders(lines, "lines").value(), office).error().kind ==
          RefusalKind::input_wrong);
}

TEST_CASE("issuing state: who may read the file, and what reading must not do") {
    LoggedState scene;
    const auto& clock = scene.founded.clock;
    const auto nowhere = scene.founded.directory.path / "nowhere.db";
    const auto read = [&](const std::filesystem::path& file) {
        const auto store = IssueStore::open_to_read(file, Mark::rehearsal, city_code, clock);
        return store ? std::string{"open"} : store.error().detail;
    };
    CHECK(read(scene.file) == "open");
    CHECK(read(nowhere).find("no such file") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(nowhere));
    for (const auto right :
         {std::filesystem::perms::group_read, std::filesystem::perms::others_read,
          std::filesystem::perms::others_write}) {
        std::filesystem::permissions(scene.file, right, std::filesystem::perm_options::add);
        CHECK(read(scene.file).find("chmod 600") != std::string::npos);
        CHECK_FALSE(IssueStore::open(scene.file, Mark::rehearsal, city_code, clock).has_value());
        std::filesystem::permissions(scene.file, right, std::filesystem::perm_options::remove);
    }
    CHECK(read(scene.file) == "open");
}

TEST_CASE("issuing state: names that would forge lines of a history are refused") {
    LoggedState scene;
    for (const char* name : {"", "evil\n{\"n\":99", "a\rb", "\x1b[2J", "tab\t", "del\x7f",
                             "\xC2\x9B"
                             "31m",
                             "\xFF\xFE", "\xC3"}) {
        CAPTURE(name);
        const StepOrder order{ChipStep::retire, ChipKind::card, second_card, {}, {}};
        const auto refused = scene.state->take_step(order, {host::keys::Actor::Kind::person, name});
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().kind == RefusalKind::input_wrong);
        CHECK(refused.error().detail.find("--by") != std::string::npos);
    }
    const host::keys::Actor person{host::keys::Actor::Kind::person, "B\xC3\xBCro 3, \xE6\x9D\x8E"};
    const StepOrder order{ChipStep::retire, ChipKind::card, second_card, {}, {}};
    CHECK(scene.state->take_step(order, person).has_value());
    CHECK(scene.audit().starts_with("whole: "));
}

TEST_CASE("issuing state: a rotation believes a whole state of this city's issuer only") {
    LoggedState scene;
    auto& city = scene.founded.city;
    const auto open = [&](const std::filesystem::path& file) {
        return IssueFleet::open(file, city, scene.founded.clock);
    };
    const auto detail = [&](const std::filesystem::path& file) {
        const auto fleet = open(file);
        return fleet ? std::string{"believed"} : fleet.error().detail;
    };
    {
        const auto whole = open(scene.file);
        REQUIRE(whole.has_value());
        const auto& witness = (*whole)->witness();
        CHECK(witness.owner == platform::to_hex(scene.keys->identity().id));
        CHECK(witness.entries > 5);
        CHECK(witness.in_use == host::keys::ChipCount{0, 1});  // the card was replaced
    }
    // A state that was begun and never filled, and one without a log.
    const auto empty = scene.founded.directory.path / "empty.db";
    (void)IssueStore::open(empty, Mark::rehearsal, city_code, scene.founded.clock).value();
    CHECK(detail(empty).find("not begun") != std::string::npos);
    CHECK(detail(scene.founded.directory.path / "state.db").find("not begun") != std::string::npos);
    {
        const Restored again{scene};
        scene.tamper("UPDATE line SET state = 7 WHERE id = 3");
        CHECK(open(scene.file).error().kind == RefusalKind::fleet_unknown);
        CHECK(detail(scene.file).find("line 3 is not what entry") != std::string::npos);
    }
    // Another issuer's store, which this city did not deploy.
    FoundedCity other{7};
    host::keys::DeploymentOrder order;
    order.role = platform::PeerRole::issuer;
    order.unit = "issuer-1";
    const auto stranger = other.deploy(order, "issuer");
    const auto foreign = scene.founded.directory.path / "foreign.db";
    {
        auto store = IssueStore::open(foreign, Mark::rehearsal, city_code, scene.founded.clock,
                                      host::keys::audit_hook(*stranger, scene.founded.clock),
                                      PinSeal::of(*stranger, other.random).value());
        REQUIRE(store->import(host::keys::parse_orders(lines, "lines").value(), office));
        CHECK(detail(foreign).find("that this city deployed") != std::string::npos);
    }
    // The right owner's name over a stranger's signatures.
    {
        auto raw = platform::sqlite::Database::open(foreign).value();
        auto claim = raw.prepare("UPDATE audit_owner SET owner = ?1").value();
        REQUIRE(claim.run(scene.keys->identity().id).has_value());
    }
    CHECK(detail(foreign).find("another key") != std::string::npos);
}

TEST_CASE("issuing state: an older copy is refused once a rotation has written down the newer") {
    LoggedState scene;
    auto& city = scene.founded.city;
    const auto older = scene.founded.directory.path / "older.db";
    {
        const Restored again{scene};
        std::filesystem::copy_file(scene.file, older);
    }
    REQUIRE(scene.step(ChipStep::retire, ChipKind::card, second_card).has_value());
    const auto fleet = IssueFleet::open(scene.file, city, scene.founded.clock);
    REQUIRE(fleet.has_value());
    REQUIRE(IssueFleet::open(older, city, scene.founded.clock).has_value());
    const host::keys::Rotation load{KeyUse::load, host::keys::KeyAlgorithm::sm4};
    REQUIRE(host::keys::prepare(city, load, nullptr, scene.founded.random, scene.founded.clock)
                .has_value());
    const host::keys::RotationTerms terms{nullptr, fleet->get(), false, {}, (*fleet)->witness()};
    REQUIRE(host::keys::retire(city, load, protocol::KeyVersion{2}, terms, scene.founded.clock)
                .has_value());
    const json::value said = json::parse(city.store->log().back().line);
    CHECK(said.at("detail").at("state").at("head").as_string() == (*fleet)->witness().head);
    CHECK(said.at("detail").at("state").at("sams").as_int64() == 1);
    CHECK(IssueFleet::open(scene.file, city, scene.founded.clock).has_value());
    const auto refused = IssueFleet::open(older, city, scene.founded.clock);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().detail.find("head that was written down") != std::string::npos);
}
