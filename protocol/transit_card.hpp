#pragma once
// The transit application's files as typed layouts. JT/T 978; domain.md 3.1-3.3.
#include "protocol/apdu.hpp"
#include "protocol/crc32.hpp"
#include "protocol/date_time.hpp"
#include "protocol/ids.hpp"
#include "protocol/money.hpp"

namespace protocol {

constexpr std::array<std::uint8_t, 8> transit_aid{0xA0, 0x00, 0x00, 0x06, 0x32, 0x01, 0x01, 0x05};
constexpr std::uint8_t sfi_public_info = 0x15;
constexpr std::uint8_t sfi_holder = 0x16;
constexpr std::uint8_t sfi_management = 0x17;
constexpr std::uint8_t sfi_log = 0x18;
constexpr std::uint8_t sfi_journey = 0x1A;
constexpr std::uint8_t sfi_trip = 0x1E;
/// The tag of file 15's image in the FCI's A5 template: a tap need not read the file.
/// domain.md 1.8.
constexpr std::uint32_t tag_9F0C_issuer_data = 0x9F0C;

/// File 15, transparent, 30 bytes. domain.md 3.1.
struct PublicInfo {
    IssuerId issuer;
    std::uint8_t application_type;  ///< 02 normal
    std::uint8_t start_flag;        ///< 01 enabled
    CardNumber card;
    Date start;
    Date valid_to;
    std::array<std::uint8_t, 2> fci;
    static constexpr std::size_t size = 30;
    [[nodiscard]] static constexpr Parsed<PublicInfo> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(issuer, in.take_array<8>());
        ONECARD_TRY(type, in.take_u8());
        ONECARD_TRY(flag, in.take_u8());
        ONECARD_TRY(card, in.take_array<10>());
        ONECARD_TRY(start_bcd, in.take_array<4>());
        ONECARD_TRY(valid_bcd, in.take_array<4>());
        ONECARD_TRY(fci, in.take_array<2>());
        ONECARD_CHECK(in.finish());
        if (!is_bcd(card)) return refuse(ParseError::not_bcd);
        ONECARD_TRY(start, Date::parse(start_bcd));
        ONECARD_TRY(valid_to, Date::parse(valid_bcd));
        return PublicInfo{IssuerId{issuer}, type, flag, CardNumber{card}, start, valid_to, fci};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(issuer.value())
            .put_u8(application_type)
            .put_u8(start_flag)
            .put(card.value())
            .put(start.bcd())
            .put(valid_to.bcd())
            .put(fci);
        return out;
    }
};

/// Discount class of the holder, file 17. domain.md 3.1.
enum class CardKind : std::uint8_t { ordinary = 1, student = 2, elder = 3, test = 4, military = 5 };
[[nodiscard]] constexpr bool is_card_kind(std::uint8_t value) {
    return value >= 1 && value <= 5;
}

/// File 17, transparent, 60 bytes: intlCode4 province2 city2 interopFlag2 cardKind1 RFU49.
/// domain.md 3.1.
struct ManagementInfo {
    std::array<std::uint8_t, 4> international_code;
    std::uint16_t province;
    CityCode city;
    std::uint16_t interoperability;  ///< 0000: this card may not be used in other cities
    CardKind kind;
    static constexpr std::size_t size = 60;
    [[nodiscard]] static constexpr Parsed<ManagementInfo> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(code, in.take_array<4>());
        ONECARD_TRY(province, in.take_u16());
        ONECARD_TRY(city, in.take_u16());
        ONECARD_TRY(interoperability, in.take_u16());
        ONECARD_TRY(kind, in.take_u8());
        ONECARD_CHECK(in.take(49));
        ONECARD_CHECK(in.finish());
        if (!is_card_kind(kind)) return refuse(ParseError::wrong_value);
        return ManagementInfo{code, province, CityCode{city}, interoperability,
                              static_cast<CardKind>(kind)};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(international_code)
            .put_u16(province)
            .put_u16(city.value())
            .put_u16(interoperability)
            .put_u8(static_cast<std::uint8_t>(kind));
        return out;
    }
};

/// What a trip record in file 1E says happened. domain.md 3.2.
enum class TripType : std::uint8_t {
    initial = 0x00,
    purse_entry = 0x03,
    purse_exit = 0x04,
    purse_single = 0x06,
    purse_top_up_fare = 0x08,
    purse_load = 0x0A,
};
[[nodiscard]] constexpr bool is_trip_type(std::uint8_t value) {
    return value == 0x00 || value == 0x03 || value == 0x04 || value == 0x06 || value == 0x08 ||
           value == 0x0A;
}

/// File 1E, cyclic, 48 bytes. domain.md 3.2.
struct TripRecord {
    TripType type;
    DeviceId device;
    std::uint8_t
        industry;  ///< a table in the city's configuration: sources disagree (domain.md 3.2 [X])
    LineCode line;
    StationCode station;
    std::uint16_t operator_code;
    Money amount;
    Money balance_after;
    DateTime when;
    CityCode city;
    OperatorId acquirer;
    static constexpr std::size_t size = 48;
    [[nodiscard]] static constexpr Parsed<TripRecord> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(type, in.take_u8());
        ONECARD_TRY(device, in.take_array<8>());
        ONECARD_TRY(industry, in.take_u8());
        ONECARD_TRY(line, in.take_u16());
        ONECARD_TRY(station, in.take_u16());
        ONECARD_TRY(operator_code, in.take_u16());
        ONECARD_CHECK(in.take(1));
        ONECARD_TRY(amount, in.take_u32());
        ONECARD_TRY(balance, in.take_u32());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(city, in.take_u16());
        ONECARD_TRY(acquirer, in.take_array<8>());
        ONECARD_CHECK(in.take(6));
        ONECARD_CHECK(in.finish());
        if (!is_trip_type(type)) return refuse(ParseError::wrong_value);
        ONECARD_TRY(when, DateTime::parse(stamp));
        return TripRecord{static_cast<TripType>(type),
                          DeviceId{device},
                          industry,
                          LineCode{line},
                          StationCode{station},
                          operator_code,
                          Money::from_fen(amount),
                          Money::from_fen(balance),
                          when,
                          CityCode{city},
                          OperatorId{acquirer}};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u8(static_cast<std::uint8_t>(type))
            .put(device.value())
            .put_u8(industry)
            .put_u16(line.value())
            .put_u16(station.value())
            .put_u16(operator_code)
            .put_u8(0)
            .put_u32(amount.fen())
            .put_u32(balance_after.fen())
            .put(when.bcd())
            .put_u16(city.value())
            .put(acquirer.value());
        return out;
    }
};

/// State of a rail journey, byte 14 of its record. domain.md 3.3.
enum class JourneyState : std::uint8_t { none = 0x00, entered = 0x01, left = 0x02 };

/// File 1A, variable records of 128 bytes; the rail record has id 2701. domain.md 3.3 gives the
/// offsets. A card that has never ridden holds id, length and zeros: `parse` answers state `none`.
struct RailJourney {
    JourneyState state = JourneyState::none;
    CardNumber card;
    CityCode entry_city, exit_city;
    OperatorId entry_operator, exit_operator;
    StationCode entry_station, exit_station;  ///< eight bytes on the card, ours in the last two
    DeviceId entry_device, exit_device;
    DateTime entry_time, exit_time;
    Money maximum;  ///< the longest ride's fare, checked to be in the purse at entry
    LineCode entry_line, exit_line;  ///< one byte on the card
    Money entry_balance;
    Money paid;
    static constexpr std::uint16_t id = 0x2701;
    static constexpr std::size_t size = 128;

    [[nodiscard]] static constexpr Parsed<RailJourney> parse(Bytes data);
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const;
};

constexpr std::array<std::uint8_t, RailJourney::size> RailJourney::bytes() const {
    std::array<std::uint8_t, size> out{};
    const std::array<std::uint8_t, 6> station_pad{};
    ByteWriter writer{out};
    writer.put_u16(id).put_u8(size - 3).put_u8(1).put_u8(0).put_u8(0);  // 0-5: id len valid UN lock
    writer.put(Bytes{card.value()}.last(8));                            // 6-13
    writer.put_u8(static_cast<std::uint8_t>(state));                    // 14
    writer.put_u16(entry_city.value()).put_u16(exit_city.value());      // 15-18
    writer.put(entry_operator.value()).put(exit_operator.value());      // 19-34
    writer.put(station_pad).put_u16(entry_station.value());             // 35-42
    writer.put(station_pad).put_u16(exit_station.value());              // 43-50
    writer.put(entry_device.value()).put(exit_device.value());          // 51-66
    writer.put(entry_time.bcd()).put(exit_time.bcd());                  // 67-80
    writer.put_u32(maximum.fen());                                      // 81-84
    writer.put_u8(static_cast<std::uint8_t>(entry_line.value()));       // 85
    writer.put_u8(static_cast<std::uint8_t>(exit_line.value()));        // 86
    writer.put_u32(0).put_u32(entry_balance.fen());  // 87-94: entry amount, balance
    writer.put_u32(paid.fen());                      // 95-98
    writer.put(state == JourneyState::left ? exit_time.bcd() : entry_time.bcd());  // 99-105
    writer.fill(18);  // 106-123: last device, cumulative totals, transfer: not used by our fares
    writer.put_u32(crc32(Bytes{out}.subspan(6, 118)));  // 124-127, over 6..123
    return out;
}

constexpr Parsed<RailJourney> RailJourney::parse(Bytes data) {
    ByteReader in{data};
    RailJourney out;
    ONECARD_TRY(record_id, in.take_u16());
    if (record_id != id || data.size() != size) return refuse(ParseError::wrong_value);
    ONECARD_CHECK(in.take(4));
    ONECARD_TRY(serial, in.take_array<8>());
    ONECARD_TRY(state_byte, in.take_u8());
    if (state_byte > 0x02) return refuse(ParseError::wrong_value);
    out.state = static_cast<JourneyState>(state_byte);
    if (out.state == JourneyState::none) return out;
    const auto stored_crc = static_cast<std::uint32_t>(read_big_endian(data.last<4>()));
    if (crc32(data.subspan(6, 118)) != stored_crc) return refuse(ParseError::digest_mismatch);
    std::array<std::uint8_t, 10> number{};
    std::ranges::copy(serial, number.begin() + 2);
    out.card = CardNumber{number};
    ONECARD_TRY(entry_city, in.take_u16());
    ONECARD_TRY(exit_city, in.take_u16());
    ONECARD_TRY(entry_operator, in.take_array<8>());
    ONECARD_TRY(exit_operator, in.take_array<8>());
    ONECARD_TRY(entry_station, in.take_array<8>());
    ONECARD_TRY(exit_station, in.take_array<8>());
    ONECARD_TRY(entry_device, in.take_array<8>());
    ONECARD_TRY(exit_device, in.take_array<8>());
    ONECARD_TRY(entry_bcd, in.take_array<7>());
    ONECARD_TRY(exit_bcd, in.take_array<7>());
    ONECARD_TRY(maximum, in.take_u32());
    ONECARD_TRY(entry_line, in.take_u8());
    ONECARD_TRY(exit_line, in.take_u8());
    ONECARD_CHECK(in.take(4));
    ONECARD_TRY(entry_balance, in.take_u32());
    ONECARD_TRY(paid, in.take_u32());
    ONECARD_TRY(entry_time, DateTime::parse(entry_bcd));
    if (out.state == JourneyState::left) {
        ONECARD_TRY(exit_time, DateTime::parse(exit_bcd));
        out.exit_time = exit_time;
    }
    out.entry_city = CityCode{entry_city};
    out.exit_city = CityCode{exit_city};
    out.entry_operator = OperatorId{entry_operator};
    out.exit_operator = OperatorId{exit_operator};
    out.entry_station =
        StationCode{static_cast<std::uint16_t>(entry_station[6] << 8 | entry_station[7])};
    out.exit_station =
        StationCode{static_cast<std::uint16_t>(exit_station[6] << 8 | exit_station[7])};
    out.entry_device = DeviceId{entry_device};
    out.exit_device = DeviceId{exit_device};
    out.entry_time = entry_time;
    out.maximum = Money::from_fen(maximum);
    out.entry_line = LineCode{entry_line};
    out.exit_line = LineCode{exit_line};
    out.entry_balance = Money::from_fen(entry_balance);
    out.paid = Money::from_fen(paid);
    return out;
}

[[nodiscard]] constexpr ShortCommand select_by_name(Bytes aid) {
    return make_command(0x00, 0xA4, 0x04, 0x00, aid, 256);
}
/// READ RECORD by number of the file with this short identifier. ISO/IEC 7816-4:2005, 7.3.3.
[[nodiscard]] constexpr ShortCommand read_record(std::uint8_t sfi, std::uint8_t number,
                                                 unsigned le) {
    return make_command(0x00, 0xB2, number, static_cast<std::uint8_t>(sfi << 3 | 0x04), {}, le);
}
/// READ BINARY of the file with this short identifier. ISO/IEC 7816-4:2005, 7.2.3.
[[nodiscard]] constexpr ShortCommand read_binary(std::uint8_t sfi, std::uint8_t offset,
                                                 unsigned le) {
    return make_command(0x00, 0xB0, static_cast<std::uint8_t>(0x80 | sfi), offset, {}, le);
}

}  // namespace protocol
