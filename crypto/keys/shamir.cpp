#include "crypto/keys/shamir.hpp"

#include <bitset>

namespace crypto::keys {
namespace {

/// FIPS 197, 4.2: multiplication modulo x^8 + x^4 + x^3 + x + 1, eight steps whatever the operands.
std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
    unsigned product = 0;
    unsigned shifted = a;
    for (unsigned bit = 0; bit < 8; ++bit) {
        product ^= shifted & (0U - (static_cast<unsigned>(b) >> bit & 1U));
        shifted = (shifted << 1) ^ (0x11BU & (0U - (shifted >> 7 & 1U)));
    }
    return static_cast<std::uint8_t>(product);
}

/// a^254, which is 1/a. Of public values only: differences of indices.
std::uint8_t inverse(std::uint8_t a) {
    std::uint8_t result = 1;
    for (unsigned bit = 0; bit < 8; ++bit) {
        result = multiply(result, result);
        if ((254U >> (7 - bit) & 1U) != 0) result = multiply(result, a);
    }
    return result;
}

/// Lagrange's weight of share `at` for the value at 0.
std::uint8_t weight(std::span<const Share> shares, std::size_t at) {
    std::uint8_t result = 1;
    for (std::size_t other = 0; other < shares.size(); ++other) {
        if (other == at) continue;
        const std::uint8_t x = shares[other].index;
        const auto difference = static_cast<std::uint8_t>(x ^ shares[at].index);
        result = multiply(result, multiply(x, inverse(difference)));
    }
    return result;
}

}  // namespace

const char* name(ShamirError error) {
    switch (error) {
        case ShamirError::counts_wrong: return "counts_wrong";
        case ShamirError::index_wrong: return "index_wrong";
        case ShamirError::index_repeated: return "index_repeated";
        case ShamirError::share_sizes_differ: return "share_sizes_differ";
    }
    return "unknown";
}

std::expected<std::vector<Share>, ShamirError> split_secret(Bytes secret, unsigned quorum,
                                                            unsigned count, Random& random) {
    if (secret.empty() || quorum < 1 || quorum > count || count > share_count_max) {
        return std::unexpected{ShamirError::counts_wrong};
    }
    // Coefficients of x^1 .. x^(quorum-1), for every byte of the secret.
    SecretBuffer coefficients{secret.size() * (quorum - 1)};
    random.fill(coefficients.bytes());
    std::vector<Share> shares;
    for (unsigned i = 1; i <= count; ++i) {
        const auto x = static_cast<std::uint8_t>(i);
        Share share{x, SecretBuffer{secret.size()}};
        for (std::size_t byte = 0; byte < secret.size(); ++byte) {
            std::uint8_t value = 0;  // Horner, from the highest power down
            for (std::size_t power = quorum - 1; power > 0; --power) {
                const std::uint8_t c = coefficients.bytes()[(power - 1) * secret.size() + byte];
                value = multiply(static_cast<std::uint8_t>(value ^ c), x);
            }
            share.value.bytes()[byte] = static_cast<std::uint8_t>(value ^ secret[byte]);
        }
        shares.push_back(std::move(share));
    }
    return shares;
}

std::expected<SecretBuffer, ShamirError> join_secret(std::span<const Share> shares) {
    if (shares.empty() || shares.front().value.size() == 0) {
        return std::unexpected{ShamirError::counts_wrong};
    }
    std::bitset<share_count_max + 1> seen;
    for (const Share& share : shares) {
        if (share.index < 1 || share.index > share_count_max) {
            return std::unexpected{ShamirError::index_wrong};
        }
        if (seen[share.index]) return std::unexpected{ShamirError::index_repeated};
        seen[share.index] = true;
        if (share.value.size() != shares.front().value.size()) {
            return std::unexpected{ShamirError::share_sizes_differ};
        }
    }
    SecretBuffer secret{shares.front().value.size()};
    for (std::size_t at = 0; at < shares.size(); ++at) {
        const std::uint8_t factor = weight(shares, at);
        for (std::size_t byte = 0; byte < secret.size(); ++byte) {
            secret.bytes()[byte] ^= multiply(shares[at].value.bytes()[byte], factor);
        }
    }
    return secret;
}

}  // namespace crypto::keys
