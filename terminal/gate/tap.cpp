#include "terminal/gate/tap.hpp"

#include <utility>

#include "platform/mask.hpp"
#include "protocol/tlv.hpp"

namespace terminal {

using protocol::JourneyState;
using protocol::RecordKind;
using protocol::ResponseApdu;
using protocol::StatusWord;
using protocol::TransactionType;
using protocol::TripType;

namespace {

constexpr std::uint8_t application_type_normal = 0x02;  // file 15, domain.md 3.1
constexpr std::uint8_t start_flag_enabled = 0x01;
/// File 17 ends with 49 bytes reserved for future use: a gate reads the eleven before them.
constexpr unsigned management_bytes_used = 11;
constexpr std::uint8_t rail_record_number = 1;  // in file 1A, domain.md 3.3
constexpr std::uint8_t newest_record = 1;       // of a cyclic file, ISO/IEC 7816-4:2005, 7.3.1

std::string text_of(StatusWord status) {
    const auto value = static_cast<std::uint16_t>(status);
    const std::array<std::uint8_t, 2> bytes{static_cast<std::uint8_t>(value >> 8),
                                            static_cast<std::uint8_t>(value)};
    return platform::to_hex(bytes);
}

/// File 15 out of the FCI: 6F { 84, A5 { 9F0C } }. domain.md 1.8.
protocol::Parsed<protocol::PublicInfo> read_fci(Bytes fci) {
    ONECARD_TRY(outer, protocol::find_tlv(fci, 0x6F));
    ONECARD_TRY(proprietary, protocol::find_tlv(outer, 0xA5));
    ONECARD_TRY(image, protocol::find_tlv(proprietary, protocol::tag_9F0C_issuer_data));
    return protocol::PublicInfo::parse(image);
}

protocol::Parsed<protocol::ManagementInfo> read_management(Bytes head) {
    std::array<std::uint8_t, protocol::ManagementInfo::size> whole{};
    if (head.size() != management_bytes_used) {
        return protocol::refuse(protocol::ParseError::wrong_length);
    }
    std::ranges::copy(head, whole.begin());
    return protocol::ManagementInfo::parse(whole);
}

TripType trip_of(GateMode mode) {
    switch (mode) {
        case GateMode::entry: return TripType::purse_entry;
        case GateMode::exit: return TripType::purse_exit;
        case GateMode::single: return TripType::purse_single;
    }
    __builtin_trap();
}

/// Answers after which nobody can say whether DEBIT changed the card: 65xx, 6Fxx.
bool outcome_unknown(StatusWord status) {
    const auto high = static_cast<std::uint16_t>(status) >> 8;
    return high == 0x65 || high == 0x6F;
}

std::int64_t seconds_between(const DateTime& earlier, const DateTime& later) {
    return protocol::seconds_since_epoch(later) - protocol::seconds_since_epoch(earlier);
}

}  // namespace

Step Tap::send(State state, Party to, const protocol::ShortCommand& command) {
    state_ = state;
    LinkCount& traffic = to == Party::card ? card_traffic_ : sam_traffic_;
    ++traffic.commands;
    traffic.bytes += static_cast<unsigned>(command.size());
    return Send{to, command};
}

Step Tap::finish(Finished&& result) {
    state_ = State::finished;
    result.resolutions = std::exchange(resolutions_, {});
    return std::move(result);
}

Step Tap::refuse(Refusal why, std::string detail) {
    Finished result;
    result.refusal = why;
    result.detail = std::move(detail);
    return finish(std::move(result));
}

Step Tap::refuse(Refusal why, StatusWord status) {
    return refuse(why, text_of(status));
}

Step Tap::record() {
    state_ = State::recording;
    return Record{entry_, std::exchange(resolutions_, {})};
}

Step Tap::begin() {
    return send(State::selecting, Party::card, protocol::select_by_name(protocol::transit_aid));
}

Step Tap::on_response(Bytes response) {
    const bool from_sam =
        state_ == State::authorising || state_ == State::crediting || state_ == State::confirming;
    (from_sam ? sam_traffic_ : card_traffic_).bytes += static_cast<unsigned>(response.size());
    const auto answer = ResponseApdu::parse(response);
    if (!answer) return on_link_lost();
    switch (state_) {
        case State::selecting: return after_select(*answer);
        case State::proving: return after_prove(*answer);
        case State::reading_log: return after_log(*answer);
        case State::probing: return after_probe(*answer);
        case State::reading_management: return after_management(*answer);
        case State::confirming: return after_confirm(*answer);
        case State::reading_journey: return after_journey(*answer);
        case State::initialising: return after_initialise(*answer);
        case State::authorising: return after_authorise(*answer);
        case State::caching_journey:
            return answer->ok() ? cache_trip() : refuse(Refusal::card_refused, answer->status());
        case State::caching_trip:
            if (!answer->ok()) return refuse(Refusal::card_refused, answer->status());
            return record();
        case State::debiting: return after_debit(*answer);
        case State::crediting: return after_credit(*answer);
        case State::recording:
        case State::finished: break;
    }
    __builtin_trap();  // our own bug: no command is under way in these states
}

Step Tap::on_link_lost() {
    switch (state_) {
        case State::confirming: return refuse(Refusal::proof_unconfirmed, "no answer to 80 72");
        case State::authorising: return refuse(Refusal::sam_unavailable);
        case State::debiting: return torn("no answer to DEBIT");
        case State::crediting: {
            // The card has paid and its TAC is here; only the SAM's word is missing. The host
            // decides by the TAC; the gate trusts nobody and stays shut.
            Finished result;
            result.refusal = Refusal::sam_unavailable;
            result.end = Finished::End::entry;
            entry_.kind = RecordKind::mac2_wrong;
            result.record = entry_;
            result.detail = "no answer to 80 72";
            return finish(std::move(result));
        }
        default:
            if (paid_here_) keep_waiting(*paid_here_);
            return refuse(Refusal::card_gone);
    }
}

// ---- the card, and what is still open with it ----

Step Tap::after_select(const ResponseApdu& answer) {
    if (answer.status() == StatusWord::file_invalidated ||
        answer.status() == StatusWord::function_not_supported) {
        return refuse(Refusal::card_blocked, answer.status());
    }
    if (!answer.ok()) return refuse(Refusal::not_a_transit_card, answer.status());
    const auto info = read_fci(answer.data());
    if (!info)
        return refuse(Refusal::card_data_malformed, std::string{"FCI: "} + name(info.error()));
    info_ = *info;
    card_number_ = info->card;
    waiting_ = context_.unresolved.of(info->card);
    return prove_next();
}

Step Tap::prove_next() {
    if (waiting_index_ < waiting_.size()) {
        const BatchRecord& entry = waiting_[waiting_index_];
        return send(State::proving, Party::card,
                    protocol::get_transaction_prove(entry.type, entry.counter.value()));
    }
    if (!without_proof_.empty()) {
        const protocol::InitialiseData nothing{protocol::default_key_index, Money::from_fen(0),
                                               context_.sam_terminal};
        return send(State::probing, Party::card, protocol::initialise_for_capp_purchase(nothing));
    }
    return start_riding();
}

Step Tap::after_prove(const ResponseApdu& answer) {
    const BatchRecord& entry = waiting_[waiting_index_];
    if (answer.status() == StatusWord::proof_not_available) {
        without_proof_.push_back(entry);
    } else if (answer.ok()) {
        const auto proof = protocol::DebitProof::parse_prove(answer.data());
        if (proof) {
            proof_ = *proof;
            return send(State::reading_log, Party::card,
                        protocol::read_record(protocol::sfi_log, newest_record,
                                              protocol::PurseLogRecord::size));
        }
    }
    ++waiting_index_;  // any other answer settles nothing: the entry goes on waiting
    return prove_next();
}

/// The proof is for a counter. If the debit of that counter was another terminal's, ours cannot
/// have happened, and the host will see the other one.
Step Tap::after_log(const ResponseApdu& answer) {
    BatchRecord entry = waiting_[waiting_index_++];
    auto end = Resolution::End::proven;
    if (answer.ok()) {
        const auto log = protocol::PurseLogRecord::parse(answer.data());
        const auto counter_after = static_cast<std::uint16_t>(entry.counter.value() + 1);
        if (log && log->type == entry.type && log->counter_after == counter_after &&
            (log->terminal != entry.terminal || log->when != entry.when)) {
            end = Resolution::End::left_to_host;
        }
    }
    if (end == Resolution::End::proven) {
        entry.kind = RecordKind::proven;
        entry.tac = proof_.tac;
        entry.mac2 = proof_.mac2;
        const GateProfile& gate = context_.profile;
        const std::int64_t age = seconds_between(entry.when, context_.now);
        // Only where it was torn: several gates of a station must not open for one payment.
        if (entry.terminal == context_.sam_terminal && entry.station == gate.station &&
            entry.trip == trip_of(gate.mode) && age >= 0 && age <= gate.proof_opens_seconds) {
            paid_here_ = entry;
        }
    }
    resolutions_.push_back({end, entry});
    return prove_next();
}

Step Tap::after_probe(const ResponseApdu& answer) {
    const auto init = answer.ok() ? protocol::PurchaseInitialised::parse(answer.data())
                                  : protocol::refuse(protocol::ParseError::wrong_value);
    for (BatchRecord& entry : without_proof_) {
        if (!init) break;  // the entry goes on waiting
        const bool unchanged = init->counter == entry.counter;
        if (unchanged) entry.kind = RecordKind::not_debited;
        resolutions_.push_back(
            {unchanged ? Resolution::End::not_debited : Resolution::End::left_to_host, entry});
    }
    without_proof_.clear();
    return start_riding();
}

// ---- may this card ride? ----

Step Tap::start_riding() {
    const protocol::Date today = context_.now.date;
    if (info_->application_type != application_type_normal ||
        info_->start_flag != start_flag_enabled) {
        return refuse(Refusal::not_enabled);
    }
    if (today < info_->start) return refuse(Refusal::not_started);
    if (info_->valid_to < today) return refuse(Refusal::expired);
    return send(State::reading_management, Party::card,
                protocol::read_binary(protocol::sfi_management, 0, management_bytes_used));
}

Refusal Tap::check_holder(const protocol::ManagementInfo& info) const {
    const GateProfile& gate = context_.profile;
    if (info.city != gate.city) {
        if (info.interoperability == 0) return Refusal::not_interoperable;
        if (std::ranges::find(gate.accepted_cities, info.city) == gate.accepted_cities.end()) {
            return Refusal::city_not_accepted;
        }
    }
    if (!context_.hot_cards.in_force()) {
        if (gate.without_hot_list == WithoutHotList::refuse) return Refusal::no_hot_list;
    } else if (context_.hot_cards.lists(info_->card, context_.now)) {
        return Refusal::on_hot_list;
    }
    return Refusal::none;
}

Step Tap::after_management(const ResponseApdu& answer) {
    if (!answer.ok()) return refuse(Refusal::card_refused, answer.status());
    const auto info = read_management(answer.data());
    if (!info) return refuse(Refusal::card_data_malformed, "file 17");
    if (const Refusal why = check_holder(*info); why != Refusal::none) return refuse(why);
    if (paid_here_) return confirm_proof();

    const GateProfile& gate = context_.profile;
    entry_.kind = RecordKind::unresolved;
    entry_.issuer = info_->issuer;
    entry_.card = info_->card;
    entry_.card_city = info->city;
    entry_.card_kind = info->kind;
    entry_.city = gate.city;
    entry_.line = gate.line;
    entry_.station = gate.station;
    entry_.trip = trip_of(gate.mode);
    entry_.terminal = context_.sam_terminal;
    entry_.when = context_.now;
    entry_.entry_time = context_.now;
    if (gate.mode == GateMode::single) return charge(context_.fares.single(gate.line));
    return send(State::reading_journey, Party::card,
                protocol::read_record(protocol::sfi_journey, rail_record_number,
                                      protocol::RailJourney::size));
}

/// G2. Whoever answers PROVE may answer anything: MAC2 is the card's word only if the SAM, which
/// keeps the expected one from its last 80 70 until 80 72, a reset or SELECT, says so. domain.md
/// 1.12.
Step Tap::confirm_proof() {
    return send(State::confirming, Party::sam, protocol::credit_sam_for_purchase(paid_here_->mac2));
}

Step Tap::after_confirm(const ResponseApdu& answer) {
    if (!answer.ok()) {
        return refuse(Refusal::proof_unconfirmed, "80 72 " + text_of(answer.status()));
    }
    Finished result;
    result.open = true;
    result.already_paid = true;
    result.record = *paid_here_;
    return finish(std::move(result));
}

// ---- the journey and its fare ----

Step Tap::after_journey(const ResponseApdu& answer) {
    if (!answer.ok()) return refuse(Refusal::card_refused, answer.status());
    const auto found = protocol::RailJourney::parse(answer.data());
    if (!found) return refuse(Refusal::card_data_malformed, "file 1A");
    return enter_or_leave(*found);
}

Step Tap::enter_or_leave(const protocol::RailJourney& found) {
    const GateProfile& gate = context_.profile;
    const bool open = found.state == JourneyState::entered;
    const bool too_old = open && seconds_between(found.entry_time, context_.now) >
                                     std::int64_t{gate.journey_minutes_max} * 60;
    if (gate.mode == GateMode::entry) {
        if (open && !too_old) return refuse(Refusal::journey_open);
        if (!context_.fares.knows(gate.station)) return refuse(Refusal::no_fare);
        journey_ = {};
        journey_.state = JourneyState::entered;
        journey_.card = info_->card;
        journey_.entry_city = gate.city;
        journey_.entry_operator = gate.operator_id;
        journey_.entry_station = gate.station;
        journey_.entry_line = gate.line;
        journey_.entry_device = gate.device;
        journey_.entry_time = context_.now;
        entry_limit_ = context_.fares.discounted(context_.fares.maximum(), entry_.card_kind);
        journey_.maximum = entry_limit_;
        return charge(Money::from_fen(0));
    }
    if (!open) return refuse(Refusal::journey_none);
    if (found.entry_city != gate.city || found.entry_operator != gate.operator_id) {
        return refuse(Refusal::journey_elsewhere);
    }
    if (too_old) return refuse(Refusal::journey_too_old);
    journey_ = found;
    journey_.state = JourneyState::left;
    journey_.card = info_->card;
    journey_.exit_city = gate.city;
    journey_.exit_operator = gate.operator_id;
    journey_.exit_station = gate.station;
    journey_.exit_line = gate.line;
    journey_.exit_device = gate.device;
    journey_.exit_time = context_.now;
    entry_.entry_station = found.entry_station;
    entry_.entry_time = found.entry_time;
    return charge(context_.fares.journey(found.entry_station, gate.station));
}

Step Tap::charge(std::optional<Money> full) {
    if (!full) return refuse(Refusal::no_fare);
    entry_.full_fare = *full;
    entry_.amount = context_.fares.discounted(*full, entry_.card_kind);
    const protocol::InitialiseData data{protocol::default_key_index, entry_.amount,
                                        context_.sam_terminal};
    return send(State::initialising, Party::card, protocol::initialise_for_capp_purchase(data));
}

// ---- the composite purchase ----

Step Tap::after_initialise(const ResponseApdu& answer) {
    if (answer.status() == StatusWord::insufficient_balance) {
        return refuse(Refusal::insufficient_balance, answer.status());
    }
    if (!answer.ok()) return refuse(Refusal::card_refused, answer.status());
    const auto init = protocol::PurchaseInitialised::parse(answer.data());
    if (!init) return refuse(Refusal::card_data_malformed, "INITIALIZE");
    if (init->balance < std::max(entry_.amount, entry_limit_)) {
        return refuse(Refusal::insufficient_balance);
    }
    entry_.suite = init->suite;
    entry_.key_version = init->key_version;
    entry_.counter = init->counter;
    entry_.balance_before = init->balance;
    entry_.random = init->random;
    const protocol::SamPurchaseData data{
        init->random,         init->counter,     entry_.amount, entry_.type,
        context_.now,         init->key_version, init->suite,   protocol::card_factor(info_->card),
        info_->issuer.value()};
    return send(State::authorising, Party::sam, protocol::init_sam_for_purchase(data));
}

Step Tap::after_authorise(const ResponseApdu& answer) {
    if (!answer.ok()) return refuse(Refusal::sam_refused, answer.status());
    const auto authorised = protocol::SamPurchaseAnswer::parse(answer.data());
    if (!authorised) return refuse(Refusal::sam_refused, "malformed answer to 80 70");
    entry_.terminal_sequence = authorised->sequence;
    entry_.mac1 = authorised->mac1;
    if (context_.profile.mode == GateMode::single) return cache_trip();
    if (context_.profile.mode == GateMode::entry) journey_.entry_balance = entry_.balance_before;
    journey_.paid = entry_.amount;
    constexpr auto record_id = static_cast<std::uint8_t>(protocol::RailJourney::id & 0xFF);
    return send(
        State::caching_journey, Party::card,
        protocol::update_capp_data_cache(record_id, protocol::sfi_journey, journey_.bytes()));
}

Step Tap::cache_trip() {
    const GateProfile& gate = context_.profile;
    const protocol::TripRecord trip{
        entry_.trip,     gate.device,
        gate.industry,   gate.line,
        gate.station,    gate.operator_code,
        entry_.amount,   *subtract(entry_.balance_before, entry_.amount),
        context_.now,    gate.city,
        gate.operator_id};
    return send(State::caching_trip, Party::card,
                protocol::update_capp_data_cache(0x00, protocol::sfi_trip, trip.bytes()));
}

Step Tap::on_recorded() {
    if (state_ != State::recording) __builtin_trap();  // our own bug: G1
    return send(
        State::debiting, Party::card,
        protocol::debit_for_purchase({entry_.terminal_sequence, context_.now, entry_.mac1}));
}

Step Tap::on_record_failed() {
    return refuse(Refusal::out_of_service, "the pending entry could not be written");
}

Step Tap::after_debit(const ResponseApdu& answer) {
    if (outcome_unknown(answer.status())) return torn("DEBIT's outcome unknown");
    if (!answer.ok()) {
        Finished result;
        result.refusal = Refusal::card_refused;
        result.end = Finished::End::void_;
        result.record = entry_;
        result.detail = "DEBIT " + text_of(answer.status());
        return finish(std::move(result));
    }
    const auto proof = protocol::DebitProof::parse_debit(answer.data());
    if (!proof) return torn("DEBIT's answer malformed");
    entry_.tac = proof->tac;
    entry_.mac2 = proof->mac2;
    return send(State::crediting, Party::sam, protocol::credit_sam_for_purchase(proof->mac2));
}

Step Tap::after_credit(const ResponseApdu& answer) {
    Finished result;
    result.end = Finished::End::entry;
    result.open = answer.ok();
    entry_.kind = answer.ok() ? RecordKind::debit : RecordKind::mac2_wrong;
    if (!answer.ok()) {
        result.refusal = Refusal::mac2_wrong;
        result.detail = "80 72 " + text_of(answer.status());
    }
    result.record = entry_;
    return finish(std::move(result));
}

/// The card left before the SAM was asked: settled now, it would pay twice at its next touch.
void Tap::keep_waiting(const BatchRecord& entry) {
    std::erase_if(resolutions_, [&](const Resolution& resolution) {
        return resolution.record.terminal == entry.terminal &&
               resolution.record.terminal_sequence == entry.terminal_sequence;
    });
}

Step Tap::torn(const char* why) {
    Finished result;
    result.refusal = Refusal::unresolved;
    result.end = Finished::End::entry;
    entry_.kind = RecordKind::unresolved;
    result.record = entry_;
    result.detail = why;
    return finish(std::move(result));
}

}  // namespace terminal
