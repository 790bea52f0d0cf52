#pragma once
// What the object store writes: units, checks, page headers. docs/card_storage.md, section 2.
// For the store's own files (and tests that damage its images); nobody else reads these bytes.
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "firmware/kernel/flash.hpp"
#include "protocol/bytes.hpp"

namespace firmware::log_format {

constexpr std::uint8_t version = 2;

// A page: six header units, then records. Section 2.1.
constexpr unsigned ready_mark_unit = 0;  ///< 2 units, programmed right after the page was erased
constexpr unsigned begun_unit = 2;       ///< zero before the opening mark is begun
constexpr unsigned open_mark_unit = 3;   ///< 2 units: sequence, page before, its end, check
constexpr unsigned leaving_unit = 5;     ///< zero before the opening is begun to be zeroed
constexpr unsigned first_record_unit = 6;
constexpr unsigned units_per_page = flash_model::units_per_page;

using Mark = std::array<std::uint8_t, 2 * flash_model::unit_size>;

constexpr FlashUnit erased_unit{0xFF, 0xFF, 0xFF, 0xFF};
constexpr FlashUnit zero_unit{};
constexpr Mark ready_mark{'O', 'C', version, 0x80 ^ version, 0x5A, 0xA5, 0xC3, 0x3C};

/// CRC-8, polynomial 2F, preset and inverted: every pattern of up to three flipped bits in a
/// header. A byte at a time: mounting decodes every header of the log.
inline constexpr std::array<std::uint8_t, 256> crc8_table = [] {
    std::array<std::uint8_t, 256> out{};
    for (unsigned i = 0; i < 256; ++i) {
        unsigned crc = i;
        for (int bit = 0; bit < 8; ++bit) crc = (crc << 1) ^ ((crc & 0x80) != 0 ? 0x12F : 0);
        out[i] = static_cast<std::uint8_t>(crc);
    }
    return out;
}();
[[nodiscard]] constexpr std::uint8_t crc8(protocol::Bytes bytes, std::uint8_t from = 0xFF) {
    unsigned crc = from;
    for (const std::uint8_t byte : bytes) crc = crc8_table[crc ^ byte];
    return static_cast<std::uint8_t>(~crc & 0xFF);
}

/// CRC-32 (IEEE 802.3), a nibble at a time.
class Crc32 {
public:
    constexpr void add(protocol::Bytes bytes) {
        for (const std::uint8_t byte : bytes) {
            state_ ^= byte;
            state_ = state_ >> 4 ^ table[state_ & 0x0F];
            state_ = state_ >> 4 ^ table[state_ & 0x0F];
        }
    }
    constexpr void add_u32(std::uint32_t value) {
        add(std::array{static_cast<std::uint8_t>(value >> 24),
                       static_cast<std::uint8_t>(value >> 16),
                       static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
    }
    [[nodiscard]] constexpr FlashUnit value() const {
        const std::uint32_t crc = ~state_;
        return {static_cast<std::uint8_t>(crc >> 24), static_cast<std::uint8_t>(crc >> 16),
                static_cast<std::uint8_t>(crc >> 8), static_cast<std::uint8_t>(crc)};
    }

private:
    static constexpr std::array<std::uint32_t, 16> table = [] {
        std::array<std::uint32_t, 16> out{};
        for (std::uint32_t i = 0; i < 16; ++i) {
            std::uint32_t crc = i;
            for (int bit = 0; bit < 4; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
            out[i] = crc;
        }
        return out;
    }();
    std::uint32_t state_ = 0xFFFFFFFF;
};

/// The check that ends a record: over its place and its units. Never FFFFFFFF, so that a check that
/// was not programmed cannot match.
class RecordCheck {
public:
    constexpr RecordCheck(std::uint32_t page_sequence, unsigned unit) {
        crc_.add_u32(page_sequence << 8 | unit);
    }
    constexpr void add(const FlashUnit& unit) { crc_.add(unit); }
    [[nodiscard]] constexpr FlashUnit value() const {
        return crc_.value() == erased_unit ? FlashUnit{0xFF, 0xFF, 0xFF, 0xFE} : crc_.value();
    }

private:
    Crc32 crc_;
};

/// Records (frame, tick) begin at a record boundary; entries stand inside a frame. Section 2.2.
enum class Kind : std::uint8_t {
    frame = 0x16,          ///< argument: units from this header to the check, both included
    tick = 0x19,           ///< a counter's new value, alone: header and check
    entry_put = 0x25,      ///< argument: size of the value
    entry_masked = 0x2A,   ///< argument: size of the value
    entry_counter = 0x31,  ///< argument: the counter's value
    entry_erased = 0x3C,
};

/// A header unit: kind (6 bits), object id (10 bits), argument (8 bits), CRC-8 of the three bytes.
struct Header {
    Kind kind;
    std::uint16_t id;
    std::uint8_t argument;
};

[[nodiscard]] constexpr FlashUnit encode(const Header& header) {
    const std::array<std::uint8_t, 3> head{
        static_cast<std::uint8_t>(static_cast<unsigned>(header.kind) << 2 | header.id >> 8),
        static_cast<std::uint8_t>(header.id), header.argument};
    return {head[0], head[1], head[2], crc8(head)};
}

[[nodiscard]] constexpr bool is_record(Kind kind) {
    return kind == Kind::frame || kind == Kind::tick;
}
[[nodiscard]] constexpr bool is_kind(unsigned value) {
    switch (static_cast<Kind>(value)) {
        case Kind::frame:
        case Kind::tick:
        case Kind::entry_put:
        case Kind::entry_masked:
        case Kind::entry_counter:
        case Kind::entry_erased: return true;
    }
    return false;
}

[[nodiscard]] constexpr std::optional<Header> decode(const FlashUnit& unit) {
    if (crc8(protocol::Bytes{unit}.first(3)) != unit[3]) return std::nullopt;
    const unsigned kind = unit[0] >> 2;
    if (!is_kind(kind)) return std::nullopt;
    const unsigned id = (unit[0] & 3U) << 8 | unit[1];
    return Header{static_cast<Kind>(kind), static_cast<std::uint16_t>(id), unit[2]};
}
static_assert(!decode(erased_unit) && !decode(zero_unit));

/// Bytes behind the value that check it: CRC-8 for plain values, CRC-32 for masked ones.
[[nodiscard]] constexpr unsigned check_size(Kind kind) {
    return kind == Kind::entry_masked ? 4 : 1;
}

/// Units of an entry, its header included.
[[nodiscard]] constexpr unsigned entry_units(const Header& entry) {
    if (entry.kind != Kind::entry_put && entry.kind != Kind::entry_masked) return 1;
    constexpr unsigned unit = flash_model::unit_size;
    return 1 + (entry.argument + check_size(entry.kind) + unit - 1) / unit;
}
/// Units of a record from its header to its check. Behind them stands one more, its seal.
[[nodiscard]] constexpr unsigned record_units(const Header& record) {
    return record.kind == Kind::tick ? 2 : record.argument;
}
constexpr unsigned frame_units_min = 3;
constexpr unsigned frame_units_max = units_per_page - first_record_unit - 1;  // and the seal

static_assert(flash_model::page_count_max * flash_model::endurance_erases < (1U << 24),
              "each opening costs an erasure of its page: the sequence never wraps");
constexpr std::uint16_t no_page = 0xFF;
static_assert(flash_model::page_count_max <= no_page);

/// What opens a page: its place in the log, which page it follows, and where that one's records
/// end.
struct Opening {
    std::uint32_t sequence;     ///< 24 bits, from 1; the flash is worn out long before they end
    std::uint16_t predecessor;  ///< number of the page before; no_page for the first
    unsigned previous_end;  ///< unit behind the last record of the page before, its seal included
};

[[nodiscard]] constexpr Mark encode(const Opening& opening) {
    Mark mark{static_cast<std::uint8_t>(opening.sequence >> 16),
              static_cast<std::uint8_t>(opening.sequence >> 8),
              static_cast<std::uint8_t>(opening.sequence),
              static_cast<std::uint8_t>(opening.previous_end - 1),
              static_cast<std::uint8_t>(opening.predecessor)};
    Crc32 crc;
    crc.add(protocol::Bytes{mark}.first(5));
    crc.add(std::array{version});
    const FlashUnit check = crc.value();
    for (unsigned i = 0; i < 3; ++i) mark[5 + i] = check[1 + i];
    return mark;
}
[[nodiscard]] constexpr std::optional<Opening> decode_opening(const Mark& mark) {
    const auto sequence = static_cast<std::uint32_t>(mark[0] << 16 | mark[1] << 8 | mark[2]);
    const Opening opening{sequence, mark[4], mark[3] + 1U};
    if (sequence == 0 || encode(opening) != mark) return std::nullopt;
    return opening;
}
/// An opening with one flipped bit is still that opening: a page must not drop out of the log for
/// it. A page whose opening is being zeroed may pass too; its records are then still whole.
[[nodiscard]] constexpr std::optional<Opening> decode_or_mend_opening(Mark mark) {
    if (const auto opening = decode_opening(mark)) return opening;
    for (unsigned bit = 0; bit < 8 * mark.size(); ++bit) {
        const auto flip = static_cast<std::uint8_t>(1U << bit % 8);
        mark[bit / 8] ^= flip;
        if (const auto opening = decode_opening(mark)) return opening;
        mark[bit / 8] ^= flip;
    }
    return std::nullopt;
}
static_assert(!decode_or_mend_opening(Mark{}));

}  // namespace firmware::log_format
