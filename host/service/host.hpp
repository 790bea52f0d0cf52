#pragma once
// A city's clearing house as an object: requests in, responses out, and mail for its peers. It owns
// no socket, thread or clock, so that a simulation can run several in one process. docs/host.md.
//
// H1. handle() answers a success only when what it acknowledges is on the disk.
// H2. Every call may be repeated: the same message gets the same answer and changes nothing.
// H3. The process may end between any two steps: the next Host on the store goes on.
//
// Calls must not overlap: whoever has threads holds a lock around them.
#include <map>
#include <memory>

#include "host/day/day.hpp"
#include "host/exchange/exchange.hpp"
#include "platform/clock.hpp"
#include "platform/http.hpp"

namespace host {

enum class OpenRefusal : std::uint8_t {  // In the order they are checked.
    mark_mismatch,  ///< a rehearsal's store opened for live money, or the other way round
    city_mismatch,  ///< another city's store
    store_failed,
};
[[nodiscard]] const char* name(OpenRefusal refusal);
struct OpenFailure {
    OpenRefusal why;
    std::string detail;
};

/// One message for a peer. Send `request`, then tell on_peer_answer() what came.
struct Mail {
    protocol::CityCode peer;
    enum class Kind : std::uint8_t { records, statement } kind = Kind::records;
    protocol::MessageNumber number;  ///< records only
    protocol::Date date;             ///< statements only
    platform::HttpRequest request;
};

/// What became of a mail.
enum class MailResult : std::uint8_t {
    done,     ///< applied; ask for the next
    skipped,  ///< this day must wait, but another of the round need not: ask for the next now
    later,    ///< no answer, or the peer is not ready: wait, then ask again
    refused,  ///< the peer or we refused it by name: a person must look, then ask again
};
[[nodiscard]] constexpr bool asks_next(MailResult result) {
    return result == MailResult::done || result == MailResult::skipped;
}

class Host {
public:
    /// Everything passed in must outlive the host. The first business date of an empty store is the
    /// clock's.
    [[nodiscard]] static std::expected<std::unique_ptr<Host>, OpenFailure> open(
        const City& city, store::Store& store, const Keys& keys, const platform::Clock& clock);

    /// One request, authenticated by the caller: `request.identity` is the peer's certificate.
    [[nodiscard]] platform::HttpResponse handle(const platform::HttpRequest& request);

    /// One piece of pending work: a stored batch, a step of a closing day. False when there was
    /// nothing to do, or the store failed (logged).
    bool work();

    /// Closes the open day when its cut-off has passed; one day a call, so that a host that was
    /// down for several closes them one after the other. False when none is due, or the store
    /// failed (logged): ask again.
    bool close_when_due(const protocol::Time& cut_off);

    /// The next message for this peer, if there is one. The same until it is answered. Statements
    /// go in rounds, oldest day first: a day that this peer refuses waits for the next round.
    [[nodiscard]] std::optional<Mail> next_mail(protocol::CityCode peer);
    MailResult on_peer_answer(
        const Mail& mail,
        const std::expected<platform::HttpResponse, platform::NetFailure>& answer);

    [[nodiscard]] const City& city() const { return city_; }

private:
    Host(const City& city, store::Store& store, const Keys& keys, const platform::Clock& clock)
        : city_{city}, store_{store}, keys_{keys}, clock_{clock} {}

    using Response = platform::HttpResponse;
    using Request = platform::HttpRequest;
    [[nodiscard]] Response post_batch(const Request& request);
    [[nodiscard]] Response batch_result(const Request& request);
    [[nodiscard]] Response hot_list(const Request& request);
    [[nodiscard]] Response load(const Request& request);
    [[nodiscard]] Response unresolved(const Request& request);
    [[nodiscard]] Response peer_records(const Request& request);
    [[nodiscard]] Response peer_statement(const Request& request);
    [[nodiscard]] Response register_issued(const Request& request);
    [[nodiscard]] Response admin(const Request& request);
    struct Route;
    [[nodiscard]] static const Route* find_route(const Request& request, bool& path_known);
    [[nodiscard]] bool allowed(const Route& route, const platform::PeerIdentity& who) const;

    [[nodiscard]] bool work_on_batch();
    [[nodiscard]] bool work_on_days();
    [[nodiscard]] std::vector<store::DayRow> unsettled_days();
    [[nodiscard]] std::optional<Mail> statement_mail(protocol::CityCode peer);
    [[nodiscard]] MailResult wait_for_round(const Mail& mail, MailResult at_end);
    MailResult apply_records(const Mail& mail, const Response& answer);
    MailResult apply_statement(const Mail& mail, const Response& answer);
    [[nodiscard]] protocol::DateTime now() const { return clock_.now(); }

    const City city_;
    store::Store& store_;
    const Keys& keys_;
    const platform::Clock& clock_;
    std::map<protocol::CityCode, protocol::Date> refused_in_round_;  ///< the newest, by peer
};

/// Sends one mail through `channel` and applies the answer. Nothing when there was no mail.
[[nodiscard]] std::optional<MailResult> exchange_one(Host& host, protocol::CityCode peer,
                                                     platform::HttpChannel& channel);

}  // namespace host
