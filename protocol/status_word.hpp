#pragma once
#include <cstdint>
#include <expected>

namespace protocol {

/// SW1-SW2. ISO/IEC 7816-4:2005, 5.1.3, tables 5 and 6; 93xx and 94xx: PBOC purse, domain.md 1.7.
/// 61xx, 63Cx and 6Cxx carry a number: see the functions below.
enum class StatusWord : std::uint16_t {
    ok = 0x9000,
    file_invalidated = 0x6283,
    memory_failure = 0x6581,
    wrong_length = 0x6700,
    channel_not_supported = 0x6881,
    secure_messaging_not_supported = 0x6882,
    command_not_allowed_in_state = 0x6901,
    incompatible_file = 0x6981,
    security_status_not_satisfied = 0x6982,
    authentication_blocked = 0x6983,
    no_challenge = 0x6984,
    conditions_not_satisfied = 0x6985,
    no_current_file = 0x6986,
    secure_messaging_missing = 0x6987,
    secure_messaging_wrong = 0x6988,
    incorrect_data = 0x6A80,
    function_not_supported = 0x6A81,  ///< also: application or card blocked
    file_not_found = 0x6A82,
    record_not_found = 0x6A83,
    not_enough_memory = 0x6A84,
    incorrect_p1_p2 = 0x6A86,
    referenced_data_not_found = 0x6A88,
    file_already_exists = 0x6A89,
    wrong_offset = 0x6B00,
    instruction_not_supported = 0x6D00,
    class_not_supported = 0x6E00,
    no_precise_diagnosis = 0x6F00,
    mac_wrong = 0x9302,
    application_permanently_blocked = 0x9303,
    insufficient_balance = 0x9401,
    counter_exhausted = 0x9402,
    key_index_not_supported = 0x9403,
    proof_not_available = 0x9406,
    capp_application_locked = 0x9407,
    grey_locked = 0x9408,
};

[[nodiscard]] constexpr StatusWord tries_left(unsigned tries) {  // 63Cx
    return static_cast<StatusWord>(0x63C0 | (tries & 0x0F));
}
[[nodiscard]] constexpr StatusWord correct_le(unsigned le) {  // 6Cxx
    return static_cast<StatusWord>(0x6C00 | (le & 0xFF));
}
[[nodiscard]] constexpr StatusWord bytes_available(unsigned count) {  // 61xx
    return static_cast<StatusWord>(0x6100 | (count & 0xFF));
}

/// A card's answer where it can refuse.
template <class T>
using Outcome = std::expected<T, StatusWord>;
[[nodiscard]] constexpr std::unexpected<StatusWord> fail(StatusWord why) {
    return std::unexpected<StatusWord>{why};
}

}  // namespace protocol
