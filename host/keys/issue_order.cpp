#include "host/keys/issue_order.hpp"

#include <map>
#include <optional>
#include <set>

#include "platform/mask.hpp"

namespace host::keys {
namespace {

constexpr std::array<std::string_view, 12> columns{
    "kind",          "number", "suite", "valid_from", "valid_to", "holder",
    "interoperable", "state",  "pin",   "terminal",   "operator", "replaces"};
constexpr std::array holders{protocol::CardKind::ordinary, protocol::CardKind::student,
                             protocol::CardKind::elder, protocol::CardKind::test,
                             protocol::CardKind::military};
constexpr std::size_t pin_digits_min = 4;
constexpr std::size_t pin_digits_max = 12;

/// At most one cell more than there are columns: a line of a gigabyte of commas is no header.
std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> cells;
    while (cells.size() <= columns.size()) {
        const std::size_t comma = line.find(',');
        cells.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) break;
        line.remove_prefix(comma + 1);
    }
    return cells;
}

/// What a refusal may repeat: no control characters, no bytes of another alphabet, not much.
std::string shown(std::string_view cell) {
    constexpr std::size_t shown_size_max = 40;
    std::string out{cell.substr(0, shown_size_max)};
    std::ranges::replace_if(out, [](char c) { return c < 0x20 || c >= 0x7F; }, '?');
    return out;
}

/// One line with its place, for refusals.
class Line {
public:
    Line(const std::string& file, std::size_t number,
         const std::map<std::string_view, std::size_t>& places,
         const std::vector<std::string_view>& cells)
        : file_{file}, number_{number}, places_{places}, cells_{cells} {}

    [[nodiscard]] std::string_view cell(std::string_view column) const {
        const auto place = places_.find(column);
        return place == places_.end() ? std::string_view{} : cells_[place->second];
    }
    [[nodiscard]] std::unexpected<Refusal> wrong(std::string_view column, std::string what) const {
        return refuse(RefusalKind::input_wrong, file_ + ":" + std::to_string(number_) + ": " +
                                                    std::string{column} + ": " + std::move(what));
    }

    template <std::size_t size>
    [[nodiscard]] Result<std::array<std::uint8_t, size>> hex(std::string_view column) const {
        const auto bytes = platform::from_hex<size>(cell(column));
        if (!bytes) return wrong(column, std::to_string(size * 2) + " hex digits expected");
        return *bytes;
    }
    template <std::size_t size>
    [[nodiscard]] Result<std::array<std::uint8_t, size>> digits(std::string_view column) const {
        ONECARD_TRY(bytes, hex<size>(column));
        if (!protocol::is_bcd(bytes)) {
            return wrong(column, std::to_string(size * 2) + " decimal digits expected");
        }
        return bytes;
    }
    /// Nothing when the cell is empty.
    template <class Number>
    [[nodiscard]] Result<std::optional<Number>> replaces(const Number& self) const {
        if (cell("replaces").empty()) return std::nullopt;
        ONECARD_TRY(bytes, digits<10>("replaces"));
        if (Number{bytes} == self) return wrong("replaces", "another number expected");
        return Number{bytes};
    }
    [[nodiscard]] Result<protocol::Date> date(std::string_view column) const {
        ONECARD_TRY(bcd, digits<4>(column));
        const auto parsed = protocol::Date::parse(bcd);
        if (!parsed) return wrong(column, "no such date (YYYYMMDD)");
        return *parsed;
    }
    [[nodiscard]] Result<bool> either(std::string_view column, std::string_view yes,
                                      std::string_view no) const {
        if (cell(column) == yes) return true;
        if (cell(column) == no) return false;
        return wrong(column, std::string{yes} + " or " + std::string{no} + " expected");
    }
    [[nodiscard]] Result<void> empty(std::initializer_list<std::string_view> names,
                                     const char* kind) const {
        for (const std::string_view column : names) {
            if (!cell(column).empty()) {
                return wrong(column, std::string{"must be empty for a "} + kind);
            }
        }
        return {};
    }

private:
    const std::string& file_;
    std::size_t number_;
    const std::map<std::string_view, std::size_t>& places_;
    const std::vector<std::string_view>& cells_;
};

Result<protocol::Suite> parse_suite(const Line& line) {
    ONECARD_TRY(is_sm4, line.either("suite", "sm4", "3des"));
    return is_sm4 ? protocol::Suite::sm4 : protocol::Suite::triple_des;
}

Result<std::string> parse_pin(const Line& line) {
    const std::string_view pin = line.cell("pin");
    const bool right =
        pin.empty() || (pin.size() >= pin_digits_min && pin.size() <= pin_digits_max &&
                        pin.find_first_not_of("0123456789") == std::string_view::npos);
    if (!right) return line.wrong("pin", "4..12 digits, or nothing");  // never what it was
    return std::string{pin};
}

Result<IssueOrder> parse_card(const Line& line) {
    ONECARD_CHECK(line.empty({"terminal", "operator"}, "card"));
    CardOrder order;
    ONECARD_TRY(number, line.digits<10>("number"));
    if (number[0] >> 4 != 0) return line.wrong("number", "the first of the 20 digits is 0");
    ONECARD_TRY(suite, parse_suite(line));
    ONECARD_TRY(from, line.date("valid_from"));
    ONECARD_TRY(to, line.date("valid_to"));
    if (to < from) return line.wrong("valid_to", "before valid_from");
    const auto* const holder = std::ranges::find_if(
        holders, [&](protocol::CardKind kind) { return line.cell("holder") == word(kind); });
    if (holder == holders.end()) {
        return line.wrong("holder", "ordinary, student, elder, test or military expected");
    }
    ONECARD_TRY(interoperable, line.either("interoperable", "yes", "no"));
    ONECARD_TRY(enabled, line.either("state", "enabled", "not_started"));
    ONECARD_TRY(pin, parse_pin(line));
    ONECARD_TRY(replaces, line.replaces(protocol::CardNumber{number}));
    return CardOrder{protocol::CardNumber{number},
                     suite,
                     from,
                     to,
                     *holder,
                     interoperable,
                     enabled,
                     std::move(pin),
                     replaces};
}

Result<IssueOrder> parse_sam(const Line& line) {
    ONECARD_CHECK(line.empty({"holder", "interoperable", "state", "pin"}, "sam"));
    ONECARD_TRY(number, line.digits<10>("number"));
    ONECARD_TRY(suite, parse_suite(line));
    ONECARD_TRY(from, line.date("valid_from"));
    ONECARD_TRY(to, line.date("valid_to"));
    if (to < from) return line.wrong("valid_to", "before valid_from");
    ONECARD_TRY(terminal, line.hex<6>("terminal"));
    ONECARD_TRY(operator_id, line.hex<8>("operator"));
    ONECARD_TRY(replaces, line.replaces(protocol::SamNumber{number}));
    return SamOrder{
        protocol::SamNumber{number},       suite,   from, to, protocol::TerminalNumber{terminal},
        protocol::OperatorId{operator_id}, replaces};
}

Result<IssueOrder> parse_line(const Line& line) {
    if (line.cell("kind") == "card") return parse_card(line);
    if (line.cell("kind") == "sam") return parse_sam(line);
    return line.wrong("kind", "card or sam expected");
}

Result<std::map<std::string_view, std::size_t>> parse_header(std::string_view header,
                                                             const std::string& file) {
    std::map<std::string_view, std::size_t> places;
    for (const std::string_view cell : split(header)) {
        const std::string at = file + ":1: " + shown(cell) + ": ";
        if (std::ranges::find(columns, cell) == columns.end()) {
            return refuse(RefusalKind::input_wrong, at + "no such column");
        }
        if (!places.emplace(cell, places.size()).second) {
            return refuse(RefusalKind::input_wrong, at + "column given twice");
        }
    }
    return places;
}

struct CsvWriter {
    std::string operator()(const CardOrder& card) const {
        return std::string{"card,"} + platform::to_hex(card.number.value()) + "," +
               word(card.suite) + "," + platform::to_hex(card.valid_from.bcd()) + "," +
               platform::to_hex(card.valid_to.bcd()) + "," + word(card.holder) + "," +
               (card.interoperable ? "yes" : "no") + "," +
               (card.enabled ? "enabled" : "not_started") + "," + card.pin + ",,," +
               (card.replaces ? platform::to_hex(card.replaces->value()) : "");
    }
    std::string operator()(const SamOrder& sam) const {
        return std::string{"sam,"} + platform::to_hex(sam.number.value()) + "," + word(sam.suite) +
               "," + platform::to_hex(sam.valid_from.bcd()) + "," +
               platform::to_hex(sam.valid_to.bcd()) + ",,,,," +
               platform::to_hex(sam.terminal.value()) + "," +
               platform::to_hex(sam.operator_id.value()) + "," +
               (sam.replaces ? platform::to_hex(sam.replaces->value()) : "");
    }
};

}  // namespace

const std::string_view order_header =
    "kind,number,suite,valid_from,valid_to,holder,interoperable,state,pin,terminal,operator,"
    "replaces";

ChipKind kind_of(const IssueOrder& order) {
    return std::holds_alternative<CardOrder>(order) ? ChipKind::card : ChipKind::sam;
}
const std::array<std::uint8_t, 10>& number_of(const IssueOrder& order) {
    if (const auto* card = std::get_if<CardOrder>(&order)) return card->number.value();
    return std::get<SamOrder>(order).number.value();
}
std::optional<std::array<std::uint8_t, 10>> replaces_of(const IssueOrder& order) {
    const auto number = [](const auto& chip) -> std::optional<std::array<std::uint8_t, 10>> {
        if (!chip.replaces) return std::nullopt;
        return chip.replaces->value();
    };
    return std::visit(number, order);
}
protocol::Suite suite_of(const IssueOrder& order) {
    return std::visit([](const auto& chip) { return chip.suite; }, order);
}

const char* word(protocol::CardKind holder) {
    switch (holder) {
        case protocol::CardKind::ordinary: return "ordinary";
        case protocol::CardKind::student: return "student";
        case protocol::CardKind::elder: return "elder";
        case protocol::CardKind::test: return "test";
        case protocol::CardKind::military: return "military";
    }
    return "unknown";
}

std::string to_csv(const IssueOrder& order) {
    return std::visit(CsvWriter{}, order);
}

Result<std::vector<IssueOrder>> parse_orders(std::string_view csv, const std::string& file,
                                             std::size_t count_max) {
    constexpr std::string_view byte_order_mark{"\xEF\xBB\xBF"};  // RFC 3629, 6
    if (csv.starts_with(byte_order_mark)) csv.remove_prefix(byte_order_mark.size());
    std::vector<IssueOrder> orders;
    std::set<std::pair<ChipKind, std::array<std::uint8_t, 10>>> numbers;
    std::map<std::string_view, std::size_t> places;
    for (std::size_t number = 1; !csv.empty(); ++number) {
        std::string_view line = csv.substr(0, csv.find('\n'));
        csv.remove_prefix(std::min(line.size() + 1, csv.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (number == 1) {
            ONECARD_TRY(header, parse_header(line, file));
            places = std::move(header);
            continue;
        }
        if (line.empty()) continue;
        const auto cells = split(line);
        const std::string at = file + ":" + std::to_string(number) + ": ";
        if (cells.size() != places.size()) {
            return refuse(RefusalKind::input_wrong,
                          at + std::to_string(places.size()) + " columns expected, " +
                              std::to_string(cells.size()) +
                              (cells.size() > columns.size() ? " or more" : "") + " found");
        }
        ONECARD_TRY(order, parse_line(Line{file, number, places, cells}));
        if (!numbers.emplace(kind_of(order), number_of(order)).second) {
            return refuse(RefusalKind::input_wrong, at + "number: given twice in this file");
        }
        if (orders.size() == count_max) {
            return refuse(RefusalKind::input_wrong, at + "too many lines");
        }
        orders.push_back(std::move(order));
    }
    return orders;
}

}  // namespace host::keys
