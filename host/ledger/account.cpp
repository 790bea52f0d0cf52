#include "host/ledger/account.hpp"

#include <charconv>

#include <fmt/format.h>

#include "protocol/bytes.hpp"

namespace host::ledger {

Participant Participant::of(const protocol::OperatorId& operator_id) {
    return {Kind::transit_operator,
            protocol::read_big_endian(std::span<const std::uint8_t, 8>{operator_id.value()})};
}

std::optional<Participant> Participant::parse(std::string_view text) {
    const auto digits = [&](std::string_view prefix,
                            std::size_t size) -> std::optional<std::uint64_t> {
        if (!text.starts_with(prefix) || text.size() != prefix.size() + size) return std::nullopt;
        const std::string_view number = text.substr(prefix.size());
        std::uint64_t value = 0;
        const auto [end, error] =
            std::from_chars(number.data(), number.data() + number.size(), value, 16);
        if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
        return value;
    };
    if (const auto city = digits("city/", 4)) return Participant{Kind::city, *city};
    if (const auto who = digits("operator/", 16)) return Participant{Kind::transit_operator, *who};
    return std::nullopt;
}

std::string Participant::text() const {
    return is_city() ? fmt::format("city/{:04X}", digits_)
                     : fmt::format("operator/{:016X}", digits_);
}

std::string_view name(Purpose purpose) {
    switch (purpose) {
        case Purpose::stored_value: return "stored_value";
        case Purpose::load_pending: return "load_pending";
        case Purpose::kiosk_cash: return "kiosk_cash";
        case Purpose::payable: return "payable";
        case Purpose::due_to: return "due_to";
        case Purpose::due_from: return "due_from";
        case Purpose::dispute: return "dispute";
        case Purpose::returned: return "returned";
        case Purpose::netting: return "netting";
        case Purpose::bank: return "bank";
    }
    return "unknown";
}

std::optional<Purpose> parse_purpose(std::uint8_t number) {
    if (number < 1 || number > 10) return std::nullopt;
    return static_cast<Purpose>(number);
}

std::string Account::text() const {
    return fmt::format("{}:{}", name(purpose), participant.text());
}

}  // namespace host::ledger
