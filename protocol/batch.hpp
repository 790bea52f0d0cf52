#pragma once
// The batch file: what a terminal collected, as sent to its operator's city and kept there as
// evidence. docs/batch_file.md is the same table for people. Header, fixed records, trailer;
// big-endian; no padding.
#include "protocol/purse.hpp"
#include "protocol/transit_card.hpp"

namespace protocol {

/// Live money or a rehearsal with throw-away keys: each refuses the other's files.
enum class Mark : std::uint8_t { live = 0x00, rehearsal = 0x01 };
[[nodiscard]] constexpr bool is_mark(std::uint8_t value) {
    return value <= 1;
}

constexpr std::size_t digest_size = 32;     ///< SM3, GB/T 32905
constexpr std::size_t signature_size = 64;  ///< SM2 r|s over SM3, GB/T 32918.2, id 1234567812345678
using Digest = std::array<std::uint8_t, digest_size>;
using Signature = std::array<std::uint8_t, signature_size>;

struct BatchHeader {
    Mark mark = Mark::live;
    OperatorId operator_id;
    DeviceId device;
    CityCode city;
    BatchSequence sequence;
    DateTime created;
    std::uint32_t record_count = 0;
    ListSequence hot_list;                              ///< the list this device used; 0: none yet
    std::uint32_t fare_table = 0;                       ///< version of the fare table it used
    static constexpr std::uint32_t magic = 0x4F434231;  // "OCB1"
    static constexpr std::uint16_t version = 1;
    static constexpr std::size_t size = 64;
    static constexpr std::uint32_t record_count_max = 100'000;

    [[nodiscard]] static constexpr Parsed<BatchHeader> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(file_magic, in.take_u32());
        if (file_magic != magic) return refuse(ParseError::wrong_magic);
        ONECARD_TRY(file_version, in.take_u16());
        if (file_version != version) return refuse(ParseError::unknown_version);
        ONECARD_TRY(mark, in.take_u8());
        if (!is_mark(mark)) return refuse(ParseError::wrong_value);
        ONECARD_CHECK(in.take(1));
        ONECARD_TRY(operator_id, in.take_array<8>());
        ONECARD_TRY(device, in.take_array<8>());
        ONECARD_TRY(city, in.take_u16());
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(stamp, in.take_array<7>());
        ONECARD_TRY(created, DateTime::parse(stamp));
        ONECARD_TRY(count, in.take_u32());
        if (count > record_count_max) return refuse(ParseError::too_large);
        ONECARD_TRY(hot_list, in.take_u32());
        ONECARD_TRY(fare_table, in.take_u32());
        ONECARD_CHECK(in.take(15));
        ONECARD_CHECK(in.finish());
        return BatchHeader{static_cast<Mark>(mark),
                           OperatorId{operator_id},
                           DeviceId{device},
                           CityCode{city},
                           BatchSequence{sequence},
                           created,
                           count,
                           ListSequence{hot_list},
                           fare_table};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(magic)
            .put_u16(version)
            .put_u8(static_cast<std::uint8_t>(mark))
            .put_u8(0)
            .put(operator_id.value())
            .put(device.value())
            .put_u16(city.value())
            .put_u32(sequence.value())
            .put(created.bcd())
            .put_u32(record_count)
            .put_u32(hot_list.value())
            .put_u32(fare_table);
        return out;
    }
};

enum class RecordKind : std::uint8_t {
    debit = 0x01,  ///< MAC2 was right: the card has paid
    mac2_wrong =
        0x02,  ///< the SAM refused MAC2; the gate stayed shut; the card may have been debited
    unresolved = 0x03,  ///< the card left before DEBIT's answer: TAC and MAC2 are zero
    proven =
        0x04,  ///< GET TRANSACTION PROVE answered for an unresolved entry: TAC and MAC2 are there
    not_debited = 0x05,  ///< the card was seen again with the counter unchanged: the entry is void
};
[[nodiscard]] constexpr bool is_record_kind(std::uint8_t value) {
    return value >= 1 && value <= 5;
}

/// One transaction. `proven` and `not_debited` repeat the fields of the entry they resolve,
/// whichever gate wrote it: (issuer, terminal, terminal_sequence) names the debit,
/// docs/outcomes.md, O2.
struct BatchRecord {
    RecordKind kind = RecordKind::debit;
    Suite suite = Suite::sm4;
    KeyVersion key_version;
    TransactionType type = TransactionType::capp_purchase;
    IssuerId issuer;
    CardNumber card;
    OfflineCounter counter;  ///< before the debit
    Money balance_before;
    Money amount;
    TerminalNumber terminal;             ///< the SAM's
    TerminalSequence terminal_sequence;  ///< the SAM's
    DateTime when;
    Mac tac{};
    Mac mac2{};
    Mac mac1{};           ///< evidence for an unresolved debit
    CardRandom random{};  ///< INIT's random number, evidence
    CityCode card_city;   ///< file 17
    CityCode city;        ///< where the tap was
    LineCode line;
    StationCode entry_station;  ///< 0 unless an exit
    StationCode station;
    TripType trip = TripType::purse_single;
    CardKind card_kind = CardKind::ordinary;
    Money full_fare;      ///< before the discount
    DateTime entry_time;  ///< of the journey, for an exit; otherwise equal to `when`
    static constexpr std::size_t size = 96;

    [[nodiscard]] static constexpr Parsed<BatchRecord> parse(Bytes data);
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u8(static_cast<std::uint8_t>(kind))
            .put_u8(static_cast<std::uint8_t>(suite))
            .put_u8(key_version.value())
            .put_u8(static_cast<std::uint8_t>(type))  // 0-3
            .put(issuer.value())
            .put(card.value())  // 4-21
            .put_u16(counter.value())
            .put_u32(balance_before.fen())
            .put_u32(amount.fen())  // 22-31
            .put(terminal.value())
            .put_u32(terminal_sequence.value())  // 32-41
            .put(when.bcd())                     // 42-48
            .put(tac)
            .put(mac2)
            .put(mac1)
            .put(random)  // 49-64
            .put_u16(card_city.value())
            .put_u16(city.value())
            .put_u16(line.value())  // 65-70
            .put_u16(entry_station.value())
            .put_u16(station.value())                      // 71-74
            .put_u8(static_cast<std::uint8_t>(trip))       // 75
            .put_u8(static_cast<std::uint8_t>(card_kind))  // 76
            .put_u32(full_fare.fen())
            .put(entry_time.bcd());  // 77-87, then 8 RFU
        return out;
    }
    friend constexpr bool operator==(const BatchRecord& a, const BatchRecord& b) {
        return a.bytes() == b.bytes();
    }
};

constexpr Parsed<BatchRecord> BatchRecord::parse(Bytes data) {
    ByteReader in{data};
    BatchRecord out;
    ONECARD_TRY(kind, in.take_u8());
    ONECARD_TRY(suite, in.take_u8());
    ONECARD_TRY(version, in.take_u8());
    ONECARD_TRY(type, in.take_u8());
    if (!is_record_kind(kind) || !is_suite(suite) || !is_transaction_type(type)) {
        return refuse(ParseError::wrong_value);
    }
    ONECARD_TRY(issuer, in.take_array<8>());
    ONECARD_TRY(card, in.take_array<10>());
    if (!is_bcd(card)) return refuse(ParseError::not_bcd);
    ONECARD_TRY(counter, in.take_u16());
    ONECARD_TRY(balance, in.take_u32());
    ONECARD_TRY(amount, in.take_u32());
    ONECARD_TRY(terminal, in.take_array<6>());
    ONECARD_TRY(sequence, in.take_u32());
    ONECARD_TRY(stamp, in.take_array<7>());
    ONECARD_TRY(when, DateTime::parse(stamp));
    ONECARD_TRY(tac, in.take_array<4>());
    ONECARD_TRY(mac2, in.take_array<4>());
    ONECARD_TRY(mac1, in.take_array<4>());
    ONECARD_TRY(random, in.take_array<4>());
    ONECARD_TRY(card_city, in.take_u16());
    ONECARD_TRY(city, in.take_u16());
    ONECARD_TRY(line, in.take_u16());
    ONECARD_TRY(entry_station, in.take_u16());
    ONECARD_TRY(station, in.take_u16());
    ONECARD_TRY(trip, in.take_u8());
    ONECARD_TRY(card_kind, in.take_u8());
    if (!is_trip_type(trip) || !is_card_kind(card_kind)) return refuse(ParseError::wrong_value);
    ONECARD_TRY(full_fare, in.take_u32());
    ONECARD_TRY(entry_stamp, in.take_array<7>());
    ONECARD_TRY(entry_time, DateTime::parse(entry_stamp));
    ONECARD_TRY(reserved, in.take_u64());
    if (reserved != 0) return refuse(ParseError::wrong_value);
    ONECARD_CHECK(in.finish());
    out.kind = static_cast<RecordKind>(kind);
    out.suite = static_cast<Suite>(suite);
    out.key_version = KeyVersion{version};
    out.type = static_cast<TransactionType>(type);
    out.issuer = IssuerId{issuer};
    out.card = CardNumber{card};
    out.counter = OfflineCounter{counter};
    out.balance_before = Money::from_fen(balance);
    out.amount = Money::from_fen(amount);
    out.terminal = TerminalNumber{terminal};
    out.terminal_sequence = TerminalSequence{sequence};
    out.when = when;
    out.tac = tac;
    out.mac2 = mac2;
    out.mac1 = mac1;
    out.random = random;
    out.card_city = CityCode{card_city};
    out.city = CityCode{city};
    out.line = LineCode{line};
    out.entry_station = StationCode{entry_station};
    out.station = StationCode{station};
    out.trip = static_cast<TripType>(trip);
    out.card_kind = static_cast<CardKind>(card_kind);
    out.full_fare = Money::from_fen(full_fare);
    out.entry_time = entry_time;
    return out;
}

/// Count and total repeat what the records say; the digest covers header and records; the signature
/// covers every byte before it (header, records, and the trailer's own first 48 bytes).
struct BatchTrailer {
    std::uint32_t record_count = 0;
    std::uint64_t total_fen = 0;  ///< the sum of all records' amounts, whatever their kind
    Digest digest{};
    Signature signature{};
    static constexpr std::uint32_t magic = 0x4F434254;  // "OCBT"
    static constexpr std::size_t size = 112;
    static constexpr std::size_t signed_size = size - signature_size;

    [[nodiscard]] static constexpr Parsed<BatchTrailer> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(file_magic, in.take_u32());
        if (file_magic != magic) return refuse(ParseError::wrong_magic);
        ONECARD_TRY(count, in.take_u32());
        ONECARD_TRY(total, in.take_u64());
        ONECARD_TRY(digest, in.take_array<digest_size>());
        ONECARD_TRY(signature, in.take_array<signature_size>());
        ONECARD_CHECK(in.finish());
        return BatchTrailer{count, total, digest, signature};
    }
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(magic)
            .put_u32(record_count)
            .put_u64(total_fen)
            .put(digest)
            .put(signature);
        return out;
    }
};

[[nodiscard]] constexpr std::size_t batch_file_size(std::uint32_t record_count) {
    return BatchHeader::size + std::size_t{record_count} * BatchRecord::size + BatchTrailer::size;
}

}  // namespace protocol
