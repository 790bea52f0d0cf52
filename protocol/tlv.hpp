#pragma once
// BER-TLV data objects. ISO/IEC 8825-1:2021, 8.1.2 (identifier), 8.1.3 (length); ISO/IEC
// 7816-4:2005, 5.2.2.
#include "protocol/bytes.hpp"

namespace protocol {

constexpr std::uint8_t tag_number_mask = 0x1F;   // ISO/IEC 8825-1:2021, 8.1.2.4
constexpr std::uint8_t constructed_bit = 0x20;   // 8.1.2.5
constexpr std::uint8_t more_or_long_bit = 0x80;  // 8.1.2.4.2 (tag) and 8.1.3.5 (length)

struct Tlv {
    std::uint32_t tag;  ///< the identifier bytes, most significant first: 0x84, 0x9F0C, 0xBF0C
    bool constructed;
    Bytes value;
};

/// Tags of one to three bytes. ISO/IEC 7816-4:2005, 5.2.2.1.
[[nodiscard]] constexpr Parsed<std::uint32_t> read_tag(ByteReader& in) {
    ONECARD_TRY(first, in.take_u8());
    std::uint32_t tag = first;
    if ((first & tag_number_mask) != tag_number_mask) return tag;
    for (int i = 0; i < 2; ++i) {
        ONECARD_TRY(next, in.take_u8());
        if (i == 0 && (next & ~more_or_long_bit) == 0)
            return refuse(ParseError::wrong_value);  // 8.1.2.4.2 c
        tag = tag << 8 | next;
        if (!(next & more_or_long_bit)) return tag;
    }
    return refuse(ParseError::too_large);
}

/// Lengths up to 65535, in one, two or three bytes. The indefinite form is refused: no object of
/// ours needs it (ISO/IEC 7816-4:2005, 5.2.2.2). Longer forms than necessary are accepted, as BER
/// does.
[[nodiscard]] constexpr Parsed<std::size_t> read_length(ByteReader& in) {
    ONECARD_TRY(first, in.take_u8());
    if (!(first & more_or_long_bit)) return first;
    if (first == 0x81) {
        ONECARD_TRY(length, in.take_u8());
        return length;
    }
    if (first == 0x82) {
        ONECARD_TRY(length, in.take_u16());
        return length;
    }
    return refuse(first == 0x80 ? ParseError::wrong_value : ParseError::too_large);
}

/// Reads one data object and advances past it; on failure `in` is left where it was.
[[nodiscard]] constexpr Parsed<Tlv> read_tlv(ByteReader& in) {
    ByteReader ahead = in;
    const Bytes start = ahead.rest();
    ONECARD_TRY(tag, read_tag(ahead));
    ONECARD_TRY(length, read_length(ahead));
    ONECARD_TRY(value, ahead.take(length));
    in = ahead;
    return Tlv{tag, (start[0] & constructed_bit) != 0, value};
}

/// The first object with this tag among the objects of `content`, not descending.
[[nodiscard]] constexpr Parsed<Bytes> find_tlv(Bytes content, std::uint32_t tag) {
    ByteReader in{content};
    while (!in.empty()) {
        ONECARD_TRY(object, read_tlv(in));
        if (object.tag == tag) return object.value;
    }
    return refuse(ParseError::truncated);
}

/// Writes tag, shortest length, value.
constexpr void put_tlv(ByteWriter& out, std::uint32_t tag, Bytes value) {
    if (tag > 0xFFFF) out.put_u8(static_cast<std::uint8_t>(tag >> 16));
    if (tag > 0xFF) out.put_u8(static_cast<std::uint8_t>(tag >> 8));
    out.put_u8(static_cast<std::uint8_t>(tag));
    if (value.size() > 0xFF) {
        out.put_u8(0x82).put_u16(static_cast<std::uint16_t>(value.size()));
    } else if (value.size() > 0x7F) {
        out.put_u8(0x81).put_u8(static_cast<std::uint8_t>(value.size()));
    } else {
        out.put_u8(static_cast<std::uint8_t>(value.size()));
    }
    out.put(value);
}

}  // namespace protocol
