#pragma once
// Bytes, and the one cursor that owns every bounds check. No heap, no exceptions: the card uses
// these too.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

namespace protocol {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;

/// Why bytes were refused. Callers that know the place add it to their message.
enum class ParseError : std::uint8_t {
    truncated,        ///< fewer bytes than the format needs
    trailing_bytes,   ///< bytes after the end of the format
    wrong_length,     ///< a length field that disagrees with the format
    wrong_value,      ///< a field outside its domain
    wrong_magic,      ///< not this kind of object
    unknown_version,  ///< this kind of object, in a version we do not read
    not_bcd,          ///< a nibble above 9 in a decimal field
    not_a_date,       ///< a date or time that does not exist
    too_large,        ///< above a documented limit
    digest_mismatch,  ///< content and digest disagree
};

[[nodiscard]] constexpr const char* name(ParseError error) {
    switch (error) {
        case ParseError::truncated: return "truncated";
        case ParseError::trailing_bytes: return "trailing_bytes";
        case ParseError::wrong_length: return "wrong_length";
        case ParseError::wrong_value: return "wrong_value";
        case ParseError::wrong_magic: return "wrong_magic";
        case ParseError::unknown_version: return "unknown_version";
        case ParseError::not_bcd: return "not_bcd";
        case ParseError::not_a_date: return "not_a_date";
        case ParseError::too_large: return "too_large";
        case ParseError::digest_mismatch: return "digest_mismatch";
    }
    return "unknown";
}

template <class T>
using Parsed = std::expected<T, ParseError>;
[[nodiscard]] constexpr std::unexpected<ParseError> refuse(ParseError why) {
    return std::unexpected<ParseError>{why};
}

/// Names the value of `expr` (any std::expected), or returns its error to the caller.
#define ONECARD_TRY(name, expr)                                \
    auto name##_or = (expr);                                   \
    if (!name##_or) return std::unexpected{name##_or.error()}; \
    auto& name = *name##_or

/// Returns the error of `expr` (an expected<void, E>) to the caller, if it has one.
#define ONECARD_CHECK(expr)                                          \
    do {                                                             \
        auto checked_or = (expr);                                    \
        if (!checked_or) return std::unexpected{checked_or.error()}; \
    } while (false)

template <std::size_t size>
[[nodiscard]] constexpr std::uint64_t read_big_endian(std::span<const std::uint8_t, size> bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes) value = value << 8 | byte;
    return value;
}

/// Reads from the front; each take checks and advances in one step. A failed take moves nothing.
class ByteReader {
public:
    explicit constexpr ByteReader(Bytes bytes) : rest_{bytes} {}

    [[nodiscard]] constexpr Parsed<Bytes> take(std::size_t count) {
        if (count > rest_.size()) return refuse(ParseError::truncated);
        const Bytes head = rest_.first(count);
        rest_ = rest_.subspan(count);
        return head;
    }
    template <std::size_t size>
    [[nodiscard]] constexpr Parsed<std::array<std::uint8_t, size>> take_array() {
        ONECARD_TRY(head, take(size));
        std::array<std::uint8_t, size> out{};
        std::ranges::copy(head, out.begin());
        return out;
    }
    [[nodiscard]] constexpr Parsed<std::uint8_t> take_u8() {
        ONECARD_TRY(head, take(1));
        return head[0];
    }
    [[nodiscard]] constexpr Parsed<std::uint16_t> take_u16() {
        return take_integer<std::uint16_t, 2>();
    }
    [[nodiscard]] constexpr Parsed<std::uint32_t> take_u24() {
        return take_integer<std::uint32_t, 3>();
    }
    [[nodiscard]] constexpr Parsed<std::uint32_t> take_u32() {
        return take_integer<std::uint32_t, 4>();
    }
    [[nodiscard]] constexpr Parsed<std::uint64_t> take_u64() {
        return take_integer<std::uint64_t, 8>();
    }

    [[nodiscard]] constexpr Bytes rest() const { return rest_; }
    [[nodiscard]] constexpr std::size_t size() const { return rest_.size(); }
    [[nodiscard]] constexpr bool empty() const { return rest_.empty(); }
    /// The last step of a parser whose format has an end.
    [[nodiscard]] constexpr Parsed<void> finish() const {
        if (!rest_.empty()) return refuse(ParseError::trailing_bytes);
        return {};
    }

private:
    template <class Integer, std::size_t size>
    [[nodiscard]] constexpr Parsed<Integer> take_integer() {
        ONECARD_TRY(head, take(size));
        return static_cast<Integer>(read_big_endian(head));
    }
    Bytes rest_;
};

/// Writes at the end of a caller's buffer. Overflow is remembered, never written: check `ok()` once
/// where the size depends on input; fixed layouts are sized by static_assert.
class ByteWriter {
public:
    explicit constexpr ByteWriter(MutableBytes buffer) : buffer_{buffer} {}

    constexpr ByteWriter& put(Bytes bytes) {
        if (!ok_ || bytes.size() > buffer_.size() - used_) {
            ok_ = false;
            return *this;
        }
        std::ranges::copy(bytes, buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ += bytes.size();
        return *this;
    }
    constexpr ByteWriter& put_u8(std::uint8_t value) { return put_integer<1>(value); }
    constexpr ByteWriter& put_u16(std::uint16_t value) { return put_integer<2>(value); }
    constexpr ByteWriter& put_u24(std::uint32_t value) { return put_integer<3>(value); }
    constexpr ByteWriter& put_u32(std::uint32_t value) { return put_integer<4>(value); }
    constexpr ByteWriter& put_u64(std::uint64_t value) { return put_integer<8>(value); }
    constexpr ByteWriter& fill(std::size_t count, std::uint8_t value = 0) {
        for (std::size_t i = 0; i < count && ok_; ++i) put_u8(value);
        return *this;
    }

    [[nodiscard]] constexpr bool ok() const { return ok_; }
    [[nodiscard]] constexpr std::size_t size() const { return used_; }
    [[nodiscard]] constexpr Bytes written() const { return buffer_.first(used_); }

private:
    template <std::size_t size>
    constexpr ByteWriter& put_integer(std::uint64_t value) {
        std::array<std::uint8_t, size> bytes{};
        for (std::size_t i = 0; i < size; ++i) {
            bytes[size - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
        }
        return put(bytes);
    }
    MutableBytes buffer_;
    std::size_t used_ = 0;
    bool ok_ = true;
};

/// A short byte string with its bytes inside: what a command builder returns without a heap.
template <std::size_t capacity>
class ByteBuffer {
public:
    [[nodiscard]] constexpr Bytes bytes() const { return Bytes{bytes_}.first(size_); }
    [[nodiscard]] constexpr std::size_t size() const { return size_; }
    constexpr operator Bytes() const { return bytes(); }  // NOLINT: it is the bytes
    /// Appends; what does not fit is refused whole.
    [[nodiscard]] constexpr bool append(Bytes more) {
        if (more.size() > capacity - size_) return false;
        std::ranges::copy(more, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
        size_ += more.size();
        return true;
    }
    constexpr void clear() { size_ = 0; }

private:
    std::array<std::uint8_t, capacity> bytes_{};
    std::size_t size_ = 0;
};

}  // namespace protocol
