#pragma once
// A whole gate in one process: a real card and a real SAM (firmware), the journal on a disk that
// can fail, a clock that moves when told. What a test breaks, it breaks here.
#include "platform/clock.hpp"
#include "terminal/gate/gate.hpp"
#include "tests/firmware/support/issuing.hpp"
#include "tests/simulation/lossy_disk.hpp"
#include "tests/terminal/scripted_tap.hpp"

namespace tests {

/// A firmware card in the field. Can be withdrawn at the nth command, before or after it acted.
class FieldCard final : public terminal::CardLink {
public:
    enum class Moment : std::uint8_t { before_command, before_answer };
    explicit FieldCard(Chip& chip) : chip_{chip} {}
    void withdraw_at(std::uint8_t ins, Moment moment) { ins_ = ins, moment_ = moment; }
    void insert() {
        chip_.power_on();
        present_ = true;
    }
    std::expected<terminal::Response, terminal::LinkError> transmit(Bytes command) override {
        if (!present_) return std::unexpected{terminal::LinkError::card_gone};
        const bool leaves = ins_ == command[1];
        if (leaves) {
            present_ = false;
            ins_.reset();
            if (moment_ == Moment::before_answer) (void)chip_.send(command);
            return std::unexpected{terminal::LinkError::card_gone};
        }
        commands.push_back(command[1]);
        return respond(chip_.send(command));
    }
    static terminal::Response respond(const Answer& answer) {
        terminal::Response response;
        const auto status = static_cast<std::uint16_t>(answer.status);
        const std::array<std::uint8_t, 2> sw{static_cast<std::uint8_t>(status >> 8),
                                             static_cast<std::uint8_t>(status)};
        REQUIRE((response.append(answer.data) && response.append(sw)));
        return response;
    }
    std::vector<std::uint8_t> commands;  ///< the INS of each that was answered

private:
    Chip& chip_;
    bool present_ = true;
    std::optional<std::uint8_t> ins_;
    Moment moment_ = Moment::before_command;
};

/// The test SAM, with the public files 15 and 17 that an issuer would have written.
class FieldSam final : public terminal::CardLink {
public:
    explicit FieldSam(Chip& chip) : chip_{chip} {}
    bool gone = false;
    std::string serial =
        "31009999000000000001"
        "01000000";
    std::string info =
        "01"
        "3104000000000001"
        "0000000000003101"
        "20260101"
        "20351231";
    std::optional<std::string> answer_to_credit;
    std::expected<terminal::Response, terminal::LinkError> transmit(Bytes command) override {
        if (gone) return std::unexpected{terminal::LinkError::card_gone};
        const std::string text = to_hex(command);
        if (text == "00B095000E") return FieldCard::respond({hex(serial), StatusWord::ok});
        if (text == "00B0970019") return FieldCard::respond({hex(info), StatusWord::ok});
        if (answer_to_credit && command[1] == 0x72) {
            return FieldCard::respond(
                {{}, static_cast<StatusWord>(std::stoi(*answer_to_credit, nullptr, 16))});
        }
        return FieldCard::respond(chip_.send(command));
    }

private:
    Chip& chip_;
};

inline crypto::sm2::PrivateKey test_sm2_key(std::uint64_t seed) {
    crypto::SeededRandom random{seed, "sm2"};
    auto key = crypto::sm2::PrivateKey::generate(random);
    REQUIRE(key.has_value());
    return std::move(*key);
}

/// An online load as kiosk and issuer do it together.
inline void put_money(Chip& card, std::uint32_t fen) {
    const auto amount = protocol::Money::from_fen(fen);
    card.must(protocol::select_by_name(protocol::transit_aid));
    card.must(protocol::verify_pin(first_pin));
    const auto opened = protocol::LoadInitialised::parse(
        card.must(protocol::initialise_for_load({protocol::default_key_index, amount, terminal})));
    REQUIRE(opened.has_value());
    const auto key = crypto::purse::online_process_key(
        card_key(protocol::KeyUsage::load, Suite::sm4), opened->random, opened->counter);
    const auto mac2 = crypto::purse::purse_mac(
        key, protocol::load_mac2_input(amount, protocol::TransactionType::load, terminal, noon()));
    card.must(protocol::credit_for_load({noon(), mac2}));
}

struct GateWorld {
    explicit GateWorld(terminal::GateMode mode, std::string disk_name)
        : profile{test_profile(mode)}, disk{std::move(disk_name)} {
        profile.accepted_cities = {protocol::CityCode{0x2900}};  // the test card's
        profile.without_hot_list = terminal::WithoutHotList::accept;
        put_money(chip, 1000);
        card.insert();
        start();
    }
    /// The program starts: journal, lists, engine. `false`: the disk would not have it.
    bool start() {
        gate.reset();
        hot_lists.reset();
        journal.reset();
        auto options = terminal::Journal::default_options();
        options.vfs = disk.vfs();
        auto opened = terminal::Journal::open("gate.journal", {profile.device, mark}, options);
        if (!opened) return false;
        journal = std::move(*opened);
        hot_lists = std::make_unique<terminal::HotListKeeper>(
            terminal::HotListPublisher{profile.city, mark, list_key.public_key()}, *journal, clock);
        REQUIRE(hot_lists->load().has_value());
        gate = std::make_unique<terminal::Gate>(terminal::GateParts{
            profile, fares, *hot_lists, *journal, clock, sam, [this] { return ++ticks; }});
        return gate->recover().has_value();
    }
    void power_cut(std::uint64_t seed) {
        crypto::SeededRandom random{seed, "power"};
        disk.crash(random);
        gate.reset();
        hot_lists.reset();
        journal.reset();
        sam_chip.power_on();
    }
    terminal::JournalCounts counts() const {
        auto found = journal->counts();
        REQUIRE(found.has_value());
        return *found;
    }
    /// All records in the journal, through a batch.
    std::vector<protocol::BatchRecord> cut() {
        crypto::SeededRandom random{9, "signer"};
        terminal::Sm2Signer signer{batch_key, random};
        const auto sequence =
            journal->cut_batch({}, {profile.operator_id, profile.city, {}, 3, clock.now()}, signer,
                               clock.unix_ms(), true);
        REQUIRE(sequence.has_value());
        std::vector<protocol::BatchRecord> records;
        if (!*sequence) return records;
        const auto batch = journal->next_unacknowledged();
        REQUIRE((batch && *batch));
        const Bytes file{(*batch)->file};
        for (std::size_t i = 0; i < (*batch)->record_count; ++i) {
            const auto record = protocol::BatchRecord::parse(
                file.subspan(protocol::BatchHeader::size + i * protocol::BatchRecord::size,
                             protocol::BatchRecord::size));
            REQUIRE(record.has_value());
            records.push_back(*record);
        }
        REQUIRE(journal->acknowledge(**sequence, "{}").has_value());
        return records;
    }

    protocol::Mark mark = protocol::Mark::rehearsal;
    terminal::GateProfile profile;
    terminal::FareTable fares = test_fares();
    crypto::sm2::PrivateKey list_key = test_sm2_key(1);
    crypto::sm2::PrivateKey batch_key = test_sm2_key(2);
    platform::ManualClock clock{date_time("20261123083000")};
    std::int64_t ticks = 0;
    Chip chip = issued_card();
    Chip sam_chip = issued_sam();
    FieldCard card{chip};
    FieldSam sam{sam_chip};
    simulation::LossyDisk disk;
    std::unique_ptr<terminal::Journal> journal;
    std::unique_ptr<terminal::HotListKeeper> hot_lists;
    std::unique_ptr<terminal::Gate> gate;
};

/// What the card holds now, asked behind the gate's back.
inline std::uint32_t purse(const GateWorld& world) {
    Chip copy = world.chip.clone();
    copy.must(protocol::select_by_name(protocol::transit_aid));
    return balance(copy);
}

}  // namespace tests
