#include "terminal/gate/gate.hpp"

namespace terminal {

namespace {

Finished shut(Refusal refusal, std::string detail) {
    Finished result;
    result.refusal = refusal;
    result.detail = std::move(detail);
    return result;
}

}  // namespace

std::expected<SamIdentity, SamRefusal> Gate::open_sam() {
    if (!sam_) {
        ONECARD_TRY(opened, terminal::open_sam(parts_.sam, parts_.profile.operator_id,
                                               parts_.clock.now().date));
        sam_ = opened;
    }
    return *sam_;
}

std::optional<Finished> Gate::not_ready() {
    if (unsaved_) {
        const auto saved =
            parts_.journal.end_entry(unsaved_->entry, unsaved_->result, parts_.clock.unix_ms());
        if (!saved) return shut(Refusal::out_of_service, saved.error().text);
        unsaved_.reset();
    }
    const auto sam = open_sam();
    if (!sam) return shut(Refusal::sam_unavailable, name(sam.error()));
    const DateTime now = parts_.clock.now();
    if (sam->info.end < now.date) return shut(Refusal::sam_unavailable, "sam_expired");
    if (parts_.hot_lists.lists_sam(sam->number, now)) {
        return shut(Refusal::sam_unavailable, "sam_on_hot_list");
    }
    return std::nullopt;
}

Step Gate::exchange(Tap& tap, const Send& send, CardLink& card, TapReport& report) {
    const bool to_sam = send.to == Party::sam;
    const std::int64_t start = parts_.ticks();
    const auto response = (to_sam ? parts_.sam : card).transmit(send.command);
    (to_sam ? report.sam_us : report.card_us) += parts_.ticks() - start;
    if (response) return tap.on_response(*response);
    if (to_sam) sam_.reset();
    return tap.on_link_lost();
}

Step Gate::write_pending(Tap& tap, const Record& record, TapReport& report) {
    const std::int64_t start = parts_.ticks();
    const auto entry = parts_.journal.begin_entry(record, parts_.clock.unix_ms());
    report.journal_us += parts_.ticks() - start;
    if (!entry) return tap.on_record_failed();
    entry_ = *entry;
    return tap.on_recorded();
}

/// G2: the gate obeys `open` only when the journal has the end of the story.
void Gate::conclude(TapReport& report) {
    const std::int64_t start = parts_.ticks();
    const auto written = parts_.journal.end_entry(entry_, report.result, parts_.clock.unix_ms());
    report.journal_us += parts_.ticks() - start;
    if (written) return;
    if (entry_ && report.result.end != Finished::End::nothing) {
        unsaved_ = Unsaved{*entry_, report.result};
    }
    report.result = shut(Refusal::out_of_service, written.error().text);
}

TapReport Gate::touch(CardLink& card) {
    TapReport report;
    if (auto reason = not_ready()) {
        report.result = std::move(*reason);
        return report;
    }
    entry_.reset();
    Tap tap{{parts_.profile, parts_.fares, parts_.hot_lists, parts_.journal, sam_->terminal,
             parts_.clock.now()}};
    const std::int64_t start = parts_.ticks();
    Step step = tap.begin();
    while (!std::holds_alternative<Finished>(step)) {
        step = std::holds_alternative<Send>(step)
                   ? exchange(tap, std::get<Send>(step), card, report)
                   : write_pending(tap, std::get<Record>(step), report);
    }
    report.result = std::get<Finished>(std::move(step));
    report.card = tap.card();
    report.card_traffic = tap.card_traffic();
    report.sam_traffic = tap.sam_traffic();
    report.elapsed_us = parts_.ticks() - start;
    // A SAM that was reset behind our back refuses: select it anew next time.
    if (report.result.refusal == Refusal::sam_refused ||
        report.result.refusal == Refusal::proof_unconfirmed) {
        sam_.reset();
    }
    conclude(report);
    return report;
}

}  // namespace terminal
