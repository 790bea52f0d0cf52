#pragma once
// One tap as a state machine without input or output: an answer goes in, the next step comes out.
// States, order of checks and invariants G1-G4: docs/gate.md.
#include <string>
#include <variant>
#include <vector>

#include "protocol/batch.hpp"
#include "protocol/hot_list.hpp"
#include "protocol/sam.hpp"
#include "terminal/fares/fare_table.hpp"
#include "terminal/gate/refusal.hpp"

namespace terminal {

using protocol::BatchRecord;
using protocol::Bytes;
using protocol::CardNumber;
using protocol::CityCode;
using protocol::DateTime;
using protocol::DeviceId;
using protocol::OperatorId;
using protocol::TerminalNumber;

enum class GateMode : std::uint8_t {
    entry,   ///< rail, in: amount 0, file 1A written
    exit,    ///< rail, out: the distance fare
    single,  ///< bus: a flat fare; file 1A is not read
};
enum class WithoutHotList : std::uint8_t { accept, refuse };

/// What a gate is and what it accepts: its configuration, the same for every tap.
struct GateProfile {
    GateMode mode = GateMode::single;
    DeviceId device;
    OperatorId operator_id;
    CityCode city;
    LineCode line;
    StationCode station;
    std::uint8_t industry = 0;  ///< 1E's industry code: the city's table (domain.md 3.2 [X])
    std::uint16_t operator_code = 0;
    std::vector<CityCode> accepted_cities;  ///< beside our own
    WithoutHotList without_hot_list = WithoutHotList::refuse;
    std::uint32_t journey_minutes_max = 240;
    std::uint32_t proof_opens_seconds = 600;
};

/// The hot list in force; nothing when there is none.
class HotCards {
public:
    virtual ~HotCards() = default;
    [[nodiscard]] virtual bool in_force() const = 0;
    [[nodiscard]] virtual bool lists(const CardNumber& card, const DateTime& when) const = 0;
};

/// Entries of a card that wait for its next touch: our own and those of gates that share theirs.
class UnresolvedEntries {
public:
    virtual ~UnresolvedEntries() = default;
    [[nodiscard]] virtual std::vector<BatchRecord> of(const CardNumber& card) const = 0;
};

/// What one tap may look at. Everything outlives the tap.
struct TapContext {
    const GateProfile& profile;
    const FareTable& fares;
    const HotCards& hot_cards;
    const UnresolvedEntries& unresolved;
    TerminalNumber sam_terminal;
    DateTime now;  ///< one moment for the whole tap: in MAC1, TAC, files and entry
};

/// How an older entry of this card ended. `record` has its fields, and kind, MAC2 and TAC of the
/// end.
struct Resolution {
    enum class End : std::uint8_t { proven, not_debited, left_to_host };
    End end = End::left_to_host;
    BatchRecord record;
};

enum class Party : std::uint8_t { card, sam };
struct Send {
    Party to;
    protocol::ShortCommand command;
};
/// Make these durable, then call on_recorded(): only then may DEBIT leave.
struct Record {
    BatchRecord pending;  ///< kind unresolved
    std::vector<Resolution> resolutions;
};
/// Make `end` and `resolutions` durable; only then obey `open`.
struct Finished {
    enum class End : std::uint8_t {
        nothing,  ///< no pending entry was written
        entry,    ///< replaces the pending entry: kinds debit, mac2_wrong, unresolved
        void_,    ///< the card refused DEBIT cleanly: the pending entry never happened
    };
    bool open = false;
    bool already_paid = false;  ///< opened by an earlier, torn tap: proven, and the SAM confirms
    Refusal refusal = Refusal::none;
    End end = End::nothing;
    BatchRecord record;  ///< valid when `end` is `entry`; the entry that paid when `already_paid`
    std::vector<Resolution> resolutions;  ///< those that no Record step carried
    std::string detail;                   ///< for logs: the state, a status word
};
using Step = std::variant<Send, Record, Finished>;

struct LinkCount {
    unsigned commands = 0;
    unsigned bytes = 0;  ///< commands and answers
};

class Tap {
public:
    explicit Tap(const TapContext& context) : context_{context} {}

    [[nodiscard]] Step begin();
    /// The answer to the last Send.
    [[nodiscard]] Step on_response(Bytes response);
    /// The last Send got no answer.
    [[nodiscard]] Step on_link_lost();
    [[nodiscard]] Step on_recorded();
    [[nodiscard]] Step on_record_failed();

    /// Empty until the FCI was read.
    [[nodiscard]] const std::optional<CardNumber>& card() const { return card_number_; }
    [[nodiscard]] CardKind card_kind() const { return entry_.card_kind; }
    [[nodiscard]] LinkCount card_traffic() const { return card_traffic_; }
    [[nodiscard]] LinkCount sam_traffic() const { return sam_traffic_; }

private:
    enum class State : std::uint8_t {
        selecting,
        proving,
        reading_log,
        probing,
        reading_management,
        confirming,
        reading_journey,
        initialising,
        authorising,
        caching_journey,
        caching_trip,
        recording,
        debiting,
        crediting,
        finished,
    };

    [[nodiscard]] Step send(State state, Party to, const protocol::ShortCommand& command);
    [[nodiscard]] Step refuse(Refusal why, std::string detail = {});
    [[nodiscard]] Step refuse(Refusal why, protocol::StatusWord status);
    [[nodiscard]] Step finish(Finished&& result);

    [[nodiscard]] Step record();
    [[nodiscard]] Step after_select(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step prove_next();
    [[nodiscard]] Step after_prove(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step after_log(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step after_probe(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step start_riding();
    [[nodiscard]] Step after_management(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step confirm_proof();
    [[nodiscard]] Step after_confirm(const protocol::ResponseApdu& answer);
    [[nodiscard]] Refusal check_holder(const protocol::ManagementInfo& info) const;
    [[nodiscard]] Step after_journey(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step enter_or_leave(const protocol::RailJourney& found);
    [[nodiscard]] Step charge(std::optional<Money> full);
    [[nodiscard]] Step after_initialise(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step after_authorise(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step cache_trip();
    [[nodiscard]] Step after_debit(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step after_credit(const protocol::ResponseApdu& answer);
    [[nodiscard]] Step torn(const char* why);
    void keep_waiting(const BatchRecord& entry);

    TapContext context_;
    State state_ = State::selecting;
    std::optional<CardNumber> card_number_;
    std::optional<protocol::PublicInfo> info_;
    BatchRecord entry_;
    protocol::RailJourney journey_;
    Money entry_limit_;  ///< what an entry must find in the purse
    std::vector<BatchRecord> waiting_;
    std::size_t waiting_index_ = 0;
    std::vector<BatchRecord> without_proof_;  ///< answered 9406: the counter will tell
    protocol::DebitProof proof_{};
    std::vector<Resolution> resolutions_;
    std::optional<BatchRecord> paid_here_;  ///< proven; opens if the SAM confirms its MAC2
    LinkCount card_traffic_;
    LinkCount sam_traffic_;
};

}  // namespace terminal
