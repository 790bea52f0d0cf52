#include "host/program/commands.hpp"

#include <iostream>
#include <thread>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/program/running.hpp"
#include "platform/command_line.hpp"
#include "platform/files.hpp"

namespace host::program {
namespace {

namespace json = boost::json;
using platform::HttpMethod;
using platform::HttpRequest;
using platform::HttpResponse;

constexpr std::size_t register_size_max = 1024ULL * 1024 * 1024;

int fail(std::string_view what) {
    return platform::complain(program_name, what);
}

// The same requests to a running host over its own door, or to the store when nobody has it open.
class Office {
public:
    [[nodiscard]] static std::expected<std::unique_ptr<Office>, std::string> open(
        const CommonOptions& options) {
        auto identity = open_identity(options);
        if (!identity) return std::unexpected{identity.error()};
        std::unique_ptr<Office> out{new Office{std::move(*identity)}};
        out->channel_ = channel_to_self(out->identity_);
        return out;
    }

    [[nodiscard]] std::expected<HttpResponse, std::string> call(HttpMethod method,
                                                                std::string target,
                                                                std::string body = {}) {
        HttpRequest request;
        request.method = method;
        request.target = std::move(target);
        request.body = std::move(body);
        if (!open_.host) {
            const auto answer = channel_->call(request);
            if (answer) return *answer;
            // Nobody listens: the store is free, or a host is about to say why not.
            if (answer.error().error != platform::NetError::refused) {
                return std::unexpected{fmt::format("{}: {}", platform::name(answer.error().error),
                                                   answer.error().detail)};
            }
            auto open = open_host(identity_, clock_);
            if (!open) return std::unexpected{open.error()};
            open_ = std::move(*open);
        }
        request.identity = identity_.server->own_identity();
        return open_.host->handle(request);
    }

    /// Gives a host that we opened ourselves the chance to work and to talk to its peers.
    void progress() {
        if (!open_.host) return;
        while (open_.host->work()) {
        }
        for (const PeerAddress& peer : identity_.config.peers) {
            const auto channel = channel_to(identity_, peer);
            while (true) {
                const auto result = exchange_one(*open_.host, peer.city, *channel);
                if (!result || !asks_next(*result)) break;
                while (open_.host->work()) {
                }
            }
        }
        while (open_.host->work()) {
        }
    }

private:
    explicit Office(Identity identity) : identity_{std::move(identity)} {}
    Identity identity_;
    platform::SystemClock clock_;
    std::unique_ptr<platform::HttpClient> channel_;
    Open open_;
};

int print_answer(const std::expected<HttpResponse, std::string>& answer) {
    if (!answer) return fail(answer.error());
    if (answer->status != 200) return fail(answer->body);
    std::cout << answer->body << '\n';
    return platform::exit_status(platform::ExitCode::ok);
}

// A tree of JSON as indented "key: value" lines for people.
void print_text(const json::value& value, std::size_t depth, std::string& out) {
    const std::string indent(depth * 2, ' ');
    if (const auto* object = value.if_object()) {
        for (const auto& [key, child] : *object) {
            const bool leaf = !child.is_object() && !child.is_array();
            out += fmt::format("{}{}:", indent, std::string_view{key});
            if (leaf) {
                out += " " + (child.is_string() ? std::string{child.get_string()}
                                                : json::serialize(child));
                out += '\n';
            } else {
                out += '\n';
                print_text(child, depth + 1, out);
            }
        }
    } else if (const auto* array = value.if_array()) {
        for (const auto& child : *array) {
            if (child.is_object()) {
                std::string line;
                for (const auto& [key, field] : child.get_object()) {
                    if (field.is_object() || field.is_array()) continue;
                    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", std::string_view{key},
                                        field.is_string() ? std::string{field.get_string()}
                                                          : json::serialize(field));
                }
                out += fmt::format("{}- {}\n", indent, line);
                for (const auto& [key, field] : child.get_object()) {
                    if (!field.is_object() && !field.is_array()) continue;
                    out += fmt::format("{}    {}:\n", indent, std::string_view{key});
                    print_text(field, depth + 3, out);
                }
            } else {
                out += fmt::format("{}- {}\n", indent, json::serialize(child));
            }
        }
    }
}

int print_report(const CommonOptions& options,
                 const std::expected<HttpResponse, std::string>& answer) {
    if (options.json || !answer || answer->status != 200) return print_answer(answer);
    boost::system::error_code error;
    const auto value = json::parse(answer->body, error);
    if (error) return print_answer(answer);
    std::string text;
    print_text(value, 0, text);
    std::cout << text;
    return platform::exit_status(platform::ExitCode::ok);
}

template <class Run>
int in_office(const CommonOptions& options, const Run& run) {
    auto office = Office::open(options);
    if (!office) return fail(office.error());
    return run(**office);
}

std::string date_query(const std::string& date) {
    return date.empty() ? "" : "?date=" + date;
}

// State and date of a day's JSON.
std::pair<std::string, std::string> state_of(const HttpResponse& response) {
    boost::system::error_code error;
    const auto value = json::parse(response.body, error);
    if (error || !value.is_object()) return {};
    const auto text = [&](std::string_view key) -> std::string {
        const auto* found = value.get_object().if_contains(key);
        return found != nullptr && found->is_string() ? std::string{found->get_string()} : "";
    };
    return {text("state"), text("date")};
}

// Asks until the day is netted, or the time is over.
std::expected<HttpResponse, std::string> wait_netted(Office& office, const std::string& date,
                                                     std::int64_t seconds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{seconds};
    while (true) {
        office.progress();
        auto answer = office.call(HttpMethod::get, "/v1/admin/day?date=" + date);
        if (!answer || answer->status != 200) return answer;
        const auto state = state_of(*answer).first;
        if (state == "netted" || state == "settled") return answer;
        if (std::chrono::steady_clock::now() >= until) {
            return std::unexpected{fmt::format(
                "the day {} is {} after {} s: it waits for batches, for peers' answers or for "
                "their statements (onecard-host status); ask again",
                date, state, seconds)};
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
}

}  // namespace

int close_day(const DayOptions& options) {
    return in_office(options, [&](Office& office) {
        std::string date = options.date;
        if (date.empty()) {
            const auto open = office.call(HttpMethod::get, "/v1/admin/day");
            if (!open || open->status != 200) return print_answer(open);
            date = state_of(*open).second;
            // Whoever repeats a close whose answer was lost gives this date.
            std::cerr << "closing the day " << date << '\n';
        }
        auto answer = office.call(HttpMethod::post, "/v1/admin/day/close?date=" + date);
        if (!answer || answer->status != 200) return print_answer(answer);
        if (options.wait_seconds > 0 || options.settle) {
            answer = wait_netted(office, date, options.wait_seconds);
        }
        if (answer && options.settle) {
            answer = office.call(HttpMethod::post, "/v1/admin/day/settle?date=" + date);
        }
        return print_report(options, answer);
    });
}

int net_day(const DayOptions& options) {
    return in_office(options, [&](Office& office) {
        auto answer = wait_netted(office, options.date, options.wait_seconds);
        if (answer && options.settle) {
            answer = office.call(HttpMethod::post, "/v1/admin/day/settle?date=" + options.date);
        }
        return print_report(options, answer);
    });
}

int show_day(const DayOptions& options) {
    return in_office(options, [&](Office& office) {
        return print_report(
            options, office.call(HttpMethod::get, "/v1/admin/day" + date_query(options.date)));
    });
}

int import_register(const RegisterOptions& options) {
    return in_office(options, [&](Office& office) {
        for (const auto& file : options.files) {
            auto text = platform::read_text_file(file, register_size_max);
            if (!text) return fail(text.error().detail);
            const auto answer =
                office.call(HttpMethod::post, "/v1/admin/register", std::move(*text));
            if (!answer || answer->status != 200) {
                return fail(file.string() + ": " + (answer ? answer->body : answer.error()));
            }
            std::cout << answer->body << '\n';
        }
        return platform::exit_status(platform::ExitCode::ok);
    });
}

int add_operator(const OperatorOptions& options) {
    return in_office(options, [&](Office& office) {
        const auto status = office.call(HttpMethod::get, "/v1/admin/status");
        if (!status || status->status != 200) return print_answer(status);
        const auto own = json::parse(status->body);
        return print_answer(
            office.call(HttpMethod::post, "/v1/admin/register",
                        json::serialize(json::object{{"kind", "operator"},
                                                     {"mark", own.at("mark")},
                                                     {"city", own.at("city")},
                                                     {"operator", options.id},
                                                     {"name", options.display_name}})));
    });
}

int add_hot(const HotOptions& options) {
    return in_office(options, [&](Office& office) {
        json::array entries;
        const auto add = [&](const char* kind, const std::string& number) {
            json::object entry{{"kind", kind}, {"number", number}, {"reason", options.reason}};
            if (!options.since.empty()) entry["since"] = options.since;
            entries.push_back(std::move(entry));
        };
        for (const auto& number : options.cards) add("card", number);
        for (const auto& number : options.sams) add("sam", number);
        return print_answer(
            office.call(HttpMethod::post, "/v1/admin/hot-list/entries",
                        json::serialize(json::object{{"entries", std::move(entries)}})));
    });
}

int publish_hot(const HotOptions& options) {
    return in_office(options, [&](Office& office) {
        json::object body;
        if (!options.effective.empty()) body["effective"] = options.effective;
        return print_answer(
            office.call(HttpMethod::post, "/v1/admin/hot-list/publish", json::serialize(body)));
    });
}

int report(const ReportCommandOptions& options) {
    return in_office(options, [&](Office& office) {
        const auto answer =
            office.call(HttpMethod::get, options.full_numbers ? "/v1/admin/report?numbers=full"
                                                              : "/v1/admin/report");
        if (options.out.empty() || !answer || answer->status != 200) {
            return print_report(options, answer);
        }
        const auto written = platform::replace_file(options.out, std::string_view{answer->body});
        if (!written) return fail(written.error().detail);
        return platform::exit_status(platform::ExitCode::ok);
    });
}

int verify_ledger(const CommonOptions& options) {
    return in_office(options, [&](Office& office) {
        return print_report(options, office.call(HttpMethod::get, "/v1/admin/ledger/verify"));
    });
}

int trace(const TraceOptions& options) {
    return in_office(options, [&](Office& office) {
        return print_report(options,
                            office.call(HttpMethod::get, "/v1/admin/trace?id=" + options.id));
    });
}

int status(const CommonOptions& options) {
    return in_office(options, [&](Office& office) {
        return print_report(options, office.call(HttpMethod::get, "/v1/admin/status"));
    });
}

}  // namespace host::program
