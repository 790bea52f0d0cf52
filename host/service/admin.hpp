#pragma once
// What the city's own people ask of their host: register, hot list, days, reports. The command line
// sends the same requests to a running host, or to one it opens itself. docs/host.md, 3.
#include "host/service/city.hpp"
#include "host/service/register.hpp"
#include "host/store/store.hpp"
#include "platform/clock.hpp"
#include "platform/http.hpp"

namespace host {

/// Decimal digits only, at most `max`.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max);
/// "20260105", "20260105103000".
[[nodiscard]] std::optional<protocol::Date> parse_date(std::string_view text);
[[nodiscard]] std::optional<protocol::DateTime> parse_date_time(std::string_view text);

/// "lost", "stolen", "returned", "fraud", "expired".
[[nodiscard]] std::optional<protocol::HotReason> parse_hot_reason(std::string_view text);

/// Imports the body's lines and says how many of which.
[[nodiscard]] platform::HttpResponse register_answer(store::Store& store, const City& city,
                                                     const Keys& keys,
                                                     const protocol::DateTime& now,
                                                     std::string_view lines, RegisterSource source);

class Admin {
public:
    Admin(const City& city, store::Store& store, const Keys& keys, const platform::Clock& clock)
        : city_{city}, store_{store}, keys_{keys}, clock_{clock} {}
    [[nodiscard]] platform::HttpResponse handle(const platform::HttpRequest& request);

private:
    using Response = platform::HttpResponse;
    using Request = platform::HttpRequest;
    [[nodiscard]] Response register_lines(const Request& request);
    [[nodiscard]] Response add_hot(const Request& request);
    [[nodiscard]] Response publish_hot(const Request& request);
    [[nodiscard]] Response close_day(const Request& request);
    [[nodiscard]] Response settle_day(const Request& request);
    [[nodiscard]] Response show_day(const Request& request);
    [[nodiscard]] Response report(const Request& request);
    [[nodiscard]] Response verify_ledger(const Request& request);
    [[nodiscard]] Response trace(const Request& request);
    [[nodiscard]] Response status(const Request& request);
    [[nodiscard]] std::optional<protocol::Date> date_or_open_day(const Request& request);
    [[nodiscard]] Response day_response(const protocol::Date& date);
    struct Route;

    const City& city_;
    store::Store& store_;
    const Keys& keys_;
    const platform::Clock& clock_;
};

}  // namespace host
