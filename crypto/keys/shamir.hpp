#pragma once
// A secret in n shares, of which any k give it back and any k-1 say nothing about it. Shamir, "How
// to share a secret", CACM 22 (11), 1979; over GF(2^8) with the field of AES (FIPS 197, 4.2), byte
// by byte. No branch and no address depends on a secret.
#include <expected>

#include "crypto/core/random.hpp"
#include "crypto/keys/secret_buffer.hpp"

namespace crypto::keys {

constexpr unsigned share_count_max = 16;

/// One holder's point of the polynomials. `index` is public and never 0, where the secret lies.
struct Share {
    std::uint8_t index = 0;
    SecretBuffer value;  ///< as many bytes as the secret
};

enum class ShamirError : std::uint8_t {  // In the order they are checked.
    counts_wrong,                        ///< not 1 <= k <= n <= share_count_max, or an empty secret
    index_wrong,                         ///< a share with index 0 or above share_count_max
    index_repeated,                      ///< the same share twice
    share_sizes_differ,                  ///< shares of different secrets
};
[[nodiscard]] const char* name(ShamirError error);

/// Shares 1..n.
[[nodiscard]] std::expected<std::vector<Share>, ShamirError> split_secret(Bytes secret,
                                                                          unsigned quorum,
                                                                          unsigned count,
                                                                          Random& random);
/// The secret, when at least the quorum's number of shares is given. Fewer give other bytes:
/// nothing here can tell, so a caller authenticates what it got.
[[nodiscard]] std::expected<SecretBuffer, ShamirError> join_secret(std::span<const Share> shares);

}  // namespace crypto::keys
