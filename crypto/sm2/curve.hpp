#pragma once
// The recommended curve y^2 = x^3 + ax + b over GF(p), GB/T 32918.5-2017, clause 2 (a = p - 3,
// cofactor 1).
#include "crypto/sm2/number.hpp"

namespace crypto::sm2 {

struct AffinePoint {
    Number x, y;  // below p, not in Montgomery form
};

namespace curve {

inline constexpr Modulus p =
    modulus(number("FFFFFFFE FFFFFFFF FFFFFFFF FFFFFFFF FFFFFFFF 00000000 FFFFFFFF FFFFFFFF"));
inline constexpr Modulus n =
    modulus(number("FFFFFFFE FFFFFFFF FFFFFFFF FFFFFFFF 7203DF6B 21C6052B 53BBF409 39D54123"));
inline constexpr Number a =
    number("FFFFFFFE FFFFFFFF FFFFFFFF FFFFFFFF FFFFFFFF 00000000 FFFFFFFF FFFFFFFC");
inline constexpr Number b =
    number("28E9FA9E 9D9F5E34 4D5A9E4B CF6509A7 F39789F5 15AB8F92 DDBCBD41 4D940E93");
inline constexpr AffinePoint generator{
    number("32C4AE2C 1F198119 5F990446 6A39C994 8FE30BBF F2660BE1 715A4589 334C74C7"),
    number("BC3736A2 F4F6779C 59BDCEE3 6B692153 D0A9877C C62A4740 02DF32E5 2139F0A0")};

/// [2^128]G: ours, not the standard's; tests/crypto/sm2_openssl_test.cpp computes it with OpenSSL.
inline constexpr AffinePoint generator_2_128{
    number("B692E5B5 74D55DA9 3DB7B248 88C21F3A 2B2308F6 484E1B38 EAE3D9A9 D13A42ED"),
    number("A175051B 0F3FB613 5A924F85 544926F9 DB61AC17 73438E6D D186469D E295E5AB")};

}  // namespace curve
}  // namespace crypto::sm2
