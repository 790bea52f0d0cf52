// terminal/gate/gate.hpp with a real card and SAM: docs/gate.md, docs/journal.md (J1, J2).
#include "terminal/gate/screen.hpp"
#include "tests/terminal/gate_world.hpp"

using protocol::RecordKind;
using terminal::GateMode;
using terminal::Refusal;
using tests::FieldCard;
using tests::GateWorld;
using tests::purse;

namespace {

bool tac_is_right(const protocol::BatchRecord& record) {
    const auto key =
        tests::card_key(protocol::KeyUsage::transaction_certificate, protocol::Suite::sm4);
    const auto input = protocol::purchase_tac_input(record.amount, record.type, record.terminal,
                                                    record.terminal_sequence, record.when);
    return crypto::purse::tac(key, input) == record.tac;
}

}  // namespace

TEST_CASE("gate: a ride is paid once, and the entry's TAC is the card's") {
    GateWorld world{GateMode::single, "gate-ride"};
    const auto report = world.gate->touch(world.card);
    CHECK(report.result.open);
    CHECK(purse(world) == 800);
    const auto records = world.cut();
    REQUIRE(records.size() == 1);
    CHECK(records[0].kind == RecordKind::debit);
    CHECK(tac_is_right(records[0]));
    CHECK(report.card_traffic.commands == world.card.commands.size());
}

TEST_CASE("gate: in and out of the railway, and no second entry in between") {
    GateWorld world{GateMode::entry, "gate-rail"};
    world.profile.station = protocol::StationCode{101};
    CHECK(world.gate->touch(world.card).result.open);
    CHECK(world.gate->touch(world.card).result.refusal == Refusal::journey_open);
    CHECK(purse(world) == 1000);
    world.profile.mode = GateMode::exit;
    world.profile.station = protocol::StationCode{103};
    world.clock.advance_ms(20 * 60'000);
    const auto out = world.gate->touch(world.card);
    CHECK(out.result.open);
    CHECK(out.result.record.entry_station == protocol::StationCode{101});
    CHECK(purse(world) == 600);
    CHECK(world.gate->touch(world.card).result.refusal == Refusal::journey_none);
}

TEST_CASE("gate: torn after the debit: the next touch proves it and opens without a second one") {
    GateWorld world{GateMode::single, "gate-torn-after"};
    world.card.withdraw_at(0x54, FieldCard::Moment::before_answer);
    const auto torn = world.gate->touch(world.card);
    CHECK(torn.result.refusal == Refusal::unresolved);
    CHECK(purse(world) == 800);
    world.card.insert();
    world.clock.advance_ms(5'000);
    const auto again = world.gate->touch(world.card);
    CHECK(again.result.open);
    CHECK(again.result.already_paid);
    CHECK(purse(world) == 800);
    // Once: the third touch is a ride of its own.
    CHECK_FALSE(world.gate->touch(world.card).result.already_paid);
    const auto records = world.cut();
    REQUIRE(records.size() == 3);
    CHECK(records[0].kind == RecordKind::unresolved);
    CHECK(records[1].kind == RecordKind::proven);
    CHECK(tac_is_right(records[1]));
    CHECK(records[1].terminal_sequence == records[0].terminal_sequence);
    CHECK(records[2].kind == RecordKind::debit);
}

TEST_CASE("gate: torn before the debit: the next touch voids the entry and the ride is paid") {
    GateWorld world{GateMode::single, "gate-torn-before"};
    world.card.withdraw_at(0x54, FieldCard::Moment::before_command);
    CHECK(world.gate->touch(world.card).result.refusal == Refusal::unresolved);
    world.card.insert();
    const auto again = world.gate->touch(world.card);
    CHECK(again.result.open);
    CHECK_FALSE(again.result.already_paid);
    CHECK(purse(world) == 800);
    const auto records = world.cut();
    REQUIRE(records.size() == 3);
    CHECK(records[1].kind == RecordKind::not_debited);
    CHECK(records[2].kind == RecordKind::debit);
}

namespace {

/// No card and no keys: public files copied from a card, everything else invented.
class KeylessCard final : public terminal::CardLink {
public:
    explicit KeylessCard(tests::Chip& copied) : copied_{copied} {}
    std::expected<terminal::Response, terminal::LinkError> transmit(
        protocol::Bytes command) override {
        const auto say = [](const char* data) {
            return FieldCard::respond({tests::hex(data), protocol::StatusWord::ok});
        };
        switch (command[1]) {
            case 0x50: return say("0000271000050000000104AABBCCDD");  // INITIALIZE: 100 yuan
            case 0xDC: return say("");
            case 0x54: return std::unexpected{terminal::LinkError::card_gone};
            case 0x5A: return say("0000000000000000");  // PROVE
            default: return FieldCard::respond(copied_.send(command));
        }
    }

private:
    tests::Chip& copied_;
};

}  // namespace

TEST_CASE("gate: a card without keys that proves whatever it is asked opens nothing (G2)") {
    GateWorld world{GateMode::single, "gate-keyless"};
    KeylessCard keyless{world.chip};
    for (int round = 0; round < 3; ++round) {
        CAPTURE(round);
        const auto first = world.gate->touch(keyless);
        CHECK(first.result.refusal == Refusal::unresolved);
        world.clock.advance_ms(5'000);
        const auto second = world.gate->touch(keyless);
        CHECK_FALSE(second.result.open);
        CHECK(second.result.refusal == Refusal::proof_unconfirmed);
        CHECK(second.result.detail == "80 72 9302");
        world.clock.advance_ms(5'000);
    }
    for (const auto& record : world.cut()) CHECK(record.kind != RecordKind::debit);
}

TEST_CASE("gate: a proof that the SAM has forgotten is kept for the host, the gate stays shut") {
    enum class Forgets : std::uint8_t { next_init, reset, select };
    for (const Forgets how : {Forgets::next_init, Forgets::reset, Forgets::select}) {
        CAPTURE(static_cast<int>(how));
        GateWorld world{GateMode::single, "gate-forgot-" + std::to_string(static_cast<int>(how))};
        world.card.withdraw_at(0x54, FieldCard::Moment::before_answer);
        const auto torn = world.gate->touch(world.card);
        REQUIRE(torn.result.refusal == Refusal::unresolved);
        const auto& entry = torn.result.record;
        switch (how) {
            case Forgets::next_init: {
                const protocol::SamPurchaseData data{
                    entry.random,        entry.counter,
                    entry.amount,        entry.type,
                    entry.when,          entry.key_version,
                    entry.suite,         protocol::card_factor(entry.card),
                    entry.issuer.value()};
                world.sam_chip.must(protocol::init_sam_for_purchase(data));
                break;
            }
            case Forgets::reset: world.sam_chip.power_on(); break;
            case Forgets::select: world.gate->forget_sam(); break;
        }
        world.card.insert();
        const auto again = world.gate->touch(world.card);
        CHECK_FALSE(again.result.open);
        CHECK(again.result.refusal == Refusal::proof_unconfirmed);
        CHECK(purse(world) == 800);
        const auto records = world.cut();
        REQUIRE(records.size() == 2);
        CHECK(records[1].kind == RecordKind::proven);
        CHECK(tac_is_right(records[1]));
        CHECK(world.counts().waiting_own == 0);
        CHECK(world.gate->touch(world.card).result.open);  // the SAM is there again
    }
}

TEST_CASE("gate: torn after the debit, then no hot list in force: the proof does not open") {
    GateWorld world{GateMode::single, "gate-torn-no-list"};
    world.card.withdraw_at(0x54, FieldCard::Moment::before_answer);
    REQUIRE(world.gate->touch(world.card).result.refusal == Refusal::unresolved);
    world.profile.without_hot_list = terminal::WithoutHotList::refuse;
    world.card.insert();
    const auto again = world.gate->touch(world.card);
    CHECK(again.result.refusal == Refusal::no_hot_list);
    CHECK(purse(world) == 800);
}

TEST_CASE("gate: withdrawn at any other command, nothing happened and nothing waits") {
    constexpr std::array<std::uint8_t, 4> commands{0xA4, 0xB0, 0x50, 0xDC};
    for (const std::uint8_t ins : commands) {
        GateWorld world{GateMode::single, "gate-withdrawn-" + std::to_string(ins)};
        world.card.withdraw_at(ins, FieldCard::Moment::before_answer);
        CHECK(world.gate->touch(world.card).result.refusal == Refusal::card_gone);
        CHECK(purse(world) == 1000);
        CHECK(world.counts().waiting_own == 0);
        CHECK(world.cut().empty());
    }
}

TEST_CASE("gate: a wrong MAC2 keeps the gate shut and uploads the entry by its name") {
    GateWorld world{GateMode::single, "gate-mac2"};
    world.sam.answer_to_credit = "9302";
    const auto report = world.gate->touch(world.card);
    CHECK_FALSE(report.result.open);
    CHECK(report.result.refusal == Refusal::mac2_wrong);
    const auto records = world.cut();
    REQUIRE(records.size() == 1);
    CHECK(records[0].kind == RecordKind::mac2_wrong);
    CHECK(tac_is_right(records[0]));
}

TEST_CASE("gate: a SAM that is gone, reset, foreign or expired opens nothing, and comes back") {
    GateWorld world{GateMode::single, "gate-sam"};
    const std::string good = world.sam.info;
    world.sam.gone = true;
    CHECK(world.gate->touch(world.card).result.refusal == Refusal::sam_unavailable);
    world.sam.gone = false;
    world.sam.info =
        "01"
        "3104000000000001"
        "0000000000003199"
        "20260101"
        "20351231";
    CHECK(world.gate->touch(world.card).result.detail == "sam_of_other_operator");
    world.sam.info =
        "01"
        "3104000000000001"
        "0000000000003101"
        "20260101"
        "20261122";
    CHECK(world.gate->touch(world.card).result.detail == "sam_expired");
    world.sam.info =
        "01"
        "3104000000000001"
        "0000000000003101"
        "20261124"
        "20351231";
    CHECK(world.gate->touch(world.card).result.detail == "sam_not_started");
    world.sam.info = "0100";
    CHECK(world.gate->touch(world.card).result.detail == "sam_data_malformed");
    CHECK(purse(world) == 1000);
    world.sam.info = good;
    CHECK(world.gate->touch(world.card).result.open);
    world.sam_chip.power_on();  // reset behind our back: its application is no longer selected
    CHECK(world.gate->touch(world.card).result.refusal == Refusal::sam_refused);
    CHECK(world.gate->touch(world.card).result.open);
    CHECK(purse(world) == 600);
}

TEST_CASE("gate: a SAM on the hot list in force opens nothing from its time on") {
    GateWorld world{GateMode::single, "gate-hot-sam"};
    const auto list = [&](std::uint32_t sequence, std::optional<protocol::DateTime> since) {
        crypto::SeededRandom random{sequence, "list"};
        protocol::HotListHeader header{
            world.mark,        world.profile.city, protocol::ListSequence{sequence},
            world.clock.now(), world.clock.now(),  since ? 1U : 0U};
        std::vector<std::uint8_t> file;
        const auto add = [&](protocol::Bytes bytes) {
            file.insert(file.end(), bytes.begin(), bytes.end());
        };
        add(header.bytes());
        const protocol::HotEntry entry{protocol::HotKind::sam,
                                       {0x31, 0x00, 0x99, 0x99, 0, 0, 0, 0, 0, 0x01},
                                       protocol::HotReason::lost,
                                       since.value_or(protocol::DateTime{})};
        if (since) add(entry.bytes());
        const auto signature =
            crypto::sm2::sign(world.list_key, crypto::sm2::default_id, file, random);
        REQUIRE(signature.has_value());
        add(*signature);
        REQUIRE(world.hot_lists->offer(std::move(file)).has_value());
    };
    list(1, tests::date_time("20261123083001"));  // it is 08:30:00
    CHECK(world.gate->touch(world.card).result.open);
    world.clock.advance_ms(1000);
    const auto shut = world.gate->touch(world.card);
    CHECK_FALSE(shut.result.open);
    CHECK(shut.result.refusal == Refusal::sam_unavailable);
    CHECK(shut.result.detail == "sam_on_hot_list");
    CHECK(shut.card_traffic.commands == 0);  // the card is not even asked
    CHECK(purse(world) == 800);
    list(2, {});  // found
    CHECK(world.gate->touch(world.card).result.open);
}

TEST_CASE("gate: power lost at every write of a tap: what the card paid is in the journal") {
    std::size_t cuts = 0;
    bool untouched = false;
    for (std::uint64_t writes = 0; !untouched; ++writes, ++cuts) {
        CAPTURE(writes);
        REQUIRE(writes < 200);
        GateWorld world{GateMode::single, "gate-power-" + std::to_string(writes)};
        world.disk.fill_after(writes);
        const auto report = world.gate->touch(world.card);
        untouched = report.result.open;
        const std::uint32_t paid = 1000 - purse(world);
        world.power_cut(writes);
        world.disk.refill();
        world.card.insert();
        REQUIRE(world.start());
        const auto records = world.cut();
        // G2: an open gate has its entry. J1: a debit without one cannot be.
        if (report.result.open) REQUIRE(records.size() == 1);
        if (paid > 0) REQUIRE(records.size() == 1);
        if (records.empty()) continue;
        CHECK(records[0].amount.fen() == 200);
        if (report.result.open) CHECK(records[0].kind == RecordKind::debit);
        if (paid > 0 && records[0].kind == RecordKind::unresolved) {
            const auto again = world.gate->touch(world.card);
            // The SAM lost its memory with the power: shut, and nothing is debited again.
            CHECK(again.result.refusal == Refusal::proof_unconfirmed);
            CHECK(1000 - purse(world) == paid);
            const auto more = world.cut();
            REQUIRE(more.size() == 1);
            CHECK(more[0].kind == RecordKind::proven);
            CHECK(tac_is_right(more[0]));
        }
    }
    MESSAGE("power cuts: " << cuts);
    CHECK(cuts > 4);
}

TEST_CASE("gate: killed between DEBIT and the journal, the next touch settles it") {
    // The journal is thrown away as a kill would leave it: pending, nothing after.
    GateWorld world{GateMode::single, "gate-killed"};
    struct Killed {};
    struct KillingSam final : terminal::CardLink {
        explicit KillingSam(terminal::CardLink& inner) : inner_{inner} {}
        std::expected<terminal::Response, terminal::LinkError> transmit(
            protocol::Bytes command) override {
            if (command[1] == 0x72) throw Killed{};
            return inner_.transmit(command);
        }
        terminal::CardLink& inner_;
    } sam{world.sam};
    terminal::Gate doomed{{world.profile, world.fares, *world.hot_lists, *world.journal,
                           world.clock, sam, [] { return std::int64_t{0}; }}};
    CHECK_THROWS_AS((void)doomed.touch(world.card), Killed);
    CHECK(world.counts().pending == 1);
    REQUIRE(world.start());
    CHECK(world.counts().waiting_own == 1);
    const auto again = world.gate->touch(world.card);
    CHECK(again.result.refusal == Refusal::proof_unconfirmed);  // the start selected the SAM anew
    CHECK(purse(world) == 800);
    const auto records = world.cut();
    REQUIRE(records.size() == 2);
    CHECK(records[1].kind == RecordKind::proven);
    CHECK(tac_is_right(records[1]));
}

TEST_CASE("gate: a full disk shuts the gate before the debit, and the gate recovers") {
    GateWorld world{GateMode::single, "gate-full"};
    world.disk.fill_after(0);
    CHECK(world.gate->touch(world.card).result.refusal == Refusal::out_of_service);
    CHECK(purse(world) == 1000);
    world.disk.refill();
    CHECK(world.gate->touch(world.card).result.open);
}

TEST_CASE("gate: every refusal has words for the traveller") {
    for (std::size_t i = 1; i < terminal::refusal_count; ++i) {
        const auto refusal = static_cast<Refusal>(i);
        CHECK(std::string_view{name(refusal)} != "unknown");
        CHECK_FALSE(terminal::screen_line(refusal).empty());
    }
}
