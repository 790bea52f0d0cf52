#include "host/keys/chip_life.hpp"

#include <array>

namespace host::keys {
namespace {

using Next = std::expected<ChipState, LifeRefusal>;

Next refuse_step(LifeRefusal refusal) {
    return std::unexpected{refusal};
}

/// Why a step does not lead on from here.
LifeRefusal reason_of(ChipState state) {
    switch (state) {
        case ChipState::ordered: return LifeRefusal::not_issued;
        case ChipState::bound: return LifeRefusal::is_bound;
        case ChipState::lost: return LifeRefusal::is_lost;
        case ChipState::blocked: return LifeRefusal::is_blocked;
        case ChipState::issued:
        case ChipState::activated: return LifeRefusal::is_issued;
        case ChipState::retired: return LifeRefusal::is_retired;
    }
    return LifeRefusal::is_retired;
}

//               release   activate    lose    find      block     retire
//  ordered      -         -           -       -         -         retired
//  bound        ordered   -           lost    bound     blocked   -
//  issued       -         activated   lost    issued    blocked   retired
//  activated    -         activated   lost    activated blocked   retired
//  lost         -         -           lost    before    blocked   retired
//  blocked      -         -           -       -         blocked   retired
//  retired      -         -           -       -         -         retired
Next from_living(ChipState state, ChipStep step) {
    const bool bound = state == ChipState::bound;
    if (step == ChipStep::lose) return ChipState::lost;
    if (step == ChipStep::block) return ChipState::blocked;
    if (step == ChipStep::find) return state;
    if (step == ChipStep::release && bound) return ChipState::ordered;
    if (step == ChipStep::activate && !bound) return ChipState::activated;
    if (step == ChipStep::retire && !bound) return ChipState::retired;
    return refuse_step(bound ? LifeRefusal::is_bound : LifeRefusal::is_issued);
}

}  // namespace

Next next(ChipState state, ChipStep step, ChipState before_loss) {
    switch (state) {
        case ChipState::ordered:
            if (step == ChipStep::retire) return ChipState::retired;
            break;
        case ChipState::bound:
        case ChipState::issued:
        case ChipState::activated: return from_living(state, step);
        case ChipState::lost:
            if (step == ChipStep::lose) return ChipState::lost;
            if (step == ChipStep::find) return before_loss;
            if (step == ChipStep::block) return ChipState::blocked;
            if (step == ChipStep::retire) return ChipState::retired;
            break;
        case ChipState::blocked:
            if (step == ChipStep::block) return ChipState::blocked;
            if (step == ChipStep::retire) return ChipState::retired;
            break;
        case ChipState::retired:
            if (step == ChipStep::retire) return ChipState::retired;
            break;
    }
    return refuse_step(reason_of(state));
}

const char* name(ChipState state) {
    switch (state) {
        case ChipState::ordered: return "ordered";
        case ChipState::bound: return "bound";
        case ChipState::issued: return "issued";
        case ChipState::activated: return "activated";
        case ChipState::blocked: return "blocked";
        case ChipState::lost: return "lost";
        case ChipState::retired: return "retired";
    }
    return "unknown";
}

std::optional<ChipState> parse_chip_state(std::string_view word) {
    for (std::uint8_t number = 1; number <= chip_state_last; ++number) {
        if (name(static_cast<ChipState>(number)) == word) return static_cast<ChipState>(number);
    }
    return std::nullopt;
}

const char* name(ChipStep step) {
    switch (step) {
        case ChipStep::import: return "import";
        case ChipStep::claim: return "claim";
        case ChipStep::bind: return "bind";
        case ChipStep::finish: return "finish";
        case ChipStep::release: return "release";
        case ChipStep::activate: return "activate";
        case ChipStep::lose: return "lost";
        case ChipStep::find: return "found";
        case ChipStep::block: return "block";
        case ChipStep::retire: return "retire";
        case ChipStep::chip_blocked: return "chip_blocked";
        case ChipStep::replacement: return "replacement";
    }
    return "unknown";
}

const char* name(LifeRefusal refusal) {
    switch (refusal) {
        case LifeRefusal::line_unknown: return "line_unknown";
        case LifeRefusal::not_issued: return "not_issued";
        case LifeRefusal::is_bound: return "is_bound";
        case LifeRefusal::is_issued: return "is_issued";
        case LifeRefusal::is_lost: return "is_lost";
        case LifeRefusal::is_blocked: return "is_blocked";
        case LifeRefusal::is_retired: return "is_retired";
        case LifeRefusal::is_replaced: return "is_replaced";
        case LifeRefusal::reason_wrong: return "reason_wrong";
        case LifeRefusal::since_wrong: return "since_wrong";
    }
    return "unknown";
}

const char* word(protocol::HotReason reason) {
    switch (reason) {
        case protocol::HotReason::lost: return "lost";
        case protocol::HotReason::stolen: return "stolen";
        case protocol::HotReason::returned: return "returned";
        case protocol::HotReason::fraud: return "fraud";
        case protocol::HotReason::expired: return "expired";
    }
    return "unknown";
}

std::optional<protocol::HotReason> parse_hot_reason(std::string_view text) {
    using enum protocol::HotReason;
    for (const auto reason : {lost, stolen, returned, fraud, expired}) {
        if (word(reason) == text) return reason;
    }
    return std::nullopt;
}

}  // namespace host::keys
