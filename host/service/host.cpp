#include "host/service/host.hpp"

#include <fmt/format.h>

#include "host/batches/verify.hpp"
#include "host/day/calendar.hpp"
#include "host/day/statements.hpp"
#include "platform/log.hpp"
#include "platform/mask.hpp"

namespace host {
namespace {

using platform::HttpMethod;
using platform::HttpRequest;
using platform::HttpResponse;
using protocol::CityCode;
using store::DayState;

std::string hex(CityCode city) {
    return fmt::format("{:04X}", city.value());
}

// A statement went to this peer and its own came back: nothing more to send.
std::string statement_setting(const protocol::Date& date, CityCode peer) {
    return fmt::format("statement_agreed/{}/{}", day::platform_date(date), hex(peer));
}

}  // namespace

const char* name(OpenRefusal refusal) {
    switch (refusal) {
        case OpenRefusal::mark_mismatch: return "mark_mismatch";
        case OpenRefusal::city_mismatch: return "city_mismatch";
        case OpenRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

std::expected<std::unique_ptr<Host>, OpenFailure> Host::open(const City& city, store::Store& store,
                                                             const Keys& keys,
                                                             const platform::Clock& clock) {
    const std::string mark = city.mark == protocol::Mark::live ? "live" : "rehearsal";
    std::optional<OpenFailure> refused;
    const auto done = store.transact([&] {
        const auto known_mark = store.setting("mark");
        const auto known_city = store.setting("city");
        if (known_mark && *known_mark != mark) {
            refused = {
                OpenRefusal::mark_mismatch,
                fmt::format("this is a {} store, the host was started for {}", *known_mark, mark)};
        } else if (known_city && *known_city != hex(city.code)) {
            refused = {OpenRefusal::city_mismatch,
                       fmt::format("this is the store of city {}", *known_city)};
        }
        if (refused) return store::End::abandon;
        store.put_setting("mark", mark);
        store.put_setting("city", hex(city.code));
        return store::End::commit;
    });
    if (refused) return std::unexpected{*refused};
    if (!done) return std::unexpected{OpenFailure{OpenRefusal::store_failed, done.error().text}};
    if (const auto opened = day::open_first(store, clock.now().date); !opened) {
        return std::unexpected{OpenFailure{OpenRefusal::store_failed, opened.error().detail}};
    }
    return std::unique_ptr<Host>{new Host{city, store, keys, clock}};
}

bool Host::work() {
    return work_on_batch() || work_on_days();
}

bool Host::work_on_batch() {
    const auto verified = batches::verify_next(store_, city_, keys_, now());
    if (!verified) {
        platform::log_error("batch_not_verified",
                            {{"store", verified.error().name}, {"detail", verified.error().text}});
        return false;
    }
    if (!*verified) return false;
    platform::log_info("batch_verified", {{"batch", (*verified)->batch.value()},
                                          {"accepted", (*verified)->accepted},
                                          {"forwarded", (*verified)->forwarded},
                                          {"refused", (*verified)->refused}});
    return true;
}

std::vector<store::DayRow> Host::unsettled_days() {
    std::vector<store::DayRow> out;
    const auto done = store_.transact([&] {
        out = store_.unsettled_days();
        return store::End::commit;
    });
    if (!done) {
        platform::log_error("days_unreadable", {{"store", done.error().name}});
        out.clear();
    }
    return out;
}

bool Host::work_on_days() {
    for (const store::DayRow& row : unsettled_days()) {
        day::DayResult<DayState> state = row.state;
        if (row.state == DayState::closing) {
            state = day::try_verify(store_, city_, keys_, row.date);
        } else if (row.state == DayState::verified) {
            state = day::try_net(store_, city_, row.date);
        }
        if (!state) {
            if (state.error().why == day::DayRefusal::statements_missing) continue;
            platform::log_warning("day_waits", {{"date", day::platform_date(row.date)},
                                                {"why", day::name(state.error().why)},
                                                {"detail", state.error().detail}});
        } else if (*state != row.state) {
            platform::log_info("day_state", {{"date", day::platform_date(row.date)},
                                             {"state", day::name(*state)}});
            return true;
        }
    }
    return false;
}

bool Host::close_when_due(const protocol::Time& cut_off) {
    std::optional<store::DayRow> open;
    const auto read = store_.transact([&] {
        open = store_.open_day();
        return store::End::commit;
    });
    if (!read) platform::log_error("days_unreadable", {{"store", read.error().name}});
    if (!read || !open || !day::close_is_due(open->date, cut_off, now())) return false;
    const auto closed = day::begin_close(store_, open->date, now().date);
    if (closed) {
        platform::log_info("cut_off", {{"date", day::platform_date(open->date)}});
    } else {
        platform::log_error("cut_off_failed", {{"date", day::platform_date(open->date)},
                                               {"why", day::name(closed.error().why)},
                                               {"detail", closed.error().detail}});
    }
    return closed.has_value();
}

std::optional<Mail> Host::next_mail(CityCode peer) {
    std::optional<Mail> out;
    const auto done = store_.transact([&] {
        if (const auto row = store_.oldest_unanswered(peer)) {
            out = Mail{peer, Mail::Kind::records, row->number, {}, {}};
            out->request.method = HttpMethod::post;
            out->request.target = "/v1/peer/records";
            out->request.body.assign(row->body.begin(), row->body.end());
        } else {
            out = statement_mail(peer);
            // The round is over: the next one, with what was refused in it.
            if (!out && refused_in_round_.erase(peer) != 0) out = statement_mail(peer);
        }
        return store::End::commit;
    });
    if (!done) {
        platform::log_error("outbox_unreadable", {{"store", done.error().name}});
        return std::nullopt;
    }
    if (out) out->request.headers.set("Content-Type", "application/octet-stream");
    return out;
}

// Inside a transaction: our statement of the oldest verified day that this peer has not agreed to,
// and has not refused in this round.
std::optional<Mail> Host::statement_mail(CityCode peer) {
    const auto refused = refused_in_round_.find(peer);
    for (const store::DayRow& row : store_.unsettled_days()) {
        if (row.state != DayState::verified && row.state != DayState::netted) continue;
        if (refused != refused_in_round_.end() && row.date <= refused->second) continue;
        if (store_.setting(statement_setting(row.date, peer))) continue;
        const auto ours = day::statement_of(store_, row.date, city_.code);
        if (!ours) continue;
        Mail mail{peer, Mail::Kind::statement, {}, row.date, {}};
        mail.request.method = HttpMethod::post;
        mail.request.target = "/v1/peer/statements";
        mail.request.body.assign(ours->begin(), ours->end());
        return mail;
    }
    return std::nullopt;
}

// The peer refused the day, or we its answer: the days after it have their turn. After the last one
// the round is over, and the next begins with the oldest day again.
MailResult Host::wait_for_round(const Mail& mail, MailResult at_end) {
    refused_in_round_[mail.peer] = mail.date;
    bool more = false;
    const auto done = store_.transact([&] {
        more = statement_mail(mail.peer).has_value();
        return store::End::commit;
    });
    if (done && more) return MailResult::skipped;
    refused_in_round_.erase(mail.peer);
    return at_end;
}

MailResult Host::on_peer_answer(const Mail& mail,
                                const std::expected<HttpResponse, platform::NetFailure>& answer) {
    if (!answer) {
        platform::log_warning("peer_silent", {{"peer", hex(mail.peer)},
                                              {"why", platform::name(answer.error().error)},
                                              {"detail", answer.error().detail}});
        return MailResult::later;
    }
    if (answer->status >= 500) return MailResult::later;
    if (answer->status != 200) {
        const bool not_ready = mail.kind == Mail::Kind::statement && answer->status == 409;
        if (not_ready) return wait_for_round(mail, MailResult::later);
        platform::log_error("peer_refused", {{"peer", hex(mail.peer)},
                                             {"status", answer->status},
                                             {"answer", answer->body.substr(0, 200)}});
        return mail.kind == Mail::Kind::statement ? wait_for_round(mail, MailResult::refused)
                                                  : MailResult::refused;
    }
    return mail.kind == Mail::Kind::records ? apply_records(mail, *answer)
                                            : apply_statement(mail, *answer);
}

MailResult Host::apply_records(const Mail& mail, const Response& answer) {
    const auto done =
        exchange::apply_answer(store_, city_, mail.peer, mail.number, answer.body_bytes());
    if (done) return MailResult::done;
    platform::log_error("answer_not_applied", {{"peer", hex(mail.peer)},
                                               {"number", mail.number.value()},
                                               {"why", exchange::name(done.error().why)},
                                               {"detail", done.error().detail}});
    return done.error().why == exchange::PeerRefusal::store_failed ? MailResult::later
                                                                   : MailResult::refused;
}

// The answer is one byte (1: agreed) and the peer's own statement.
MailResult Host::apply_statement(const Mail& mail, const Response& answer) {
    const auto bytes = answer.body_bytes();
    if (bytes.empty()) return wait_for_round(mail, MailResult::refused);
    const auto theirs = day::receive_statement(store_, city_, keys_, mail.peer, bytes.subspan(1));
    if (!theirs && theirs.error().why == day::DayRefusal::store_failed) return MailResult::later;
    if (!theirs || !theirs->agree || bytes[0] != 1) {
        platform::log_error("statement_disagrees",
                            {{"peer", hex(mail.peer)},
                             {"date", day::platform_date(mail.date)},
                             {"why", theirs ? "sums_differ" : day::name(theirs.error().why)}});
        return wait_for_round(mail, MailResult::refused);
    }
    const auto done = store_.transact([&] {
        store_.put_setting(statement_setting(mail.date, mail.peer), "yes");
        return store::End::commit;
    });
    return done ? MailResult::done : MailResult::later;
}

std::optional<MailResult> exchange_one(Host& host, CityCode peer, platform::HttpChannel& channel) {
    const auto mail = host.next_mail(peer);
    if (!mail) return std::nullopt;
    return host.on_peer_answer(*mail, channel.call(mail->request));
}

}  // namespace host
