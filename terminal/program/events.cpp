#include "terminal/program/events.hpp"

#include <iostream>

#include <boost/json.hpp>

#include "platform/mask.hpp"
#include "terminal/gate/screen.hpp"

namespace terminal {

namespace json = boost::json;

namespace {

const char* name(protocol::TripType trip) {
    switch (trip) {
        case protocol::TripType::purse_entry: return "entry";
        case protocol::TripType::purse_exit: return "exit";
        case protocol::TripType::purse_single: return "single";
        default: return "other";
    }
}
const char* name(protocol::RecordKind kind) {
    switch (kind) {
        case protocol::RecordKind::debit: return "debit";
        case protocol::RecordKind::mac2_wrong: return "mac2_wrong";
        case protocol::RecordKind::unresolved: return "unresolved";
        case protocol::RecordKind::proven: return "proven";
        case protocol::RecordKind::not_debited: return "not_debited";
    }
    return "unknown";
}

void add_record(Events::Fields& fields, const BatchRecord& record) {
    fields.emplace_back("kind", name(record.kind));
    fields.emplace_back("trip", name(record.trip));
    fields.emplace_back("amount_fen", std::int64_t{record.amount.fen()});
    fields.emplace_back("balance_before_fen", std::int64_t{record.balance_before.fen()});
    fields.emplace_back("counter", std::int64_t{record.counter.value()});
    fields.emplace_back("sam_terminal", platform::to_hex(record.terminal.value()));
    fields.emplace_back("sam_sequence", std::int64_t{record.terminal_sequence.value()});
}

}  // namespace

void Events::say(std::string_view event, const Fields& fields) {
    std::string line;
    if (json_) {
        json::object object;
        object["event"] = json::string_view{event.data(), event.size()};
        for (const auto& [key, value] : fields) {
            std::visit([&](const auto& v) { object[key] = v; }, value);
        }
        line = json::serialize(object);
    } else {
        line = event;
        for (const auto& [key, value] : fields) {
            line += "  " + key + "=";
            if (const auto* text = std::get_if<std::string>(&value)) line += *text;
            if (const auto* number = std::get_if<std::int64_t>(&value)) {
                line += std::to_string(*number);
            }
            if (const auto* flag = std::get_if<bool>(&value)) line += *flag ? "yes" : "no";
        }
    }
    const std::lock_guard lock{mutex_};
    std::cout << line << std::endl;  // flushed: someone may be waiting for it
}

void Events::tap(const TapReport& report) {
    const Finished& result = report.result;
    Fields fields;
    fields.emplace_back("gate", result.open ? "open" : "shut");
    fields.emplace_back("refusal", terminal::name(result.refusal));
    fields.emplace_back("already_paid", result.already_paid);
    fields.emplace_back("screen", screen_line(result));
    if (report.card) fields.emplace_back("card", platform::mask(*report.card));
    if (result.end == Finished::End::entry || result.already_paid) {
        add_record(fields, result.record);
    }
    fields.emplace_back("elapsed_us", report.elapsed_us);
    fields.emplace_back("card_us", report.card_us);
    fields.emplace_back("sam_us", report.sam_us);
    fields.emplace_back("journal_us", report.journal_us);
    fields.emplace_back("card_commands", std::int64_t{report.card_traffic.commands});
    fields.emplace_back("card_bytes", std::int64_t{report.card_traffic.bytes});
    if (!result.detail.empty()) fields.emplace_back("detail", result.detail);
    say("tap", fields);
}

void Events::upload(const UploadEvent& event) {
    Fields fields;
    if (event.sequence != 0) fields.emplace_back("sequence", std::int64_t{event.sequence});
    if (event.records != 0) fields.emplace_back("records", std::int64_t{event.records});
    if (event.kind == UploadEvent::Kind::result_kept) {
        fields.emplace_back("complete", event.complete);
    }
    if (!event.detail.empty()) fields.emplace_back("detail", event.detail);
    say(terminal::name(event.kind), fields);
}

void Events::counts(std::string_view event, const JournalCounts& counts) {
    say(event, {{"pending", counts.pending},
                {"unbatched", counts.unbatched},
                {"unacknowledged_batches", counts.unacknowledged_batches},
                {"incomplete_results", counts.incomplete_results},
                {"unresolved_own", counts.waiting_own},
                {"unresolved_shared", counts.waiting_shared}});
}

void Events::state(std::string_view event, std::string_view detail) {
    Fields fields;
    if (!detail.empty()) fields.emplace_back("detail", std::string{detail});
    say(event, fields);
}

}  // namespace terminal
