#pragma once
// Secret bytes whose number is known only at run time: a key out of a key block, a typed component.
#include <vector>

#include "crypto/core/secret.hpp"

namespace crypto::keys {

/// Wipes itself; moves, never copies by accident.
class SecretBuffer {
public:
    SecretBuffer() = default;
    explicit SecretBuffer(std::size_t size) : bytes_(size) {}
    explicit SecretBuffer(Bytes from) : bytes_(from.begin(), from.end()) {}
    SecretBuffer(SecretBuffer&& other) noexcept : bytes_{std::move(other.bytes_)} {}
    SecretBuffer& operator=(SecretBuffer&& other) noexcept {
        if (this != &other) {
            wipe(bytes_);
            bytes_ = std::move(other.bytes_);
            other.bytes_.clear();
        }
        return *this;
    }
    SecretBuffer(const SecretBuffer&) = delete;
    SecretBuffer& operator=(const SecretBuffer&) = delete;
    ~SecretBuffer() { wipe(bytes_); }

    [[nodiscard]] MutableBytes bytes() { return bytes_; }
    [[nodiscard]] Bytes bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    /// A second copy, on purpose.
    [[nodiscard]] SecretBuffer duplicate() const { return SecretBuffer{bytes()}; }

private:
    std::vector<std::uint8_t> bytes_;
};

}  // namespace crypto::keys
