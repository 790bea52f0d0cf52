#pragma once
// Builds a signed batch file. Pure: protocol/batch.hpp says the layout.
#include <optional>
#include <vector>

#include "crypto/core/sm2.hpp"
#include "protocol/batch.hpp"

namespace terminal {

/// Signs as this device. The real one holds the device's SM2 key.
class BatchSigner {
public:
    virtual ~BatchSigner() = default;
    /// Over `content` with the default id; nothing when the random source is broken.
    [[nodiscard]] virtual std::optional<protocol::Signature> sign(protocol::Bytes content) = 0;
};

/// `key` and `random` outlive it.
class Sm2Signer final : public BatchSigner {
public:
    Sm2Signer(const crypto::sm2::PrivateKey& key, crypto::Random& random)
        : key_{key}, random_{random} {}
    [[nodiscard]] std::optional<protocol::Signature> sign(protocol::Bytes content) override;

private:
    const crypto::sm2::PrivateKey& key_;
    crypto::Random& random_;
};

struct BatchFile {
    protocol::BatchHeader header;
    protocol::Digest digest{};  ///< SM3 of `bytes`, signature included: what the receipt must name
    std::vector<std::uint8_t> bytes;
};
/// `header.record_count` is filled in. Nothing when the signer failed.
[[nodiscard]] std::optional<BatchFile> write_batch(
    protocol::BatchHeader header, const std::vector<protocol::BatchRecord>& records,
    BatchSigner& signer);

}  // namespace terminal
