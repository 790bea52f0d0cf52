#pragma once
// A payment scheme's public key as terminals load it: EMV 4.4 Book 2, 11.2.2, in the TLV record
// that Chinese acquirers download. docs/card_certificates.md, 2.
#include <expected>

#include "crypto/keys/rsa_key.hpp"
#include "protocol/date_time.hpp"

namespace crypto::keys {

struct SchemeKey {
    std::array<std::uint8_t, 5> rid{};
    std::uint8_t index = 0;
    protocol::Date expiry;  ///< the last day
    RsaPublicKey key;
};

/// In the order of the checks.
enum class SchemeKeyError : std::uint8_t {
    malformed,          ///< no TLV, a field missing, repeated, foreign or of a wrong length
    wrong_expiry,       ///< no day
    unknown_algorithm,  ///< not SHA-1 (01) with RSA (01)
    wrong_length,       ///< a modulus outside 64..248 bytes, a leading zero, or even
    wrong_exponent,     ///< not 3 or 65537
    checksum_mismatch,
};
[[nodiscard]] const char* name(SchemeKeyError error);

/// SHA-1 over RID, index, modulus and exponent: 11.2.2.
[[nodiscard]] std::array<std::uint8_t, 20> checksum(const SchemeKey& key);
[[nodiscard]] std::expected<SchemeKey, SchemeKeyError> read_scheme_key(Bytes record);
/// Refuses what reading would.
[[nodiscard]] std::expected<std::vector<std::uint8_t>, SchemeKeyError> write_scheme_key(
    const SchemeKey& key);

}  // namespace crypto::keys
