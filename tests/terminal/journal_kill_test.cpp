// A real process with a real disk, killed with SIGKILL under load: docs/journal.md, J1 and J2.
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "terminal/journal/journal.hpp"

using protocol::RecordKind;
using terminal::Journal;

namespace {

const terminal::JournalOwner owner{{}, protocol::Mark::rehearsal};

protocol::BatchRecord entry(std::uint32_t sequence) {
    protocol::BatchRecord record;
    record.kind = RecordKind::unresolved;
    record.terminal_sequence = protocol::TerminalSequence{sequence};
    record.when = protocol::DateTime{*protocol::Date::make(2026, 11, 23), {}};
    record.entry_time = record.when;
    return record;
}

/// What the child says: one number for each durable step, 2n begun, 2n + 1 ended.
[[noreturn]] void work_until_killed(const std::filesystem::path& path, int tell) {
    auto journal = Journal::open(path, owner);
    if (!journal || !(*journal)->settle_pending()) _exit(3);
    for (std::uint32_t i = 0;; ++i) {
        const auto id = (*journal)->begin_entry({entry(i), {}}, 0);
        const std::uint32_t begun = 2 * i;
        if (!id || write(tell, &begun, sizeof begun) != sizeof begun) _exit(4);
        terminal::Finished result;
        result.end = terminal::Finished::End::entry;
        result.record = entry(i);
        result.record.kind = RecordKind::debit;
        const std::uint32_t ended = begun + 1;
        if (!(*journal)->end_entry(*id, result, 0)) _exit(5);
        if (write(tell, &ended, sizeof ended) != sizeof ended) _exit(4);
    }
}

}  // namespace

TEST_CASE("journal: killed at any instant, every step that was reported is in the file") {
    const auto directory = std::filesystem::temp_directory_path() /
                           ("onecard-journal-kill-" + std::to_string(getpid()));
    std::filesystem::create_directory(directory);
    constexpr int rounds = 12;
    for (int round = 0; round < rounds; ++round) {
        const auto path = directory / ("journal-" + std::to_string(round));
        std::array<int, 2> pipe_ends{};
        REQUIRE(pipe(pipe_ends.data()) == 0);
        const pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) work_until_killed(path, pipe_ends[1]);
        close(pipe_ends[1]);
        std::uint32_t last = 0;
        std::size_t heard = 0;
        // The kill falls at another place of the work in every round.
        const std::size_t kill_after = 3 + static_cast<std::size_t>(round) * 7;
        std::uint32_t step = 0;
        while (read(pipe_ends[0], &step, sizeof step) == sizeof step) {
            last = step;
            if (++heard == kill_after) kill(child, SIGKILL);
        }
        close(pipe_ends[0]);
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        auto journal = Journal::open(path, owner);
        REQUIRE(journal.has_value());
        const auto before = (*journal)->counts();
        REQUIRE(before.has_value());
        const std::int64_t begun = last / 2 + 1;
        const std::int64_t ended = (last + 1) / 2;
        CHECK(before->unbatched + before->pending >= begun);
        CHECK(before->unbatched >= ended);
        CHECK(before->pending <= 1);
        const auto settled = (*journal)->settle_pending();
        REQUIRE(settled.has_value());
        CHECK(*settled == before->pending);
        CHECK((*journal)->counts()->waiting_own == before->pending);
    }
    std::filesystem::remove_all(directory);
}
