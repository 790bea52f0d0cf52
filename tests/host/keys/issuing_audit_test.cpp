// host/keys/issuing_audit: every change of the issuing state signed and chained in its own commit.
// docs/audit.md, 5.
#include "host/keys/issuing_audit.hpp"

#include <csignal>

#include <sys/wait.h>

#include "tests/crypto/sm2_openssl.hpp"
#include "tests/host/keys/issuer_scene.hpp"

using namespace keys_test;
using host::keys::AuditKnowledge;
using host::keys::AuditReport;
using host::keys::ChipStep;
using host::keys::RefusalKind;
using host::keys::StepOrder;

namespace {

using Lines = std::vector<std::string>;

/// An issuer whose every change is logged, and a card with five of them behind it.
struct Logged {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    std::filesystem::path file = issuer.founded.directory.path / "state.db";

    Logged() {
        close();
        for (const char* part : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + part);
        issuer.hook = host::keys::audit_hook(*issuer.keys, issuer.founded.clock);
        issuer.restart();
        const auto orders = host::keys::parse_orders(lines, "lines").value();
        REQUIRE(issuer.state->import(orders, office).value() == 3);
        REQUIRE(issue(issuer, chip, "card", "x").contains("done"));  // claim, bind, finish
        step(ChipStep::activate);
    }
    void step(ChipStep what) { REQUIRE(take(what) == "done"); }
    std::string take(ChipStep what) {
        const auto done =
            issuer.state->take_step({what, ChipKind::card, first_card, {}, {}}, office);
        return done ? "done" : std::string{name(done.error().kind)};
    }
    /// Nobody has the file open: it can be altered, copied, put back.
    void close() {
        issuer.service.reset();
        issuer.state.reset();
    }
    void alter(const std::string& sql) {
        close();
        auto database = platform::sqlite::Database::open(file);
        REQUIRE(database.has_value());
        INFO(sql);
        REQUIRE(database->execute(sql).has_value());
        REQUIRE(database->checkpoint().has_value());
    }
    host::keys::Result<AuditReport> audit(const AuditKnowledge& known = {}) const {
        return host::keys::audit_issuing_state(file, known);
    }
    /// "entry_fault 2: entry_missing", "truncated 3", "whole 5".
    std::string verdict(const AuditKnowledge& known = {}) const {
        const auto report = audit(known);
        if (!report) return name(report.error().kind);
        std::string text = std::string{name(report->verdict)} + " " + std::to_string(report->entry);
        if (report->audit.finding) {
            text += std::string{": "} + crypto::keys::name(report->audit.finding->fault);
        }
        return text;
    }
    /// Of a copy, altered.
    std::string verdict_after(const std::string& sql) {
        alter("SELECT 1");  // nothing is left outside the file
        const auto copy = issuer.founded.directory.path / "copy.db";
        std::filesystem::copy_file(file, copy, std::filesystem::copy_options::overwrite_existing);
        const auto original = std::exchange(file, copy);
        alter(sql);
        std::string found = verdict();
        file = original;
        return found;
    }
};

crypto::keys::LogHead openssl_sm3(protocol::Bytes first, std::string_view second) {
    std::vector<std::uint8_t> bytes{first.begin(), first.end()};
    bytes.insert(bytes.end(), second.begin(), second.end());
    crypto::keys::LogHead out{};
    REQUIRE(EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, EVP_sm3(), nullptr) == 1);
    return out;
}

/// Steps without end, one byte to `told` after each; until somebody kills it.
[[noreturn]] void keep_changing(const std::filesystem::path& file, const Issuer& issuer, int told) {
    auto state = host::keys::IssueStore::open(file, Mark::rehearsal, city_code,
                                              issuer.founded.clock, issuer.hook);
    for (bool lost = false; state; lost = !lost) {
        const ChipStep step = lost ? ChipStep::find : ChipStep::lose;
        if (!state->take_step({step, ChipKind::card, first_card, {}, {}}, office)) break;
        if (::write(told, "", 1) != 1) break;
    }
    ::_exit(1);
}

}  // namespace

TEST_CASE("issuing audit: each change is an entry, with who and what, and no card's number") {
    Logged scene;
    scene.close();
    Lines lines;
    const auto report = host::keys::audit_issuing_state(
        scene.file, {}, [&](const crypto::keys::LogEntry& entry) { lines.push_back(entry.line); });
    REQUIRE(report.has_value());
    CHECK(report->verdict == host::keys::AuditVerdict::whole);
    CHECK(report->audit.count == 5);
    CHECK(report->audit.identity.audit_key == scene.issuer.keys->identity().audit_key);
    Lines told;
    for (const std::string& line : lines) {
        const json::object entry = json::parse(line).as_object();
        const json::object& detail = entry.at("detail").as_object();
        told.emplace_back(std::string{detail.at("by").as_string()} + " " +
                          std::string{detail.at("command").as_string()});
        CHECK(entry.at("at").as_string() == "2026-01-01T07:00:00Z");
        CHECK(line.find("03104800000000000017") == std::string::npos);
        CHECK(line.find("12345") == std::string::npos);  // the PIN
    }
    CHECK(told == Lines{"person:office import", "desk:desk-1 claim", "desk:desk-1 bind",
                        "desk:desk-1 finish", "person:office activate"});
}

TEST_CASE("issuing audit: OpenSSL follows the chain in the table") {
    Logged scene;
    scene.close();
    auto database = platform::sqlite::Database::open(scene.file);
    REQUIRE(database.has_value());
    const auto identity = scene.issuer.keys->identity();
    const tests::openssl::Sm2Key key{identity.audit_key};
    constexpr std::string_view begin = "onecard audit log 1";
    auto head = openssl_sm3(
        bytes_of(begin), {reinterpret_cast<const char*>(identity.id.data()), identity.id.size()});
    auto rows = database->prepare("SELECT line, signature, head FROM audit ORDER BY number");
    std::size_t count = 0;
    for (; rows->step().value(); ++count) {
        head = openssl_sm3(head, rows->text(0));
        CHECK(key.verify(crypto::sm2::default_id, head, rows->array<64>(1).value()));
        CHECK(rows->array<32>(2) == head);
    }
    CHECK(count == 5);
    CHECK(scene.audit()->audit.head == head);
}

TEST_CASE("issuing audit: a changed line, signature or column names its entry") {
    Logged scene;
    for (const char* column :
         {"line = replace(line, '07:00', '08:00')",
          "line = replace(line, '\"event\":\"', '\"event\":\"0')", "signature = zeroblob(64)",
          "signature = x'00'", "signature = (SELECT signature FROM audit WHERE number = 1)",
          "head = zeroblob(32)", "head = x'00'"}) {
        for (const std::string number : {"2", "5"}) {
            CAPTURE(column);
            CHECK(scene.verdict_after("UPDATE audit SET " + std::string{column} +
                                      " WHERE number = " + number) ==
                  "entry_fault " + number + ": entry_altered");
        }
    }
    for (const char* line : {"''", "CAST(x'FF' AS TEXT)", "'{}'", "'[2]'", "line || ' '"}) {
        CAPTURE(line);
        CHECK(scene.verdict_after("UPDATE audit SET line = " + std::string{line} +
                                  " WHERE number = 2") == "entry_fault 2: entry_malformed");
    }
}

TEST_CASE("issuing audit: entries taken out, put in and swapped are named") {
    Logged scene;
    CHECK(scene.verdict_after("DELETE FROM audit WHERE number = 1") ==
          "entry_fault 1: entry_missing");
    CHECK(scene.verdict_after("DELETE FROM audit WHERE number = 3") ==
          "entry_fault 3: entry_missing");
    CHECK(scene.verdict_after("DELETE FROM audit WHERE number = 3;"
                              "UPDATE audit SET number = 3 WHERE number = 4") ==
          "entry_fault 3: entry_missing");
    CHECK(scene.verdict_after("UPDATE audit SET number = 9 WHERE number = 2") ==
          "entry_fault 2: entry_missing");
    CHECK(scene.verdict_after("UPDATE audit SET number = -number") ==
          "entry_fault 1: entry_missing");
    CHECK(scene.verdict_after("INSERT INTO audit SELECT 6, line, signature, head "
                              "FROM audit WHERE number = 2") ==
          "entry_fault 6: entry_out_of_place");
    CHECK(scene.verdict_after("INSERT INTO audit SELECT 0, line, signature, head "
                              "FROM audit WHERE number = 1") ==
          "entry_fault 2: entry_out_of_place");
    CHECK(scene.verdict_after("INSERT INTO audit SELECT 6, '{\"n\":6,' || "
                              "substr(line, 8), signature, head FROM audit WHERE number = 5") ==
          "entry_fault 6: entry_altered");
}

TEST_CASE("issuing audit: a log cut at its end is found by the events that it does not tell") {
    Logged scene;
    CHECK(scene.verdict_after("DELETE FROM audit WHERE number = 5") == "truncated 4");
    CHECK(scene.verdict_after("DELETE FROM audit WHERE number > 2") == "truncated 2");
    CHECK(scene.verdict_after("DELETE FROM audit") == "truncated 0");
    // A change that did not go through the program.
    CHECK(scene.verdict_after("INSERT INTO event SELECT id + 1, at, who, step, line, before, "
                              "after, detail FROM event ORDER BY id DESC LIMIT 1") ==
          "truncated 5");
}

TEST_CASE("issuing audit: what was changed stays named when the log goes on") {
    Logged scene;
    scene.alter("UPDATE audit SET head = zeroblob(32) WHERE number = 5");
    scene.issuer.restart();
    scene.step(ChipStep::lose);
    scene.close();
    CHECK(scene.verdict() == "entry_fault 5: entry_altered");
    CHECK(scene.audit()->audit.count == 4);
}

TEST_CASE("issuing audit: without a head to go on from, nothing is changed") {
    Logged scene;
    scene.alter("UPDATE audit SET head = x'00' WHERE number = 5");
    scene.issuer.restart();
    CHECK(scene.take(ChipStep::lose) == "file_failed");
    CHECK(scene.issuer.state->counts()->of(ChipState::activated) == 1);
}

TEST_CASE("issuing audit: another issuer's key store does not go on with the log") {
    Logged scene;
    scene.close();
    host::keys::DeploymentOrder order;
    order.role = platform::PeerRole::issuer;
    order.unit = "issuer-2";
    const auto other = scene.issuer.founded.deploy(order, "other");
    const auto own = std::exchange(scene.issuer.hook,
                                   host::keys::audit_hook(*other, scene.issuer.founded.clock));
    scene.issuer.restart();
    CHECK(scene.take(ChipStep::lose) == "store_failed");
    CHECK(scene.issuer.state->counts()->of(ChipState::activated) == 1);
    scene.close();
    CHECK(scene.verdict() == "whole 5");
    CHECK(scene.verdict({.audit_key = other->identity().audit_key, .head = {}}) == "other_key 5");
    CHECK(scene.verdict({.audit_key = scene.issuer.keys->identity().audit_key, .head = {}}) ==
          "whole 5");
    // Taken out, so that another can begin: nothing is changed any more.
    scene.alter("DELETE FROM audit; DELETE FROM audit_owner");
    CHECK(scene.verdict() == "file_failed");  // not begun
    scene.issuer.restart();
    CHECK(scene.take(ChipStep::lose) == "file_failed");
    CHECK(scene.issuer.state->counts()->of(ChipState::activated) == 1);
}

TEST_CASE("issuing audit: an older copy is whole, and a head written down denies it") {
    Logged scene;
    scene.close();
    const auto older = scene.issuer.founded.directory.path / "older.db";
    scene.alter("SELECT 1");  // and nothing is left outside the file
    std::filesystem::copy_file(scene.file, older);
    const AuditKnowledge before{.audit_key = {}, .head = scene.audit()->audit.head};
    scene.issuer.restart();
    scene.step(ChipStep::lose);
    scene.close();
    const AuditKnowledge now{.audit_key = {}, .head = scene.audit()->audit.head};
    CHECK(scene.verdict(before) == "whole 6");  // an earlier head is one that it had
    CHECK(scene.audit(before)->known_at == 5);
    CHECK(scene.verdict(now) == "whole 6");
    std::filesystem::copy_file(older, scene.file,
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(scene.verdict() == "whole 5");
    CHECK(scene.verdict(before) == "whole 5");
    CHECK(scene.verdict(now) == "head_missing 5");
}

TEST_CASE("issuing audit: entry and change are one commit, killed at any instant") {
    Logged scene;
    scene.close();
    std::uint64_t entries = 5;
    for (int round = 0; round < 12; ++round) {
        std::array<int, 2> pipe{};
        REQUIRE(::pipe(pipe.data()) == 0);
        const pid_t child = ::fork();
        if (child == 0) keep_changing(scene.file, scene.issuer, pipe[1]);
        ::close(pipe[1]);
        std::array<char, 64> told{};
        std::uint64_t heard = 0;
        while (heard < static_cast<std::uint64_t>(round % 4 + 1)) {
            const auto size = ::read(pipe[0], told.data(), told.size());
            REQUIRE(size > 0);
            heard += static_cast<std::uint64_t>(size);
        }
        ::usleep(static_cast<useconds_t>(round) * 97);  // somewhere in the next one
        REQUIRE(::kill(child, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        ::close(pipe[0]);
        const auto report = scene.audit();
        REQUIRE(report.has_value());
        CHECK(report->verdict == host::keys::AuditVerdict::whole);
        CHECK(report->audit.count >= entries + heard);
        entries = report->audit.count;
        // The state is the one that the last entry tells of.
        scene.issuer.restart();
        const auto events = scene.issuer.state->history(ChipKind::card, first_card);
        REQUIRE(events.has_value());
        CHECK(events->size() == entries);
        if (scene.issuer.state->counts()->of(ChipState::lost) == 1) scene.step(ChipStep::find);
        scene.close();
        entries = scene.audit()->audit.count;
    }
}

TEST_CASE("issuing audit: what is no issuing state") {
    Logged scene;
    scene.close();
    const auto at = [&](const char* what) { return scene.issuer.founded.directory.path / what; };
    CHECK(host::keys::is_issuing_state(scene.file));
    CHECK_FALSE(host::keys::is_issuing_state(at("issuer") / host::keys::store_file));
    CHECK_FALSE(host::keys::is_issuing_state(at("nowhere")));
    CHECK_FALSE(host::keys::is_issuing_state(at("issuer")));
    for (const auto& file : {at("issuer") / host::keys::store_file, at("nowhere"), at("issuer")}) {
        const auto report = host::keys::audit_issuing_state(file, {});
        REQUIRE_FALSE(report.has_value());
        CHECK(report.error().kind == RefusalKind::file_failed);
    }
    platform::sqlite::Options options;
    options.application_id = 7;
    REQUIRE(platform::sqlite::Database::open(at("other.db"), options).has_value());
    CHECK(host::keys::audit_issuing_state(at("other.db"), {}).error().kind ==
          RefusalKind::file_failed);
    scene.alter("UPDATE audit_owner SET key = zeroblob(64)");
    CHECK(scene.verdict() == "file_failed");
}
