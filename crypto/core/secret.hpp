#pragma once
// Secrets: bytes that wipe themselves, a wipe the compiler may not drop, a comparison whose time
// says nothing.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/bytes.hpp"

namespace crypto {

using protocol::Bytes;
using protocol::MutableBytes;

/// Overwrites with zeros. The barrier tells the compiler that someone reads them afterwards.
inline void wipe(MutableBytes bytes) {
    for (std::uint8_t& byte : bytes) byte = 0;
    __asm__ volatile("" : : "r"(bytes.data()) : "memory");
}

/// Wipes the storage of a plain object that held a secret: a round key, a chaining value.
template <class Plain>
    requires std::is_trivially_copyable_v<Plain>
void wipe_object(Plain& object) {
    wipe({reinterpret_cast<std::uint8_t*>(&object), sizeof object});  // its bytes, [basic.lval]/11
}

/// The same time for every content. Sizes are public: different sizes are unequal at once.
[[nodiscard]] inline bool equal_constant_time(Bytes a, Bytes b) {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference |= static_cast<unsigned>(a[i] ^ b[i]);
        __asm__ volatile("" : "+r"(difference));  // no early exit can be invented
    }
    return difference == 0;
}

/// `size` secret bytes. Cannot be copied by accident or printed; moving wipes what it leaves
/// behind.
template <std::size_t size_>
class SecretBytes {
public:
    static constexpr std::size_t size = size_;

    SecretBytes() = default;
    explicit SecretBytes(std::span<const std::uint8_t, size> from) {
        std::ranges::copy(from, bytes_.begin());
    }
    SecretBytes(SecretBytes&& other) noexcept : bytes_{other.bytes_} { wipe(other.bytes_); }
    SecretBytes& operator=(SecretBytes&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            wipe(other.bytes_);
        }
        return *this;
    }
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes() { wipe(bytes_); }

    [[nodiscard]] std::span<std::uint8_t, size> bytes() { return bytes_; }
    [[nodiscard]] std::span<const std::uint8_t, size> bytes() const { return bytes_; }
    /// A second copy, on purpose.
    [[nodiscard]] SecretBytes duplicate() const { return SecretBytes{bytes()}; }

private:
    std::array<std::uint8_t, size> bytes_{};
};

}  // namespace crypto
