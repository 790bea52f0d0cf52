#pragma once
// From an account number to the factor of its card's keys. EMV 4.4 Book 2, annex A1.4. The card's
// key is purse::diversify(issuer master, factor), both for 3DES and SM4.
#include <expected>
#include <string_view>

#include "crypto/purse/keys.hpp"

namespace crypto::keys {

enum class MasterOption : std::uint8_t {
    a,  ///< A1.4.1: the right 16 digits of PAN | PSN
    b,  ///< A1.4.2: above 16 digits, 16 digits out of SHA-1; else as option a
};
enum class AccountError : std::uint8_t {
    pan_wrong,  ///< not 1..19 digits
    psn_wrong,  ///< not two digits
};
[[nodiscard]] constexpr const char* name(AccountError error) {
    return error == AccountError::pan_wrong ? "1 to 19 digits expected" : "two digits expected";
}

/// `pan` and `psn` are decimal digits as printed; PSN 00 when a card has none.
[[nodiscard]] std::expected<purse::Factor, AccountError> emv_factor(MasterOption option,
                                                                    std::string_view pan,
                                                                    std::string_view psn);

}  // namespace crypto::keys
