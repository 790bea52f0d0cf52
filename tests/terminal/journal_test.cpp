// terminal/journal: docs/journal.md, J1-J5.
#include "terminal/journal/journal.hpp"

#include "crypto/core/sm3.hpp"
#include "tests/terminal/gate_world.hpp"

using platform::sqlite::Error;
using protocol::BatchSequence;
using protocol::RecordKind;
using terminal::Finished;
using terminal::Journal;
using terminal::Resolution;

namespace {

const terminal::JournalOwner owner{terminal::DeviceId{tests::array_of<8>("3100000000000101")},
                                   protocol::Mark::rehearsal};

protocol::BatchRecord entry(std::uint32_t sequence) {
    protocol::BatchRecord record;
    record.kind = RecordKind::unresolved;
    record.issuer = protocol::IssuerId{tests::array_of<8>("3104000000000000")};
    record.card = tests::test_card;
    record.counter = protocol::OfflineCounter{static_cast<std::uint16_t>(sequence)};
    record.balance_before = protocol::Money::from_fen(1000);
    record.amount = protocol::Money::from_fen(200);
    record.terminal_sequence = protocol::TerminalSequence{sequence};
    record.when = tests::date_time("20261123083000");
    record.entry_time = record.when;
    return record;
}
Finished end_of(protocol::BatchRecord record, RecordKind kind) {
    Finished result;
    result.end = Finished::End::entry;
    record.kind = kind;
    result.record = record;
    return result;
}

struct JournalWorld {
    explicit JournalWorld(const std::string& disk_name) : disk{disk_name} { open(); }
    void open() {
        journal.reset();
        auto options = Journal::default_options();
        options.vfs = disk.vfs();
        auto opened = Journal::open("j", owner, options);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
        journal = std::move(*opened);
    }
    void add(std::uint32_t sequence, RecordKind kind, std::int64_t now_ms = 0) {
        const auto id = journal->begin_entry({entry(sequence), {}}, now_ms);
        REQUIRE(id.has_value());
        REQUIRE(journal->end_entry(*id, end_of(entry(sequence), kind), now_ms).has_value());
    }
    std::optional<BatchSequence> cut(const terminal::BatchRules& rules, std::int64_t now_ms,
                                     bool on_request = false) {
        crypto::SeededRandom random{3, "signer"};
        terminal::Sm2Signer signer{key, random};
        const terminal::BatchOrigin origin{
            terminal::OperatorId{tests::array_of<8>("0000000000003101")},
            terminal::CityCode{0x3100}, protocol::ListSequence{7}, 3,
            tests::date_time("20261123090000")};
        const auto sequence = journal->cut_batch(rules, origin, signer, now_ms, on_request);
        REQUIRE(sequence.has_value());
        return *sequence;
    }
    simulation::LossyDisk disk;
    crypto::sm2::PrivateKey key = tests::test_sm2_key(5);
    std::unique_ptr<Journal> journal;
};

}  // namespace

TEST_CASE("journal: another device's, or another mark's, is refused by name") {
    JournalWorld world{"journal-owner"};
    world.journal.reset();
    auto options = Journal::default_options();
    options.vfs = world.disk.vfs();
    for (const auto& other :
         {terminal::JournalOwner{terminal::DeviceId{}, protocol::Mark::rehearsal},
          terminal::JournalOwner{owner.device, protocol::Mark::live}}) {
        const auto refused = Journal::open("j", other, options);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().error == Error::wrong_application);
    }
}

TEST_CASE("journal: an entry ends once, and only if it was begun") {
    JournalWorld world{"journal-ends"};
    const auto id = world.journal->begin_entry({entry(1), {}}, 0);
    REQUIRE(id.has_value());
    CHECK(world.journal->end_entry(*id, end_of(entry(1), RecordKind::debit), 0).has_value());
    CHECK_FALSE(world.journal->end_entry(*id, end_of(entry(1), RecordKind::debit), 0).has_value());
    CHECK_FALSE(
        world.journal->end_entry(terminal::EntryId{77}, end_of(entry(1), RecordKind::debit), 0)
            .has_value());
    CHECK(world.journal->end_entry(std::nullopt, {}, 0).has_value());
}

TEST_CASE("journal: pending and void entries are in no batch") {
    JournalWorld world{"journal-void"};
    const auto voided = world.journal->begin_entry({entry(1), {}}, 0);
    Finished result = end_of(entry(1), RecordKind::unresolved);
    result.end = Finished::End::void_;
    REQUIRE(world.journal->end_entry(*voided, result, 0).has_value());
    REQUIRE(world.journal->begin_entry({entry(2), {}}, 0).has_value());
    CHECK_FALSE(world.cut({}, 0, true).has_value());
    CHECK(world.journal->of(tests::test_card).empty());
}

TEST_CASE("journal: a batch is cut by count, by age, on request, and when the clock stepped back") {
    JournalWorld world{"journal-cut"};
    const terminal::BatchRules rules{3, 60};
    world.add(1, RecordKind::debit, 100'000);
    CHECK_FALSE(world.cut(rules, 100'000).has_value());
    CHECK_FALSE(world.cut(rules, 159'999).has_value());
    CHECK(world.cut(rules, 160'000) == BatchSequence{1});
    world.add(2, RecordKind::debit, 200'000);
    CHECK(world.cut(rules, 199'000) == BatchSequence{2});
    world.add(3, RecordKind::debit, 200'000);
    CHECK(world.cut(rules, 200'000, true) == BatchSequence{3});
    for (std::uint32_t i = 4; i < 8; ++i) world.add(i, RecordKind::debit, 200'000);
    CHECK(world.cut(rules, 200'000) == BatchSequence{4});
    CHECK_FALSE(world.cut(rules, 200'000).has_value());  // one is left, and it is young
    CHECK_FALSE(world.cut(rules, 0, true) == std::nullopt);
    CHECK_FALSE(world.cut(rules, 0, true).has_value());
}

TEST_CASE("journal: a batch file is whole, signed over every byte, and the same when read again") {
    JournalWorld world{"journal-file"};
    world.add(1, RecordKind::debit);
    world.add(2, RecordKind::unresolved);
    REQUIRE(world.cut({}, 0, true) == BatchSequence{1});
    const auto first = world.journal->next_unacknowledged();
    REQUIRE((first && *first));
    const protocol::Bytes file{(*first)->file};
    REQUIRE(file.size() == protocol::batch_file_size(2));
    const auto header = protocol::BatchHeader::parse(file.first(protocol::BatchHeader::size));
    REQUIRE(header.has_value());
    CHECK(header->mark == protocol::Mark::rehearsal);
    CHECK(header->hot_list == protocol::ListSequence{7});
    CHECK(header->fare_table == 3);
    const auto trailer = protocol::BatchTrailer::parse(file.last(protocol::BatchTrailer::size));
    REQUIRE(trailer.has_value());
    CHECK(trailer->total_fen == 400);
    const auto body = file.first(file.size() - protocol::BatchTrailer::size);
    CHECK(trailer->digest == crypto::sm3(body));
    const auto content = file.first(file.size() - protocol::signature_size);
    CHECK(crypto::sm2::verify(world.key.public_key(), crypto::sm2::default_id, content,
                              trailer->signature));
    world.open();
    const auto second = world.journal->next_unacknowledged();
    REQUIRE((second && *second));
    CHECK((*second)->file == (*first)->file);  // J3
}

TEST_CASE("journal: nothing is pruned before receipt and result, and numbers never restart") {
    JournalWorld world{"journal-prune"};
    for (std::uint32_t i = 1; i <= 3; ++i) {
        world.add(i, RecordKind::debit);
        REQUIRE(world.cut({}, 0, true).has_value());
    }
    REQUIRE(world.journal->prune(1'000'000).has_value());
    CHECK(world.journal->counts()->unacknowledged_batches == 3);
    REQUIRE(world.journal->acknowledge(BatchSequence{1}, "{}").has_value());
    REQUIRE(world.journal->prune(1'000'000).has_value());
    CHECK(world.journal->without_result()->size() == 1);
    for (std::uint32_t i = 1; i <= 3; ++i) {
        REQUIRE(world.journal->acknowledge(BatchSequence{i}, "{}").has_value());
        REQUIRE(world.journal->keep_result(BatchSequence{i}, "{}", true).has_value());
    }
    REQUIRE(world.journal->prune(1'000'000).has_value());
    CHECK(world.journal->counts()->incomplete_results == 0);
    world.add(9, RecordKind::debit);
    CHECK(world.cut({}, 0, true) == BatchSequence{4});
}

TEST_CASE(
    "journal: settled entries leave the list, and a stale shared list cannot bring one back") {
    JournalWorld world{"journal-settle"};
    world.add(1, RecordKind::unresolved);
    REQUIRE(world.journal->replace_shared({entry(1), entry(2), entry(3)}).has_value());
    CHECK(world.journal->of(tests::test_card).size() == 3);
    CHECK(world.journal->counts()->waiting_own == 1);
    Finished result;
    auto proven = entry(2);
    proven.kind = RecordKind::proven;
    result.resolutions = {{Resolution::End::proven, proven},
                          {Resolution::End::left_to_host, entry(3)}};
    REQUIRE(world.journal->end_entry(std::nullopt, result, 0).has_value());
    REQUIRE(world.journal->replace_shared({entry(1), entry(2), entry(3)}).has_value());
    const auto left = world.journal->of(tests::test_card);
    REQUIRE(left.size() == 1);
    CHECK(left[0].terminal_sequence == protocol::TerminalSequence{1});
    REQUIRE(world.cut({}, 0, true).has_value());
    CHECK((*world.journal->next_unacknowledged())->record_count == 2);  // unresolved, proven
}

TEST_CASE("journal: power lost at every write: whatever a call reported as done is there") {
    std::size_t cuts = 0;
    for (std::uint64_t writes = 0; writes < 120; ++writes, ++cuts) {
        CAPTURE(writes);
        JournalWorld world{"journal-power-" + std::to_string(writes)};
        world.disk.fill_after(writes);
        std::uint32_t begun = 0;
        std::uint32_t ended = 0;
        bool batch = false;
        for (std::uint32_t i = 1; i <= 4; ++i) {
            const auto id = world.journal->begin_entry({entry(i), {}}, 0);
            if (!id) break;
            ++begun;
            if (!world.journal->end_entry(*id, end_of(entry(i), RecordKind::debit), 0)) break;
            ++ended;
        }
        if (ended == 4) {
            crypto::SeededRandom random{3, "signer"};
            terminal::Sm2Signer signer{world.key, random};
            const auto sequence = world.journal->cut_batch(
                {}, {{}, {}, {}, 0, tests::date_time("20261123090000")}, signer, 0, true);
            batch = sequence && *sequence;
        }
        crypto::SeededRandom random{writes, "power"};
        world.disk.crash(random);
        world.disk.refill();
        world.open();
        REQUIRE(world.journal->settle_pending().has_value());
        const auto counts = *world.journal->counts();
        if (batch) {
            CHECK(counts.unacknowledged_batches == 1);
            continue;
        }
        if (counts.unacknowledged_batches == 1) continue;  // committed, but the call never said so
        CHECK(counts.unbatched >= begun);
        CHECK(counts.unbatched - counts.waiting_own >= ended);
    }
    MESSAGE("power cuts: " << cuts);
}
