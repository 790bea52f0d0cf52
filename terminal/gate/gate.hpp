#pragma once
// The gate's engine: carries a tap's steps to card, SAM and journal. Everything outside is passed
// in, so that the same engine runs behind PC/SC and in a simulated city. docs/gate.md.
#include <functional>

#include "terminal/gate/sam.hpp"
#include "terminal/upload/hot_list_keeper.hpp"

namespace terminal {

/// Everything outlives the gate.
struct GateParts {
    const GateProfile& profile;
    const FareTable& fares;
    HotListKeeper& hot_lists;
    Journal& journal;
    const platform::Clock& clock;
    CardLink& sam;
    /// Microseconds of a clock that never steps back; only for the figures in the report.
    std::function<std::int64_t()> ticks;
};

struct TapReport {
    Finished result;
    std::optional<CardNumber> card;
    LinkCount card_traffic;
    LinkCount sam_traffic;
    std::int64_t elapsed_us = 0;  ///< first command to the last answer, journal included
    std::int64_t card_us = 0;     ///< of which waiting for the card
    std::int64_t sam_us = 0;
    std::int64_t journal_us = 0;  ///< pending and final entry
};

/// For one thread.
class Gate {
public:
    explicit Gate(GateParts parts) : parts_{std::move(parts)} {}

    /// Once, before the first touch: entries left pending by a kill become unresolved.
    [[nodiscard]] Stored<std::int64_t> recover() { return parts_.journal.settle_pending(); }
    /// Opens the SAM if it is not open. touch() does it too.
    [[nodiscard]] std::expected<SamIdentity, SamRefusal> open_sam();
    /// The SAM was replaced or reset: it is opened anew at the next touch.
    void forget_sam() { sam_.reset(); }

    /// One touch. Never throws, never leaves a debit without a durable entry (J1); the journal is
    /// up to date when it returns, or `out_of_service` says that it could not be.
    [[nodiscard]] TapReport touch(CardLink& card);

private:
    struct Unsaved {
        EntryId entry;
        Finished result;
    };
    [[nodiscard]] std::optional<Finished> not_ready();
    [[nodiscard]] Step exchange(Tap& tap, const Send& send, CardLink& card, TapReport& report);
    [[nodiscard]] Step write_pending(Tap& tap, const Record& record, TapReport& report);
    void conclude(TapReport& report);

    GateParts parts_;
    std::optional<SamIdentity> sam_;
    std::optional<EntryId> entry_;    ///< of the tap under way
    std::optional<Unsaved> unsaved_;  ///< a final entry the disk refused: tried again first
};

}  // namespace terminal
