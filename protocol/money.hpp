#pragma once
// Whole fen. Never floating point; arithmetic that does not fit is refused, never wrapped.
#include <compare>
#include <cstdint>
#include <optional>

namespace protocol {

/// An amount or balance as the card holds it: four bytes, unsigned.
class Money {
public:
    constexpr Money() = default;
    [[nodiscard]] static constexpr Money from_fen(std::uint32_t fen) { return Money{fen}; }
    [[nodiscard]] constexpr std::uint32_t fen() const { return fen_; }
    friend constexpr auto operator<=>(Money, Money) = default;

    /// Empty when the sum does not fit the card's four bytes.
    [[nodiscard]] friend constexpr std::optional<Money> add(Money a, Money b) {
        std::uint32_t sum = 0;
        if (__builtin_add_overflow(a.fen_, b.fen_, &sum)) return std::nullopt;
        return Money{sum};
    }
    /// Empty when b is more than a.
    [[nodiscard]] friend constexpr std::optional<Money> subtract(Money a, Money b) {
        if (b.fen_ > a.fen_) return std::nullopt;
        return Money{a.fen_ - b.fen_};
    }

private:
    explicit constexpr Money(std::uint32_t fen) : fen_{fen} {}
    std::uint32_t fen_ = 0;
};

/// A sum or position in the host: signed, 64 bits.
class Fen {
public:
    constexpr Fen() = default;
    explicit constexpr Fen(std::int64_t value) : value_{value} {}
    constexpr explicit Fen(Money money) : value_{money.fen()} {}
    [[nodiscard]] constexpr std::int64_t value() const { return value_; }
    friend constexpr auto operator<=>(Fen, Fen) = default;

    [[nodiscard]] friend constexpr std::optional<Fen> add(Fen a, Fen b) {
        std::int64_t sum = 0;
        if (__builtin_add_overflow(a.value_, b.value_, &sum)) return std::nullopt;
        return Fen{sum};
    }
    [[nodiscard]] friend constexpr std::optional<Fen> subtract(Fen a, Fen b) {
        std::int64_t difference = 0;
        if (__builtin_sub_overflow(a.value_, b.value_, &difference)) return std::nullopt;
        return Fen{difference};
    }

private:
    std::int64_t value_ = 0;
};

}  // namespace protocol
