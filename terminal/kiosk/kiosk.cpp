#include "terminal/kiosk/kiosk.hpp"

#include "platform/mask.hpp"
#include "protocol/personalisation.hpp"
#include "protocol/tlv.hpp"

namespace terminal {

using protocol::LoadAnswer;
using protocol::LoadOutcome;
using protocol::LoadRequest;
using protocol::Money;
using protocol::ReversalReason;
using protocol::StatusWord;
using protocol::TransactionType;

namespace {

std::string text_of(StatusWord status) {
    const auto value = static_cast<std::uint16_t>(status);
    return platform::to_hex(
        std::array{static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

/// File 15 out of the FCI. domain.md 1.8.
protocol::Parsed<protocol::PublicInfo> read_fci(Bytes fci) {
    ONECARD_TRY(outer, protocol::find_tlv(fci, 0x6F));
    ONECARD_TRY(proprietary, protocol::find_tlv(outer, 0xA5));
    ONECARD_TRY(image, protocol::find_tlv(proprietary, protocol::tag_9F0C_issuer_data));
    return protocol::PublicInfo::parse(image);
}

}  // namespace

const char* name(LoadRefusal refusal) {
    switch (refusal) {
        case LoadRefusal::none: return "none";
        case LoadRefusal::card_gone: return "card_gone";
        case LoadRefusal::not_a_transit_card: return "not_a_transit_card";
        case LoadRefusal::card_data_malformed: return "card_data_malformed";
        case LoadRefusal::earlier_load_open: return "earlier_load_open";
        case LoadRefusal::no_amount: return "no_amount";
        case LoadRefusal::already_loaded: return "already_loaded";
        case LoadRefusal::pin_required: return "pin_required";
        case LoadRefusal::card_refused: return "card_refused";
        case LoadRefusal::journal_failed: return "journal_failed";
        case LoadRefusal::host_unreachable: return "host_unreachable";
        case LoadRefusal::host_refused: return "host_refused";
        case LoadRefusal::unresolved: return "unresolved";
        case LoadRefusal::in_dispute: return "in_dispute";
    }
    return "unknown";
}

const char* name(LoadOutcome outcome) {
    switch (outcome) {
        case LoadOutcome::approved: return "approved";
        case LoadOutcome::id_reused: return "id_reused";
        case LoadOutcome::not_our_card: return "not_our_card";
        case LoadOutcome::card_unknown: return "card_unknown";
        case LoadOutcome::card_hot: return "card_hot";
        case LoadOutcome::mac1_wrong: return "mac1_wrong";
        case LoadOutcome::counter_old: return "counter_old";
        case LoadOutcome::amount_out_of_limits: return "amount_out_of_limits";
        case LoadOutcome::confirmed: return "confirmed";
        case LoadOutcome::reversed: return "reversed";
        case LoadOutcome::tac_wrong: return "tac_wrong";
        case LoadOutcome::unknown_load: return "unknown_load";
        case LoadOutcome::already_confirmed: return "already_confirmed";
        case LoadOutcome::already_reversed: return "already_reversed";
    }
    return "unknown";
}

auto Kiosk::write(const LoadRow& row) -> Step<void> {
    const auto written = journal_.update(row);
    if (!written) return std::unexpected{Failed{LoadRefusal::journal_failed, written.error().text}};
    return {};
}

// ---- the host ----

std::optional<LoadAnswer> Kiosk::post(std::string_view target, Bytes body) {
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = target;
    request.headers.set("Content-Type", "application/octet-stream");
    request.body.assign(body.begin(), body.end());
    const auto response = host_.call(request);
    if (!response) {
        host_detail_ = std::string{name(response.error().error)} + ": " + response.error().detail;
        return std::nullopt;
    }
    const auto answer = LoadAnswer::parse(response->body_bytes());
    if (!answer) {
        host_detail_ = "HTTP " + std::to_string(response->status) + ": no load answer";
        return std::nullopt;
    }
    return *answer;
}

/// A request whose answer was lost: asked again under the same key. By now the card has left, so
/// an approval can only be reversed.
bool Kiosk::request_again(LoadRow& row) {
    const auto answer = post("/v1/loads", row.request.bytes());
    if (!answer) return false;
    row.outcome = answer->outcome;
    if (answer->outcome == LoadOutcome::approved) {
        row.state = LoadState::reversing;
        row.reason = ReversalReason::never_sent;
    } else {
        row.state = LoadState::done;
    }
    return true;
}

bool Kiosk::confirm(LoadRow& row) {
    const protocol::LoadConfirmation message{row.request.key, *row.tac};
    const auto answer = post("/v1/loads/confirmations", message.bytes());
    if (!answer) return false;
    row.outcome = answer->outcome;
    // `reversed`: the proof was another load's, the card spent its counter on that one (K5).
    const bool settled =
        answer->outcome == LoadOutcome::confirmed || answer->outcome == LoadOutcome::reversed;
    row.state = settled ? LoadState::done : LoadState::dispute;
    return true;
}

bool Kiosk::reverse(LoadRow& row) {
    const protocol::LoadReversal message{row.request.key, *row.reason};
    const auto answer = post("/v1/loads/reversals", message.bytes());
    if (!answer) return false;
    row.outcome = answer->outcome;
    const bool settled =
        answer->outcome == LoadOutcome::reversed || answer->outcome == LoadOutcome::unknown_load;
    row.state = settled ? LoadState::done : LoadState::dispute;
    return true;
}

bool Kiosk::advance(LoadRow& row) {
    bool moved = false;
    switch (row.state) {
        case LoadState::requested: moved = request_again(row); break;
        case LoadState::approved:  // CREDIT never left: the row would say `crediting`
            row.state = LoadState::reversing;
            row.reason = ReversalReason::never_sent;
            moved = true;
            break;
        case LoadState::credited: moved = confirm(row); break;
        case LoadState::reversing: moved = reverse(row); break;
        case LoadState::crediting:
        case LoadState::done:
        case LoadState::dispute: return false;
    }
    return moved && write(row).has_value();
}

std::size_t Kiosk::settle() {
    auto rows = journal_.open_rows();
    if (!rows) return 0;
    std::size_t open = 0;
    for (LoadRow& row : *rows) {
        while (advance(row)) {
        }
        if (row.state != LoadState::done && row.state != LoadState::dispute) ++open;
    }
    return open;
}

// ---- the card ----

auto Kiosk::ask(CardLink& card, Bytes command) -> Step<std::vector<std::uint8_t>> {
    const auto response = card.transmit(command);
    if (!response) return std::unexpected{Failed{LoadRefusal::card_gone, name(response.error())}};
    const auto answer = protocol::ResponseApdu::parse(*response);
    if (!answer) return std::unexpected{Failed{LoadRefusal::card_gone, name(answer.error())}};
    if (!answer->ok()) {
        const auto why = answer->status() == StatusWord::security_status_not_satisfied
                             ? LoadRefusal::pin_required
                             : LoadRefusal::card_refused;
        return std::unexpected{Failed{why, text_of(answer->status())}};
    }
    return std::vector<std::uint8_t>{answer->data().begin(), answer->data().end()};
}

auto Kiosk::select(CardLink& card, LoadReport& report) -> Step<protocol::CardNumber> {
    auto fci = ask(card, protocol::select_by_name(protocol::transit_aid));
    if (!fci) {
        if (fci.error().refusal != LoadRefusal::card_gone) {
            fci.error().refusal = LoadRefusal::not_a_transit_card;
        }
        return std::unexpected{fci.error()};
    }
    const auto info = read_fci(*fci);
    if (!info) {
        return std::unexpected{Failed{LoadRefusal::card_data_malformed, name(info.error())}};
    }
    issuer_ = info->issuer;
    report.card = info->card;
    return info->card;
}

/// The card alone knows whether a CREDIT that was sent arrived.
auto Kiosk::ask_about(CardLink& card, LoadRow& row) -> Step<void> {
    const protocol::OnlineCounter counter = row.request.card_answer.counter;
    const auto proof =
        ask(card, protocol::get_transaction_prove(TransactionType::load, counter.value()));
    if (proof) {
        const auto parsed = protocol::DebitProof::parse_prove(*proof);
        if (!parsed) return std::unexpected{Failed{LoadRefusal::earlier_load_open, "PROVE"}};
        row.tac = parsed->tac;
        row.state = LoadState::credited;
        return write(row);
    }
    if (proof.error().refusal == LoadRefusal::card_gone || proof.error().detail != "9406") {
        return std::unexpected{Failed{LoadRefusal::earlier_load_open, proof.error().detail}};
    }
    auto probe = open(card, row.request.amount);
    if (!probe) {
        return std::unexpected{Failed{LoadRefusal::earlier_load_open, probe.error().detail}};
    }
    if (probe->request.card_answer.counter == counter) {
        row.state = LoadState::reversing;
        row.reason = ReversalReason::card_unchanged;
    } else {
        row.state = LoadState::dispute;  // more than one load came between: the proof is gone
    }
    return write(row);
}

auto Kiosk::settle_with_card(CardLink& card, const protocol::CardNumber& number) -> Step<void> {
    auto rows = journal_.open_rows();
    if (!rows) {
        return std::unexpected{Failed{LoadRefusal::journal_failed, rows.error().text}};
    }
    for (LoadRow& row : *rows) {
        if (row.request.card != number) continue;
        if (row.state == LoadState::crediting) ONECARD_CHECK(ask_about(card, row));
        while (advance(row)) {
        }
        // A new load before the old one is settled could hide what became of it.
        if (row.state == LoadState::crediting || row.state == LoadState::requested) {
            return std::unexpected{Failed{LoadRefusal::earlier_load_open, host_detail_}};
        }
    }
    return {};
}

/// INITIALIZE FOR LOAD. The row is not in the journal yet.
auto Kiosk::open(CardLink& card, Money amount) -> Step<LoadRow> {
    if (!profile_.pin.empty()) ONECARD_CHECK(ask(card, protocol::verify_pin(profile_.pin)));
    const protocol::InitialiseData data{protocol::default_key_index, amount, profile_.terminal};
    ONECARD_TRY(bytes, ask(card, protocol::initialise_for_load(data)));
    const auto answer = protocol::LoadInitialised::parse(bytes);
    if (!answer) {
        return std::unexpected{Failed{LoadRefusal::card_data_malformed, name(answer.error())}};
    }
    LoadRow row;
    row.request.amount = amount;
    row.request.terminal = profile_.terminal;
    row.request.when = clock_.now();
    row.request.card_answer = *answer;
    return row;
}

auto Kiosk::credit(CardLink& card, LoadRow& row) -> Step<void> {
    row.state = LoadState::crediting;
    ONECARD_CHECK(write(row));  // durable before CREDIT may leave
    const auto answer =
        ask(card, protocol::credit_for_load({row.approval->when, row.approval->mac2}));
    if (!answer || answer->size() != protocol::Mac{}.size()) {
        return std::unexpected{
            Failed{LoadRefusal::unresolved, answer ? "CREDIT's answer" : answer.error().detail}};
    }
    row.tac.emplace();
    std::ranges::copy(*answer, row.tac->begin());
    row.state = LoadState::credited;
    return write(row);
}

auto Kiosk::run(CardLink& card, const AmountFor& amount_for, LoadReport& report) -> Step<void> {
    ONECARD_TRY(number, select(card, report));
    ONECARD_CHECK(settle_with_card(card, number));
    if (profile_.load_once) {
        const auto loaded = journal_.was_loaded(number);
        if (!loaded) {
            return std::unexpected{Failed{LoadRefusal::journal_failed, loaded.error().text}};
        }
        if (*loaded) return std::unexpected{Failed{LoadRefusal::already_loaded, {}}};
    }
    const auto amount = amount_for(number);
    if (!amount) return std::unexpected{Failed{LoadRefusal::no_amount, {}}};
    report.amount = *amount;
    ONECARD_TRY(opened, open(card, *amount));
    opened.request.card = number;
    opened.request.issuer = issuer_;
    auto begun = journal_.begin(opened.request);
    if (!begun) return std::unexpected{Failed{LoadRefusal::journal_failed, begun.error().text}};
    LoadRow& row = *begun;
    report.sequence = row.request.key.sequence.value();

    const auto answer = post("/v1/loads", row.request.bytes());
    if (!answer) return std::unexpected{Failed{LoadRefusal::host_unreachable, host_detail_}};
    report.outcome = row.outcome = answer->outcome;
    if (answer->outcome != LoadOutcome::approved) {
        row.state = LoadState::done;
        ONECARD_CHECK(write(row));
        return std::unexpected{Failed{LoadRefusal::host_refused, name(answer->outcome)}};
    }
    row.state = LoadState::approved;
    row.approval = *answer;
    ONECARD_CHECK(credit(card, row));
    if (const auto sum = add(row.request.card_answer.balance, *amount)) report.balance_after = *sum;
    while (advance(row)) {
    }
    report.outcome = row.outcome;
    report.confirmed = row.outcome == LoadOutcome::confirmed;
    // The card has just credited this very load: any other word of the host is wrong.
    if (row.state == LoadState::dispute || row.outcome == LoadOutcome::reversed) {
        return std::unexpected{Failed{LoadRefusal::in_dispute, name(*row.outcome)}};
    }
    return {};
}

LoadReport Kiosk::load(CardLink& card, const AmountFor& amount_for) {
    LoadReport report;
    const auto done = run(card, amount_for, report);
    if (!done) {
        report.refusal = done.error().refusal;
        report.detail = done.error().detail;
    }
    return report;
}

}  // namespace terminal
