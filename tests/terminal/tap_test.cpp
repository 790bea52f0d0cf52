// terminal/gate/tap.hpp: docs/gate.md, "The tap" and "Refusals".
#include "tests/terminal/scripted_tap.hpp"

using protocol::RecordKind;
using terminal::Finished;
using terminal::GateMode;
using terminal::Refusal;
using tests::play;
using tests::Script;
using tests::ScriptedExchange;
using tests::TapWorld;

namespace {

/// The script up to and with exchange `line`, whose answer is replaced.
Script answering(Script script, std::size_t line, const std::string& answer) {
    script.resize(line + 1);
    script[line].answer = answer;
    return script;
}
std::string with_file_15(const std::string& file_15) {
    return "6F318408A000000632010105A5259F0801029F0C1E" + file_15 + "9000";
}

struct Situation {
    const char* file;
    GateMode mode;
};
constexpr std::array situations{Situation{"single.tap", GateMode::single},
                                Situation{"entry.tap", GateMode::entry},
                                Situation{"exit.tap", GateMode::exit}};

}  // namespace

TEST_CASE("tap: a single ride is byte for byte as the layouts say, 5 commands, 205 bytes") {
    const TapWorld world{GateMode::single};
    const auto played = play(world, tests::load_script("single.tap"));
    CHECK(played.result.open);
    CHECK(played.result.end == Finished::End::entry);
    CHECK(played.result.record.kind == RecordKind::debit);
    CHECK(played.result.record.amount.fen() == 200);
    CHECK(played.result.record.balance_before.fen() == 1000);
    CHECK(tests::to_hex(played.result.record.tac) == "01020304");
    CHECK(tests::to_hex(played.result.record.mac2) == "05060708");
    CHECK(played.card.commands == 5);
    CHECK(played.card.bytes == 205);
    CHECK(played.card.commands <= 6);  // design: the single-ride budget
    CHECK(played.card.bytes <= 320);
}

TEST_CASE("tap: entry and exit stay within 8 commands and 640 bytes, and write 1A and 1E") {
    for (const char* file : {"entry.tap", "exit.tap"}) {
        CAPTURE(file);
        const bool exit = std::string_view{file} == "exit.tap";
        const TapWorld world{exit ? GateMode::exit : GateMode::entry};
        const auto played = play(world, tests::load_script(file));
        CHECK(played.result.open);
        CHECK(played.result.record.amount.fen() == (exit ? 400 : 0));
        CHECK(played.result.record.entry_station.value() == (exit ? 101 : 0));
        CHECK(played.card.commands == 7);
        CHECK(played.card.bytes == 475);
    }
}

TEST_CASE("tap: a student pays half, rounded down, and the record keeps the full fare") {
    const TapWorld world{GateMode::single};
    const auto played = play(world, tests::load_script("single_student.tap"));
    CHECK(played.result.record.amount.fen() == 100);
    CHECK(played.result.record.full_fare.fen() == 200);
    CHECK(played.result.record.card_kind == protocol::CardKind::student);
}

TEST_CASE("tap: cut after every exchange, the gate never opens and DEBIT never goes twice (G1)") {
    for (const auto& [file, mode] : situations) {
        CAPTURE(file);
        const TapWorld world{mode};
        const Script script = tests::load_script(file);
        const std::size_t exchanges = script.size() - 1;  // one line is `record`
        for (std::size_t cut = 0; cut < exchanges; ++cut) {
            CAPTURE(cut);
            const auto played = play(world, script, cut);
            CHECK_FALSE(played.result.open);
            CHECK(played.debits == (cut >= exchanges - 2 ? 1 : 0));
            CHECK(played.recorded.size() == played.debits);
            if (cut < exchanges - 2) {
                CHECK(played.result.end == Finished::End::nothing);
            } else if (cut == exchanges - 2) {
                CHECK(played.result.refusal == Refusal::unresolved);
                CHECK(played.result.record.kind == RecordKind::unresolved);
                CHECK(played.result.record.tac == protocol::Mac{});
            } else {  // the SAM vanished: the TAC is kept, nobody vouches for MAC2
                CHECK(played.result.refusal == Refusal::sam_unavailable);
                CHECK(played.result.record.kind == RecordKind::mac2_wrong);
                CHECK(tests::to_hex(played.result.record.tac) == "01020304");
            }
        }
    }
}

TEST_CASE("tap: malformed answers are a refusal by name, after DEBIT an unresolved entry (G4)") {
    for (const auto& [file, mode] : situations) {
        const TapWorld world{mode};
        const Script script = tests::load_script(file);
        for (std::size_t line = 0; line < script.size(); ++line) {
            if (script[line].kind == ScriptedExchange::Kind::record) continue;
            for (const std::string& answer :
                 {std::string{"9000"}, std::string{"FF9000"}, std::string{"90"}, std::string{},
                  std::string(2 * 254, '0') + "9000"}) {
                if (answer == script[line].answer) continue;
                if (script[line].answer == "9000" && answer.ends_with("9000")) continue;
                CAPTURE(line);
                CAPTURE(answer);
                const auto played = play(world, answering(script, line, answer));
                CHECK_FALSE(played.result.open);
                CHECK(played.result.refusal != Refusal::none);
                const bool debited = played.debits == 1;
                CHECK((played.result.end == Finished::End::entry) == debited);
            }
        }
    }
}

TEST_CASE("tap: what file 15 says refuses in the documented order") {
    const Script script = tests::load_script("single.tap");
    const TapWorld world{GateMode::single};
    const std::string head = "3104000000000000";
    const std::string card = "03104000000000000017";
    const std::array<std::pair<std::string, Refusal>, 8> cases{{
        {"6A82", Refusal::not_a_transit_card},
        {"6283", Refusal::card_blocked},
        {"6A81", Refusal::card_blocked},
        {with_file_15(head + "0101" + card + "20260101203512310000"), Refusal::not_enabled},
        {with_file_15(head + "0200" + card + "20260101203512310000"), Refusal::not_enabled},
        {with_file_15(head + "0201" + card + "20261124203512310000"), Refusal::not_started},
        {with_file_15(head + "0201" + card + "20260101202611220000"), Refusal::expired},
        {with_file_15(head + "0201" + card + "20261301202611220000"), Refusal::card_data_malformed},
    }};
    for (const auto& [answer, refusal] : cases) {
        CAPTURE(answer);
        CHECK(play(world, answering(script, 0, answer)).result.refusal == refusal);
    }
}

TEST_CASE("tap: start and end of validity are days the card may still ride") {
    Script script = tests::load_script("single.tap");
    script[0].answer = with_file_15(
        "31040000000000000201031040000000000000172026112320261123"
        "0000");
    CHECK(play(TapWorld{GateMode::single}, script).result.open);
}

TEST_CASE("tap: file 17 and the lists: interoperability, city, hot list, in this order") {
    const Script script = tests::load_script("single.tap");
    TapWorld world{GateMode::single};
    const auto refusal = [&](const std::string& file_17) {
        return play(world, answering(script, 1, file_17)).result.refusal;
    };
    const std::string closed_foreign = "00000156320032000000019000";
    const std::string open_foreign = "00000156320032000001019000";
    CHECK(refusal(closed_foreign) == Refusal::not_interoperable);
    CHECK(refusal(open_foreign) == Refusal::city_not_accepted);
    CHECK(refusal("00000156310031000001069000") == Refusal::card_data_malformed);
    world.profile.accepted_cities = {protocol::CityCode{0x3200}};
    world.hot_cards.listed_ = tests::test_card;
    CHECK(refusal(closed_foreign) == Refusal::not_interoperable);
    CHECK(refusal(open_foreign) == Refusal::on_hot_list);
    world.hot_cards.in_force_ = false;
    CHECK(refusal(open_foreign) == Refusal::no_hot_list);
}

TEST_CASE("tap: a gate told to accept without a hot list rides on") {
    TapWorld world{GateMode::single};
    world.hot_cards.in_force_ = false;
    world.profile.without_hot_list = terminal::WithoutHotList::accept;
    CHECK(play(world, tests::load_script("single.tap")).result.open);
}

TEST_CASE("tap: a home card needs no interoperability flag") {
    Script script = tests::load_script("single.tap");
    script[1].answer = "00000156310031000000019000";
    CHECK(play(TapWorld{GateMode::single}, script).result.open);
}

TEST_CASE("tap: journeys that do not fit are refused by name") {
    const Script entry = tests::load_script("entry.tap");
    const Script exit = tests::load_script("exit.tap");
    TapWorld in{GateMode::entry};
    TapWorld out{GateMode::exit};
    CHECK(play(in, answering(entry, 2, exit[2].answer)).result.refusal == Refusal::journey_open);
    CHECK(play(out, answering(exit, 2, entry[2].answer)).result.refusal == Refusal::journey_none);
    std::string damaged = exit[2].answer;
    damaged[40] = damaged[40] == '0' ? '1' : '0';
    CHECK(play(out, answering(exit, 2, damaged)).result.refusal == Refusal::card_data_malformed);
    out.profile.operator_id = terminal::OperatorId{tests::array_of<8>("0000000000003102")};
    CHECK(play(out, answering(exit, 2, exit[2].answer)).result.refusal ==
          Refusal::journey_elsewhere);
    TapWorld late{GateMode::exit};
    late.now = tests::date_time("20261123120001");  // 240 minutes and a second
    CHECK(play(late, answering(exit, 2, exit[2].answer)).result.refusal ==
          Refusal::journey_too_old);
    TapWorld lost{GateMode::exit};
    lost.profile.station = protocol::StationCode{999};
    CHECK(play(lost, answering(exit, 2, exit[2].answer)).result.refusal == Refusal::no_fare);
}

TEST_CASE("tap: too little money is refused before the SAM spends a number") {
    const Script single = tests::load_script("single.tap");
    CHECK(play(TapWorld{GateMode::single}, answering(single, 2, "9401")).result.refusal ==
          Refusal::insufficient_balance);
    // An overdraft that would let INITIALIZE pass is not a gate's business.
    const auto overdrawn = answering(single, 2, "000000C7000500FFFF0104112233449000");
    CHECK(play(TapWorld{GateMode::single}, overdrawn).result.refusal ==
          Refusal::insufficient_balance);
    // At entry the purse must hold the longest ride's fare, 400 fen here.
    const Script entry = tests::load_script("entry.tap");
    const auto poor = answering(entry, 3, "0000018F00050000000104112233449000");
    CHECK(play(TapWorld{GateMode::entry}, poor).result.refusal == Refusal::insufficient_balance);
}

TEST_CASE("tap: card and SAM refusing in the purchase") {
    const Script script = tests::load_script("single.tap");
    const TapWorld world{GateMode::single};
    CHECK(play(world, answering(script, 1, "6982")).result.refusal == Refusal::card_refused);
    CHECK(play(world, answering(script, 2, "9403")).result.refusal == Refusal::card_refused);
    CHECK(play(world, answering(script, 3, "9403")).result.refusal == Refusal::sam_refused);
    CHECK(play(world, answering(script, 4, "6A84")).result.refusal == Refusal::card_refused);
}

TEST_CASE("tap: DEBIT refused cleanly voids the entry, refused unclearly leaves it unresolved") {
    const Script script = tests::load_script("single.tap");
    const TapWorld world{GateMode::single};
    const auto clean = play(world, answering(script, 6, "9302"));
    CHECK(clean.result.refusal == Refusal::card_refused);
    CHECK(clean.result.end == Finished::End::void_);
    for (const char* status : {"6581", "6F00"}) {
        const auto unclear = play(world, answering(script, 6, status));
        CHECK(unclear.result.refusal == Refusal::unresolved);
        CHECK(unclear.result.end == Finished::End::entry);
    }
}

TEST_CASE("tap: a wrong MAC2 keeps the gate shut and the entry") {
    const Script script = tests::load_script("single.tap");
    const auto played = play(TapWorld{GateMode::single}, answering(script, 7, "9302"));
    CHECK_FALSE(played.result.open);
    CHECK(played.result.refusal == Refusal::mac2_wrong);
    CHECK(played.result.end == Finished::End::entry);
    CHECK(played.result.record.kind == RecordKind::mac2_wrong);
}

TEST_CASE("tap: an entry that cannot be written stops before DEBIT (G1)") {
    const TapWorld world{GateMode::single};
    const Script script = tests::load_script("single.tap");
    terminal::Tap tap{world.context()};
    terminal::Step step = tap.begin();
    for (std::size_t i = 0; i < 5; ++i) step = tap.on_response(tests::hex(script[i].answer));
    REQUIRE(std::holds_alternative<terminal::Record>(step));
    step = tap.on_record_failed();
    REQUIRE(std::holds_alternative<Finished>(step));
    CHECK(std::get<Finished>(step).refusal == Refusal::out_of_service);
}

// ---- the next touch: docs/gate.md ----

namespace {

constexpr std::size_t after_select = 1;

/// The torn entry of single.tap, made a minute before.
terminal::BatchRecord torn_entry() {
    auto played = play(TapWorld{GateMode::single}, tests::load_script("single.tap"), 5);
    REQUIRE(played.result.refusal == Refusal::unresolved);
    auto entry = played.result.record;
    entry.when = tests::date_time("20261123082900");
    return entry;
}
Script with_recovery(std::initializer_list<ScriptedExchange> recovery) {
    Script script = tests::load_script("single.tap");
    script.insert(script.begin() + after_select, recovery);
    return script;
}
const ScriptedExchange proof{ScriptedExchange::Kind::card, "805A000902000508",
                             "05060708010203049000"};
const ScriptedExchange no_proof{ScriptedExchange::Kind::card, "805A000902000508", "9406"};
ScriptedExchange log(const std::string& answer) {
    return {ScriptedExchange::Kind::card, "00B201C417", answer};
}
ScriptedExchange probe(const std::string& counter) {
    return {ScriptedExchange::Kind::card, "805003020B01000000003100000000010F",
            "00000320" + counter + "0000000104556677889000"};
}
/// SELECT, what the card proves, file 17, and the SAM's word on it.
Script with_proof(const std::string& proven, const std::string& word) {
    const Script ride = tests::load_script("single.tap");
    const ScriptedExchange confirm{ScriptedExchange::Kind::sam, "8072000004" + proven.substr(0, 8),
                                   word};
    const ScriptedExchange answer{proof.kind, proof.command, proven + "9000"};
    return {ride[0], answer, log("6A83"), ride[1], confirm};
}
const std::string our_log = "0006000000000000C809310000000001202611230829009000";
const std::string their_log = "0006000000000000C809310000000002202611230829309000";

}  // namespace

TEST_CASE("tap: a proof that the SAM confirms opens the gate without another debit (G2)") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    Script script = with_proof("0506070801020304", "9000");
    script[2].answer = our_log;
    const auto played = play(world, script);
    CHECK(played.exchanges == script.size());
    CHECK(played.result.open);
    CHECK(played.result.already_paid);
    CHECK(played.debits == 0);
    REQUIRE(played.result.resolutions.size() == 1);
    const auto& resolved = played.result.resolutions[0];
    CHECK(resolved.end == terminal::Resolution::End::proven);
    CHECK(resolved.record.kind == RecordKind::proven);
    CHECK(tests::to_hex(resolved.record.tac) == "01020304");
    CHECK(tests::to_hex(resolved.record.mac2) == "05060708");
}

TEST_CASE("tap: what the SAM does not confirm is no proof: shut, kept, no debit (G2)") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    for (const char* proven : {"0000000000000000", "FFFFFFFFFFFFFFFF", "0506070801020304"}) {
        // Wrong; it expects none; another application; malformed; nearly the right word.
        for (const char* word : {"9302", "6901", "6D00", "90", "", "9001", "6100"}) {
            CAPTURE(proven);
            CAPTURE(word);
            const auto played = play(world, with_proof(proven, word));
            CHECK_FALSE(played.result.open);
            CHECK_FALSE(played.result.already_paid);
            CHECK(played.result.refusal == Refusal::proof_unconfirmed);
            CHECK(played.result.end == Finished::End::nothing);
            CHECK(played.debits == 0);
            CHECK(played.recorded.empty());
            REQUIRE(played.result.resolutions.size() == 1);
            CHECK(played.result.resolutions[0].end == terminal::Resolution::End::proven);
        }
    }
    const auto gone = play(world, with_proof("0506070801020304", ""), 4);
    CHECK(gone.result.refusal == Refusal::proof_unconfirmed);
    CHECK(gone.result.resolutions.size() == 1);
}

TEST_CASE("tap: a card that proves its payment must still be one that may ride") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    Script script = with_proof("0506070801020304", "9000");
    script.pop_back();  // the SAM is not asked
    world.hot_cards.listed_ = tests::test_card;
    const auto listed = play(world, script);
    CHECK(listed.result.refusal == Refusal::on_hot_list);
    CHECK(listed.result.resolutions.size() == 1);
    world.hot_cards.in_force_ = false;
    CHECK(play(world, script).result.refusal == Refusal::no_hot_list);
    world.hot_cards = {};
    script[3].answer = "00000156320032000000019000";
    CHECK(play(world, script).result.refusal == Refusal::not_interoperable);
    script.pop_back();
    script[0].answer = with_file_15(
        "31040000000000000200031040000000000000172026010120351231"
        "0000");
    CHECK(play(world, script).result.refusal == Refusal::not_enabled);
}

TEST_CASE("tap: a card that leaves before the SAM was asked keeps its proof for the next touch") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    const auto left = play(world, with_proof("0506070801020304", "9000"), 3);
    CHECK(left.result.refusal == Refusal::card_gone);
    CHECK(left.result.resolutions.empty());
}

TEST_CASE("tap: an old proof, or one of another station, settles the entry and the tap goes on") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    world.waiting.entries[0].station = protocol::StationCode{2};
    const Script script = with_recovery({proof, log(our_log)});
    const auto elsewhere = play(world, script);
    CHECK(elsewhere.result.open);
    CHECK(elsewhere.debits == 1);
    REQUIRE(elsewhere.recorded.size() == 1);
    // Durable before DEBIT makes the card forget the proof.
    REQUIRE(elsewhere.recorded[0].resolutions.size() == 1);
    CHECK(elsewhere.recorded[0].resolutions[0].record.kind == RecordKind::proven);
    CHECK(elsewhere.result.resolutions.empty());
}

TEST_CASE("tap: a counter used by another terminal's debit is no proof of ours") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    const auto played = play(world, with_recovery({proof, log(their_log)}));
    CHECK(played.debits == 1);
    REQUIRE(played.recorded.at(0).resolutions.size() == 1);
    CHECK(played.recorded[0].resolutions[0].end == terminal::Resolution::End::left_to_host);
}

TEST_CASE("tap: no proof and an unchanged counter voids the entry, a moved one leaves it") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    const auto same = play(world, with_recovery({no_proof, probe("0005")}));
    CHECK(same.result.open);
    REQUIRE(same.recorded.at(0).resolutions.size() == 1);
    CHECK(same.recorded[0].resolutions[0].end == terminal::Resolution::End::not_debited);
    CHECK(same.recorded[0].resolutions[0].record.kind == RecordKind::not_debited);
    const auto moved = play(world, with_recovery({no_proof, probe("0006")}));
    REQUIRE(moved.recorded.at(0).resolutions.size() == 1);
    CHECK(moved.recorded[0].resolutions[0].end == terminal::Resolution::End::left_to_host);
    CHECK(moved.recorded[0].resolutions[0].record.kind == RecordKind::unresolved);
}

TEST_CASE("tap: a card that leaves or refuses during recovery settles nothing") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    const auto left = play(world, with_recovery({proof, log(our_log)}), 1);
    CHECK(left.result.refusal == Refusal::card_gone);
    CHECK(left.result.resolutions.empty());
    const ScriptedExchange refused{ScriptedExchange::Kind::card, "805A000902000508", "6985"};
    const auto other = play(world, with_recovery({refused}));
    CHECK(other.result.open);
    CHECK(other.recorded.at(0).resolutions.empty());
    const auto unprobed = play(
        world, with_recovery(
                   {no_proof,
                    {ScriptedExchange::Kind::card, "805003020B01000000003100000000010F", "6985"}}));
    CHECK(unprobed.recorded.at(0).resolutions.empty());
}

TEST_CASE("tap: a refused card is still asked about its old entry") {
    TapWorld world{GateMode::single};
    world.waiting.entries = {torn_entry()};
    world.now = tests::date_time("20360101000000");
    Script script = with_recovery({proof, log(our_log)});
    const auto played = play(world, script);
    CHECK(played.result.refusal == Refusal::expired);
    REQUIRE(played.result.resolutions.size() == 1);
    CHECK(played.result.resolutions[0].record.kind == RecordKind::proven);
}
