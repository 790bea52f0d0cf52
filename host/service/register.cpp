#include "host/service/register.hpp"

#include <variant>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/hot_list/publish.hpp"
#include "host/service/admin.hpp"
#include "host/store/decide.hpp"
#include "platform/mask.hpp"

namespace host {
namespace {

namespace json = boost::json;
using Refused = RegisterFailure;
using Line = std::variant<store::OperatorRow, store::DeviceRow, store::SamRow, store::CardRow,
                          store::NoticeRow>;

std::unexpected<Refused> refuse(RegisterRefusal why, std::string detail) {
    return std::unexpected{Refused{why, std::move(detail)}};
}

// One object's fields, with refusals that name them.
class Fields {
public:
    Fields(const json::object& object, std::size_t line) : object_{object}, line_{line} {}
    [[nodiscard]] std::string_view text(std::string_view key) const {
        const auto* const value = object_.if_contains(key);
        if (value == nullptr || !value->is_string()) return {};
        return value->get_string();
    }
    [[nodiscard]] std::optional<bool> yes_or_no(std::string_view key) const {
        const auto* const value = object_.if_contains(key);
        if (value == nullptr || !value->is_bool()) return std::nullopt;
        return value->get_bool();
    }
    /// 1 or more; 0 when it is anything else.
    [[nodiscard]] std::int64_t count(std::string_view key) const {
        const auto* const value = object_.if_contains(key);
        if (value == nullptr || !value->is_int64() || value->get_int64() < 1) return 0;
        return value->get_int64();
    }
    template <std::size_t size>
    [[nodiscard]] std::expected<std::array<std::uint8_t, size>, Refused> hex(
        std::string_view key) const {
        const auto bytes = platform::from_hex<size>(text(key));
        if (!bytes) return wrong(key, fmt::format("{} hex digits", size * 2));
        return *bytes;
    }
    [[nodiscard]] std::unexpected<Refused> wrong(std::string_view key,
                                                 std::string_view expected) const {
        return refuse(RegisterRefusal::line_malformed,
                      fmt::format("line {}: {}: {} expected", line_, key, expected));
    }
    [[nodiscard]] std::expected<void, Refused> check(const City& city) const {
        const bool rehearsal = city.mark == protocol::Mark::rehearsal;
        const auto mark = text("mark");
        if (mark != "live" && mark != "rehearsal") return wrong("mark", "live or rehearsal");
        if ((mark == "rehearsal") != rehearsal) {
            return refuse(RegisterRefusal::mark_mismatch, fmt::format("line {}", line_));
        }
        if (text("city") != fmt::format("{:04X}", city.code.value())) {
            return refuse(RegisterRefusal::city_mismatch,
                          fmt::format("line {}: city {}", line_, text("city")));
        }
        return {};
    }

private:
    const json::object& object_;
    std::size_t line_;
};

std::expected<Line, Refused> operator_line(const Fields& fields) {
    ONECARD_TRY(id, fields.hex<8>("operator"));
    return store::OperatorRow{protocol::OperatorId{id}, std::string{fields.text("name")}};
}

// deployment.json of a terminal, docs/keys.md, 3.
std::expected<Line, Refused> device_line(const Fields& fields) {
    ONECARD_TRY(operator_id, fields.hex<8>("organisation"));
    ONECARD_TRY(device, fields.hex<8>("unit"));
    ONECARD_TRY(key, fields.hex<64>("batch_key"));
    return store::DeviceRow{protocol::DeviceId{device}, protocol::OperatorId{operator_id}, key};
}

std::expected<Line, Refused> sam_line(const Fields& fields) {
    ONECARD_TRY(terminal, fields.hex<6>("terminal"));
    ONECARD_TRY(number, fields.hex<10>("number"));
    ONECARD_TRY(operator_id, fields.hex<8>("operator"));
    const auto time = [&](std::string_view key) -> std::optional<protocol::DateTime> {
        return parse_date_time(fields.text(key));
    };
    for (const std::string_view key : {"from", "until"}) {
        if (!fields.text(key).empty() && !time(key)) return fields.wrong(key, "YYYYMMDDhhmmss");
    }
    return store::SamRow{protocol::TerminalNumber{terminal}, protocol::SamNumber{number},
                         protocol::OperatorId{operator_id},
                         time("from").value_or(protocol::DateTime{}), time("until")};
}

std::expected<Line, Refused> card_line(const Fields& fields, const City& city) {
    ONECARD_TRY(number, fields.hex<10>("number"));
    ONECARD_TRY(issuer, fields.hex<8>("issuer"));
    if (!protocol::is_bcd(number)) return fields.wrong("number", "20 decimal digits");
    if (protocol::IssuerId{issuer} != city.issuer) {
        return refuse(RegisterRefusal::city_mismatch, "the card's issuer is not this city's");
    }
    return store::CardRow{protocol::CardNumber{number}, protocol::IssuerId{issuer}, {}};
}

// docs/issuing.md, 2. Reason and time only when it is listed.
std::expected<Line, Refused> hot_line(const Fields& fields) {
    const auto what = fields.text("what");
    if (what != "card" && what != "sam") return fields.wrong("what", "card or sam");
    ONECARD_TRY(number, fields.hex<10>("number"));
    const auto listed = fields.yes_or_no("listed");
    if (!listed) return fields.wrong("listed", "true or false");
    const std::int64_t line = fields.count("line");
    if (line == 0) return fields.wrong("line", "the registry's line number");
    const auto kind = what == "card" ? protocol::HotKind::card : protocol::HotKind::sam;
    if (!*listed) return store::NoticeRow{kind, number, {}, line};
    const auto reason = parse_hot_reason(fields.text("reason"));
    if (!reason) return fields.wrong("reason", "lost, stolen, returned, fraud or expired");
    const auto since = parse_date_time(fields.text("since"));
    if (!since) return fields.wrong("since", "YYYYMMDDhhmmss");
    return store::NoticeRow{kind, number, protocol::HotEntry{kind, number, *reason, *since}, line};
}

std::expected<Line, Refused> parse_line(std::string_view text, std::size_t line, const City& city,
                                        RegisterSource source) {
    boost::system::error_code error;
    const json::value value = json::parse(text, error);
    if (error || !value.is_object()) {
        return refuse(RegisterRefusal::line_malformed,
                      fmt::format("line {}: a JSON object expected", line));
    }
    const Fields fields{value.get_object(), line};
    ONECARD_CHECK(fields.check(city));
    if (fields.text("kind") == "sam") return sam_line(fields);
    if (fields.text("kind") == "card") return card_line(fields, city);
    if (fields.text("kind") == "hot") return hot_line(fields);
    if (source == RegisterSource::issuer) return fields.wrong("kind", "sam, card or hot");
    if (fields.text("kind") == "operator") return operator_line(fields);
    if (fields.text("role") == "terminal") return device_line(fields);
    return fields.wrong("kind", "operator, sam, card or hot (or role: terminal)");
}

std::expected<std::vector<Line>, Refused> parse_all(std::string_view text, const City& city,
                                                    RegisterSource source) {
    std::vector<Line> out;
    if (auto whole = parse_line(text, 1, city, source);
        whole || whole.error().why != RegisterRefusal::line_malformed) {
        if (!whole) return std::unexpected{whole.error()};
        out.push_back(std::move(*whole));
        return out;
    }
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
        ONECARD_TRY(row, parse_line(line, number, city, source));
        out.push_back(std::move(row));
    }
    return out;
}

void ensure_operator(store::Store& store, const protocol::OperatorId& id) {
    const auto known = store.operators();
    if (std::ranges::find(known, id, &store::OperatorRow::id) == known.end()) {
        store.put_operator({id, ""});
    }
}

// Operators come first in no file: a device or SAM brings its own.
struct Keep {
    store::Store& store;
    RegisterCounts& counts;
    void operator()(const store::OperatorRow& row) const {
        store.put_operator(row);
        ++counts.operators;
    }
    void operator()(const store::DeviceRow& row) const {
        ensure_operator(store, row.operator_id);
        store.put_device(row);
        ++counts.devices;
    }
    void operator()(const store::SamRow& row) const {
        ensure_operator(store, row.operator_id);
        store.put_sam(row);
        ++counts.sams;
    }
    void operator()(const store::CardRow& row) const {
        ++(store.insert_card(row) ? counts.cards : counts.unchanged);
    }
    void operator()(const store::NoticeRow& row) const {
        ++(hot_list::take_notice(store, row) ? counts.hot : counts.unchanged);
    }
};

}  // namespace

const char* name(RegisterRefusal refusal) {
    switch (refusal) {
        case RegisterRefusal::line_malformed: return "line_malformed";
        case RegisterRefusal::mark_mismatch: return "mark_mismatch";
        case RegisterRefusal::city_mismatch: return "city_mismatch";
        case RegisterRefusal::hot_list_failed: return "hot_list_failed";
        case RegisterRefusal::store_failed: return "store_failed";
    }
    return "unknown";
}

std::expected<RegisterCounts, RegisterFailure> import_register(store::Store& store,
                                                               const City& city, const Keys& keys,
                                                               const protocol::DateTime& now,
                                                               std::string_view text,
                                                               RegisterSource source) {
    ONECARD_TRY(lines, parse_all(text, city, source));
    return store::decide_in_transaction<RegisterCounts, Refused>(
        store, RegisterRefusal::store_failed,
        [&]() -> std::expected<RegisterCounts, RegisterFailure> {
            RegisterCounts counts;
            for (const Line& line : lines) std::visit(Keep{store, counts}, line);
            if (counts.hot == 0) return counts;
            const auto list = hot_list::publish_waiting_sams(store, city, keys, now);
            if (!list) {
                return refuse(
                    RegisterRefusal::hot_list_failed,
                    fmt::format("{}: {}", hot_list::name(list.error().why), list.error().detail));
            }
            if (*list) counts.hot_list = (*list)->sequence;
            return counts;
        });
}

}  // namespace host
