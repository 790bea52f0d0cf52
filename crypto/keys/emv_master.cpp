#include "crypto/keys/emv_master.hpp"

#include <string>
#include <vector>

#include "crypto/keys/sha.hpp"

namespace crypto::keys {
namespace {

constexpr std::size_t digit_count = 16;

bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::vector<std::uint8_t> packed(const std::string& digits) {
    std::vector<std::uint8_t> out(digits.size() / 2);
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>((digits[2 * i] - '0') << 4 | (digits[2 * i + 1] - '0'));
    }
    return out;
}

/// A1.4.2, step 2: the digest's decimal digits first; if they are fewer than 16, its letters too,
/// A as 0 to F as 5.
std::string decimalised(const Sha1Digest& digest) {
    std::string decimals;
    std::string letters;
    for (std::size_t i = 0; i < 2 * digest.size(); ++i) {
        const int nibble = i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 0x0F;
        auto& kind = nibble < 10 ? decimals : letters;
        kind += static_cast<char>('0' + (nibble < 10 ? nibble : nibble - 10));
    }
    return (decimals + letters).substr(0, digit_count);
}

}  // namespace

std::expected<purse::Factor, AccountError> emv_factor(MasterOption option, std::string_view pan,
                                                      std::string_view psn) {
    if (pan.empty() || pan.size() > 19 || !all_digits(pan)) {
        return std::unexpected{AccountError::pan_wrong};
    }
    if (psn.size() != 2 || !all_digits(psn)) return std::unexpected{AccountError::psn_wrong};
    std::string digits = std::string{pan} + std::string{psn};
    if (option == MasterOption::b && pan.size() > digit_count) {
        if (digits.size() % 2 != 0) digits.insert(0, "0");
        digits = decimalised(sha1(packed(digits)));
    }
    if (digits.size() < digit_count) digits.insert(0, digit_count - digits.size(), '0');
    const auto bytes = packed(digits.substr(digits.size() - digit_count));
    std::array<std::uint8_t, 8> factor{};
    std::ranges::copy(bytes, factor.begin());
    return purse::Factor{factor};
}

}  // namespace crypto::keys
