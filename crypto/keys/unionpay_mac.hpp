#pragma once
// The MAC of UnionPay terminals' messages (field 64 of the POS specification, "ECB" algorithm).
#include "crypto/core/secret.hpp"

namespace crypto::keys {

/// All eight-byte blocks XORed (the last filled with zeros); the sum's sixteen hex characters; the
/// first eight under E, XOR the other eight, under E again; the result's first eight hex
/// characters. `key` has 8 bytes (DES) or 16 (3DES).
[[nodiscard]] std::array<std::uint8_t, 8> unionpay_mac(Bytes key, Bytes message);

}  // namespace crypto::keys
