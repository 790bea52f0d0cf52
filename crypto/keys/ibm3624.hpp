#pragma once
// The IBM 3624 method: a PIN, or the offset to one a customer chose, from an account's validation
// data under a PIN verification key. IBM's published algorithm, as payment HSMs do it.
#include <expected>
#include <string_view>

#include "crypto/keys/secret_buffer.hpp"

namespace crypto::keys {

enum class Ibm3624Error : std::uint8_t {
    key_wrong,     ///< not 16 or 24 bytes of 3DES
    table_wrong,   ///< the decimalisation table is not 16 decimal digits
    offset_wrong,  ///< not 4 to 12 decimal digits
};
[[nodiscard]] const char* name(Ibm3624Error error);

/// `validation` is 16 hex digits' bytes (usually the account number), `offset` as long as the PIN;
/// zeros: the natural PIN. The answer is characters.
[[nodiscard]] std::expected<SecretBuffer, Ibm3624Error> ibm3624_pin(
    Bytes key, const std::array<std::uint8_t, 8>& validation, std::string_view table,
    std::string_view offset);

}  // namespace crypto::keys
