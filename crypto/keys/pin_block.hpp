#pragma once
// PIN blocks: ISO 9564-1:2017, formats 0, 1, 2, 3 (9.3) and 4 (9.4). PINs are decimal digits, 4 to
// 12 of them; account numbers 12 to 19 digits, check digit included.
#include <expected>
#include <string_view>

#include "crypto/core/random.hpp"
#include "crypto/keys/secret_buffer.hpp"

namespace crypto::keys {

enum class PinFormat : std::uint8_t { f0 = 0, f1 = 1, f2 = 2, f3 = 3, f4 = 4 };

enum class PinBlockError : std::uint8_t {
    pin_wrong,     ///< not 4..12 digits
    pan_wrong,     ///< not digits; formats 0 and 3: 13..19; format 4: 1..19
    wrong_length,  ///< not 8 bytes; format 4: not 16
    wrong_format,  ///< the block begins with another format's digit
    pin_length,    ///< the block's length digit is not 4..12
    digits_wrong,  ///< a PIN digit above 9: another account number, another key
    filler_wrong,  ///< what follows the PIN is not the format's
    key_wrong,     ///< format 4: not an AES key
};
[[nodiscard]] const char* name(PinBlockError error);
template <class T>
using PinBlockResult = std::expected<T, PinBlockError>;

using PinBlock8 = SecretBytes<8>;
using PinBlock16 = SecretBytes<16>;

/// Formats 0 to 3, in clear. Formats 0 and 3 mix in the account number; 1 and 3 draw filler.
[[nodiscard]] PinBlockResult<PinBlock8> make_pin_block(PinFormat format, std::string_view pin,
                                                       std::string_view pan, Random& random);
/// The PIN's digits, as characters.
[[nodiscard]] PinBlockResult<SecretBuffer> read_pin_block(PinFormat format, Bytes block,
                                                          std::string_view pan);

/// Format 4's two fields, 9.4.2.2 and 9.4.2.3, and the block that AES makes of them, 9.4.2.4.
[[nodiscard]] PinBlockResult<PinBlock16> make_pin_field(std::string_view pin, Random& random);
[[nodiscard]] PinBlockResult<PinBlock16> make_pan_field(std::string_view pan);
[[nodiscard]] PinBlockResult<PinBlock16> encipher_pin_field(Bytes key, const PinBlock16& pin_field,
                                                            const PinBlock16& pan_field);
/// The digits of an enciphered format 4 block.
[[nodiscard]] PinBlockResult<SecretBuffer> read_format_4(Bytes key, Bytes block,
                                                         std::string_view pan);

}  // namespace crypto::keys
