#pragma once
// What cities' clearing hosts send each other: records for their issuer to decide, the outcomes,
// and the day's statements. docs/online_messages.md "City to city"; docs/day.md. Big-endian, no
// padding.
//
// Records and outcomes carry no signature of their own: the batch that a record came from is signed
// by its device, and what two cities owe each other is settled by the statements, which are signed.
#include "protocol/batch.hpp"
#include "protocol/outcome.hpp"

namespace protocol {

/// Number of a message from one city to another: starts at 1, rises by 1 for each pair.
using MessageNumber = Strong<std::uint64_t, struct MessageNumberName>;

/// Where the sender keeps the record: its evidence.
struct BatchPlace {
    DeviceId device;
    BatchSequence sequence;
    std::uint32_t index = 0;
    friend constexpr auto operator<=>(const BatchPlace&, const BatchPlace&) = default;
};

struct ForwardedRecord {
    OperatorId operator_id;  ///< of the certificate that the batch came with
    BatchPlace place;
    BatchRecord record;
    static constexpr std::size_t size = 8 + 8 + 4 + 4 + BatchRecord::size;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put(operator_id.value())
            .put(place.device.value())
            .put_u32(place.sequence.value())
            .put_u32(place.index)
            .put(record.bytes());
        return out;
    }
    [[nodiscard]] static constexpr Parsed<ForwardedRecord> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(operator_id, in.take_array<8>());
        ONECARD_TRY(device, in.take_array<8>());
        ONECARD_TRY(sequence, in.take_u32());
        ONECARD_TRY(index, in.take_u32());
        ONECARD_TRY(rest, in.take(BatchRecord::size));
        ONECARD_TRY(record, BatchRecord::parse(rest));
        ONECARD_CHECK(in.finish());
        return ForwardedRecord{
            OperatorId{operator_id}, {DeviceId{device}, BatchSequence{sequence}, index}, record};
    }
};
static_assert(ForwardedRecord::size == 120);

/// The head of `POST /v1/peer/records` and of its answer; `magic` tells which.
struct ExchangeHeader {
    std::uint32_t magic = records_magic;
    Mark mark = Mark::live;
    CityCode from;
    CityCode to;
    MessageNumber number;  ///< of the records; the answer repeats it
    /// Records: the sender's open business date, and never earlier than it. Outcomes: the date both
    /// cities book under, the later of the two cities' (docs/day.md, 2).
    Date business_date;
    std::uint32_t count = 0;
    static constexpr std::uint32_t records_magic = 0x4F435231;   // "OCR1"
    static constexpr std::uint32_t outcomes_magic = 0x4F434F31;  // "OCO1"
    static constexpr std::uint16_t version = 1;
    static constexpr std::size_t size = 28;
    static constexpr std::uint32_t count_max = 10'000;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(magic)
            .put_u16(version)
            .put_u8(static_cast<std::uint8_t>(mark))
            .put_u8(0)
            .put_u16(from.value())
            .put_u16(to.value())
            .put_u64(number.value())
            .put(business_date.bcd())
            .put_u32(count);
        return out;
    }
    [[nodiscard]] static constexpr Parsed<ExchangeHeader> parse(Bytes data,
                                                                std::uint32_t expected) {
        ByteReader in{data};
        ONECARD_TRY(file_magic, in.take_u32());
        if (file_magic != expected) return refuse(ParseError::wrong_magic);
        ONECARD_TRY(file_version, in.take_u16());
        if (file_version != version) return refuse(ParseError::unknown_version);
        ONECARD_TRY(mark, in.take_u8());
        ONECARD_TRY(reserved, in.take_u8());
        if (!is_mark(mark) || reserved != 0) return refuse(ParseError::wrong_value);
        ONECARD_TRY(from, in.take_u16());
        ONECARD_TRY(to, in.take_u16());
        ONECARD_TRY(number, in.take_u64());
        // SQL's integers are signed: a number above their range is refused here, once for all.
        if (number == 0 || number > INT64_MAX) return refuse(ParseError::wrong_value);
        ONECARD_TRY(date_bcd, in.take_array<4>());
        ONECARD_TRY(date, Date::parse(date_bcd));
        ONECARD_TRY(count, in.take_u32());
        if (count == 0) return refuse(ParseError::wrong_value);
        if (count > count_max) return refuse(ParseError::too_large);
        ONECARD_CHECK(in.finish());
        return ExchangeHeader{file_magic,   static_cast<Mark>(mark), CityCode{from},
                              CityCode{to}, MessageNumber{number},   date,
                              count};
    }
};

/// A message whose every record has been parsed. Refers to the caller's bytes.
class ForwardedRecordsView {
public:
    [[nodiscard]] static constexpr Parsed<ForwardedRecordsView> parse(Bytes message) {
        ByteReader in{message};
        ONECARD_TRY(head, in.take(ExchangeHeader::size));
        ONECARD_TRY(header, ExchangeHeader::parse(head, ExchangeHeader::records_magic));
        ONECARD_TRY(body, in.take(std::size_t{header.count} * ForwardedRecord::size));
        ONECARD_CHECK(in.finish());
        const ForwardedRecordsView view{header, body};
        for (std::uint32_t i = 0; i < header.count; ++i) {
            ONECARD_CHECK(ForwardedRecord::parse(view.record_bytes(i)));
        }
        return view;
    }
    [[nodiscard]] constexpr const ExchangeHeader& header() const { return header_; }
    [[nodiscard]] constexpr std::uint32_t size() const { return header_.count; }
    [[nodiscard]] constexpr ForwardedRecord record(std::uint32_t index) const {
        return *ForwardedRecord::parse(record_bytes(index));
    }

private:
    constexpr ForwardedRecordsView(const ExchangeHeader& header, Bytes body)
        : header_{header}, body_{body} {}
    [[nodiscard]] constexpr Bytes record_bytes(std::uint32_t index) const {
        return body_.subspan(std::size_t{index} * ForwardedRecord::size, ForwardedRecord::size);
    }
    ExchangeHeader header_;
    Bytes body_;
};

struct RecordOutcome {
    ClearingOutcome outcome = ClearingOutcome::pending;
    OutcomeFlags flags;
    static constexpr std::size_t size = 2;
    friend constexpr bool operator==(const RecordOutcome&, const RecordOutcome&) = default;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        return {static_cast<std::uint8_t>(outcome), flags.bits()};
    }
    [[nodiscard]] static constexpr Parsed<RecordOutcome> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(outcome, in.take_u8());
        ONECARD_TRY(flags, in.take_u8());
        ONECARD_CHECK(in.finish());
        if (!is_outcome(outcome) || flags > 3) return refuse(ParseError::wrong_value);
        return RecordOutcome{static_cast<ClearingOutcome>(outcome), OutcomeFlags::from_bits(flags)};
    }
};

/// The answer: one outcome per record, in the order sent; none is `pending`.
class OutcomesView {
public:
    [[nodiscard]] static constexpr Parsed<OutcomesView> parse(Bytes message) {
        ByteReader in{message};
        ONECARD_TRY(head, in.take(ExchangeHeader::size));
        ONECARD_TRY(header, ExchangeHeader::parse(head, ExchangeHeader::outcomes_magic));
        ONECARD_TRY(body, in.take(std::size_t{header.count} * RecordOutcome::size));
        ONECARD_CHECK(in.finish());
        const OutcomesView view{header, body};
        for (std::uint32_t i = 0; i < header.count; ++i) {
            ONECARD_TRY(outcome, RecordOutcome::parse(view.outcome_bytes(i)));
            if (outcome.outcome == ClearingOutcome::pending) return refuse(ParseError::wrong_value);
        }
        return view;
    }
    [[nodiscard]] constexpr const ExchangeHeader& header() const { return header_; }
    [[nodiscard]] constexpr std::uint32_t size() const { return header_.count; }
    [[nodiscard]] constexpr RecordOutcome outcome(std::uint32_t index) const {
        return *RecordOutcome::parse(outcome_bytes(index));
    }

private:
    constexpr OutcomesView(const ExchangeHeader& header, Bytes body)
        : header_{header}, body_{body} {}
    [[nodiscard]] constexpr Bytes outcome_bytes(std::uint32_t index) const {
        return body_.subspan(std::size_t{index} * RecordOutcome::size, RecordOutcome::size);
    }
    ExchangeHeader header_;
    Bytes body_;
};

/// What a city's ledger says about one other city on one business date.
struct StatementLine {
    CityCode other;
    std::uint64_t owed_to_fen = 0;    ///< the sender owes `other`: its cards at other's operators
    std::uint64_t owed_from_fen = 0;  ///< `other` owes the sender: other's cards at its operators
    std::uint32_t owed_to_count = 0;
    std::uint32_t owed_from_count = 0;
    static constexpr std::size_t size = 26;
    friend constexpr auto operator<=>(const StatementLine&, const StatementLine&) = default;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u16(other.value())
            .put_u64(owed_to_fen)
            .put_u64(owed_from_fen)
            .put_u32(owed_to_count)
            .put_u32(owed_from_count);
        return out;
    }
    [[nodiscard]] static constexpr Parsed<StatementLine> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(other, in.take_u16());
        ONECARD_TRY(owed_to, in.take_u64());
        ONECARD_TRY(owed_from, in.take_u64());
        ONECARD_TRY(to_count, in.take_u32());
        ONECARD_TRY(from_count, in.take_u32());
        ONECARD_CHECK(in.finish());
        if (owed_to > INT64_MAX || owed_from > INT64_MAX) return refuse(ParseError::too_large);
        return StatementLine{CityCode{other}, owed_to, owed_from, to_count, from_count};
    }
};

struct StatementHeader {
    Mark mark = Mark::live;
    CityCode city;  ///< whose ledger speaks
    Date business_date;
    std::uint16_t line_count = 0;  ///< one for each other city, also when nothing is owed
    static constexpr std::uint32_t magic = 0x4F435331;  // "OCS1"
    static constexpr std::uint16_t version = 1;
    static constexpr std::size_t size = 16;
    static constexpr std::uint16_t line_count_max = 1'000;
    [[nodiscard]] constexpr std::array<std::uint8_t, size> bytes() const {
        std::array<std::uint8_t, size> out{};
        ByteWriter{out}
            .put_u32(magic)
            .put_u16(version)
            .put_u8(static_cast<std::uint8_t>(mark))
            .put_u8(0)
            .put_u16(city.value())
            .put(business_date.bcd())
            .put_u16(line_count);
        return out;
    }
    [[nodiscard]] static constexpr Parsed<StatementHeader> parse(Bytes data) {
        ByteReader in{data};
        ONECARD_TRY(file_magic, in.take_u32());
        if (file_magic != magic) return refuse(ParseError::wrong_magic);
        ONECARD_TRY(file_version, in.take_u16());
        if (file_version != version) return refuse(ParseError::unknown_version);
        ONECARD_TRY(mark, in.take_u8());
        ONECARD_TRY(reserved, in.take_u8());
        if (!is_mark(mark) || reserved != 0) return refuse(ParseError::wrong_value);
        ONECARD_TRY(city, in.take_u16());
        ONECARD_TRY(date_bcd, in.take_array<4>());
        ONECARD_TRY(date, Date::parse(date_bcd));
        ONECARD_TRY(count, in.take_u16());
        if (count > line_count_max) return refuse(ParseError::too_large);
        ONECARD_CHECK(in.finish());
        return StatementHeader{static_cast<Mark>(mark), CityCode{city}, date, count};
    }
};

/// A statement: header, lines sorted by city, signature (SM2 over header and lines, by the city).
/// Shape and order are checked here; the signature by whoever knows the city's key.
class StatementView {
public:
    [[nodiscard]] static constexpr Parsed<StatementView> parse(Bytes file) {
        ByteReader in{file};
        ONECARD_TRY(head, in.take(StatementHeader::size));
        ONECARD_TRY(header, StatementHeader::parse(head));
        ONECARD_TRY(lines, in.take(std::size_t{header.line_count} * StatementLine::size));
        ONECARD_TRY(signature, in.take_array<signature_size>());
        ONECARD_CHECK(in.finish());
        const StatementView view{header, lines, file.first(file.size() - signature_size),
                                 signature};
        for (std::uint16_t i = 0; i < header.line_count; ++i) {
            ONECARD_TRY(line, StatementLine::parse(view.line_bytes(i)));
            const bool in_order = i == 0 || view.line(i - 1U).other < line.other;
            if (!in_order || line.other == header.city) return refuse(ParseError::wrong_value);
        }
        return view;
    }
    [[nodiscard]] constexpr const StatementHeader& header() const { return header_; }
    [[nodiscard]] constexpr std::size_t size() const { return header_.line_count; }
    [[nodiscard]] constexpr StatementLine line(std::size_t index) const {
        return *StatementLine::parse(line_bytes(index));
    }
    [[nodiscard]] constexpr Bytes signed_bytes() const { return signed_; }
    [[nodiscard]] constexpr const Signature& signature() const { return signature_; }

private:
    constexpr StatementView(const StatementHeader& header, Bytes lines, Bytes signed_part,
                            const Signature& signature)
        : header_{header}, lines_{lines}, signed_{signed_part}, signature_{signature} {}
    [[nodiscard]] constexpr Bytes line_bytes(std::size_t index) const {
        return lines_.subspan(index * StatementLine::size, StatementLine::size);
    }
    StatementHeader header_;
    Bytes lines_;
    Bytes signed_;
    Signature signature_;
};

}  // namespace protocol
