#pragma once
// The same MACs by general libraries, one record at a time, used as well as their interfaces allow:
// ciphers fetched once, contexts kept, the issuer's key scheduled once.
#include <cstdint>
#include <span>
#include <string>

#include "crypto/batch/verifier.hpp"

namespace bench {

using Master = std::array<std::uint8_t, 16>;

/// Peers work on one issuer's records: `macs` as compute_tacs and compute_purchase_macs give them.
struct Peer {
    std::string name;
    void (*tacs)(protocol::Suite suite, const Master& master,
                 std::span<const crypto::batch::TacRecord> records, std::span<protocol::Mac> macs);
    void (*purchase_macs)(protocol::Suite suite, const Master& master,
                          std::span<const crypto::batch::PurchaseMacRecord> records,
                          std::span<protocol::Mac> macs);
    void (*sm3)(std::span<const std::uint8_t> records, std::size_t record_size,
                std::span<std::array<std::uint8_t, 32>> digests);
};

[[nodiscard]] Peer openssl_peer();
[[nodiscard]] Peer gcrypt_peer();

/// `text` and 80 00.. to a multiple of `block` bytes.
template <std::size_t padded>
std::array<std::uint8_t, padded> pad(std::span<const std::uint8_t> text) {
    std::array<std::uint8_t, padded> out{};
    std::copy(text.begin(), text.end(), out.begin());
    out[text.size()] = 0x80;
    return out;
}

/// F | ~F.
inline std::array<std::uint8_t, 16> factor_block(const std::array<std::uint8_t, 8>& factor) {
    std::array<std::uint8_t, 16> out{};
    for (std::size_t i = 0; i < 8; ++i) {
        out[i] = factor[i];
        out[8 + i] = static_cast<std::uint8_t>(~factor[i]);
    }
    return out;
}

}  // namespace bench
