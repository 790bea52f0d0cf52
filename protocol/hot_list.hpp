#pragma once
// The hot list: cards and SAMs that must be refused, as a signed file. Exact, sorted, searched in
// place; never probabilistic. docs/hot_list.md.
#include "protocol/batch.hpp"

namespace protocol {

enum class HotKind : std::uint8_t { card = 0x00, sam = 0x01 };
enum class HotReason : std::uint8_t {
    lost = 0x01,
    stolen = 0x02,
    returned = 0x03,
    fraud = 0x04,
    expired = 0x05
};

struct HotEntry {
    HotKind kind = HotKind::card;
    std::array<std::uint8_t, 10> number{};  ///< CardNumber or SamNumber
    HotReason reason = HotReason::lost;
    DateTime since;  ///< liability switches here: a tap before it is still good
    static constexpr std::size_t size = 19;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u8(static_cast<std::uint8_t>(kind))
            .put(number)
            .put_u8(static_cast<std::uint8_t>(reason))
            .put(since.bcd());
        return out;
    }
    [[nodiscard]] static constexpr Parsed<HotEntry> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(kind, in.take_u8());
        ONECARD_TRY(number, in.take_array<10>());
        ONECARD_TRY(reason, in.take_u8());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_CHECK(in.finish());
        if (kind > 1 || reason < 1 || reason > 5) return refuse(ParseError::wrong_value);
        ONECARD_TRY(since, DateTime::parse(stamp));
        return HotEntry{static_cast<HotKind>(kind), number, static_cast<HotReason>(reason), since};
    }
};

struct HotListHeader {
    Mark mark = Mark::live;
    CityCode city;          ///< the publisher
    ListSequence sequence;  ///< monotone; a device refuses one that is not above its own
    DateTime effective;     ///< in force from here
    DateTime issued;
    std::uint32_t entry_count = 0;
    static constexpr std::uint32_t magic = 0x4F434831;  // "OCH1"
    static constexpr std::uint16_t version = 1;
    static constexpr std::size_t size = 32;
    static constexpr std::uint32_t entry_count_max = 10'000'000;
    [[nodiscard]] static constexpr Parsed<HotListHeader> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(file_magic, in.take_u32());
        if (file_magic != magic) return refuse(ParseError::wrong_magic);
        ONECARD_TRY(file_version, in.take_u16());
        if (file_version != version) return refuse(ParseError::unknown_version);
        ONECARD_TRY(mark, in.take_u8());
        if (!is_mark(mark)) return refuse(ParseError::wrong_value);
        ONECARD_CHECK(in.take(1));
        ONECARD_TRY(city, in.take_u16());
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(effective_bcd, in.take_array<7>());
        ONECARD_TRY(issued_bcd, in.take_array<7>());
        ONECARD_TRY(count, in.take_u32());
        ONECARD_CHECK(in.finish());
        if (count > entry_count_max) return refuse(ParseError::too_large);
        ONECARD_TRY(effective, DateTime::parse(effective_bcd));
        ONECARD_TRY(issued, DateTime::parse(issued_bcd));
        return HotListHeader{static_cast<Mark>(mark),
                             CityCode{city},
                             ListSequence{sequence},
                             effective,
                             issued,
                             count};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(magic)
            .put_u16(version)
            .put_u8(static_cast<std::uint8_t>(mark))
            .put_u8(0)
            .put_u16(city.value())
            .put_u32(sequence.value())
            .put(effective.bcd())
            .put(issued.bcd())
            .put_u32(entry_count);
        return out;
    }
};

/// A list whose shape and order have been checked (not its signature: the reader's owner does that
/// with the publisher's key over `signed_bytes()`). Refers to the caller's bytes, which must
/// outlive it.
class HotListView {
public:
    [[nodiscard]] static constexpr Parsed<HotListView> parse(Bytes file) {
        ByteReader in{file};
        ONECARD_TRY(head, in.take(HotListHeader::size));
        ONECARD_TRY(header, HotListHeader::parse(head));
        ONECARD_TRY(entries, in.take(std::size_t{header.entry_count} * HotEntry::size));
        ONECARD_TRY(signature, in.take_array<signature_size>());
        ONECARD_CHECK(in.finish());
        HotListView view{header, entries, file.first(file.size() - signature_size), signature};
        for (std::size_t i = 0; i < header.entry_count; ++i) {
            ONECARD_CHECK(HotEntry::parse(view.entry_bytes(i)));
            if (i > 0 && !view.in_order(i)) return refuse(ParseError::wrong_value);
        }
        return view;
    }
    [[nodiscard]] constexpr const HotListHeader& header() const { return header_; }
    [[nodiscard]] constexpr Bytes signed_bytes() const { return signed_; }
    [[nodiscard]] constexpr const Signature& signature() const { return signature_; }
    [[nodiscard]] constexpr HotEntry entry(std::size_t index) const {
        return *HotEntry::parse(entry_bytes(index));
    }
    /// The entry for this number, if there is one: binary search over the file's own bytes.
    [[nodiscard]] constexpr std::optional<HotEntry> find(
        HotKind kind, const std::array<std::uint8_t, 10>& number) const {
        std::array<std::uint8_t, key_size> key{static_cast<std::uint8_t>(kind)};
        std::ranges::copy(number, key.begin() + 1);
        std::size_t low = 0;
        std::size_t high = header_.entry_count;
        while (low < high) {
            const std::size_t middle = low + (high - low) / 2;
            const Bytes candidate = entry_bytes(middle).first(key_size);
            if (std::ranges::equal(candidate, key)) return entry(middle);
            if (std::ranges::lexicographical_compare(candidate, key)) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return std::nullopt;
    }

private:
    static constexpr std::size_t key_size = 11;  // kind, number
    constexpr HotListView(const HotListHeader& header, Bytes entries, Bytes signed_part,
                          const Signature& signature)
        : header_{header}, entries_{entries}, signed_{signed_part}, signature_{signature} {}
    [[nodiscard]] constexpr Bytes entry_bytes(std::size_t index) const {
        return entries_.subspan(index * HotEntry::size, HotEntry::size);
    }
    [[nodiscard]] constexpr bool in_order(std::size_t index) const {
        return std::ranges::lexicographical_compare(entry_bytes(index - 1).first(key_size),
                                                    entry_bytes(index).first(key_size));
    }
    HotListHeader header_;
    Bytes entries_;
    Bytes signed_;
    Signature signature_;
};

}  // namespace protocol
