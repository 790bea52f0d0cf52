#include "protocol/batch.hpp"

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using protocol::BatchHeader;
using protocol::BatchRecord;
using protocol::ParseError;

namespace {

const protocol::DateTime when{*protocol::Date::make(2026, 11, 23), *protocol::Time::make(8, 1, 2)};

BatchHeader header() {
    BatchHeader out;
    out.created = when;
    out.record_count = 3;
    return out;
}

BatchRecord record() {
    BatchRecord out;
    out.when = when;
    out.entry_time = when;
    out.amount = protocol::Money::from_fen(200);
    return out;
}

}  // namespace

TEST_CASE("Batch layouts: sizes as in docs/batch_file.md") {
    CHECK(header().bytes().size() == 64);
    CHECK(record().bytes().size() == 96);
    CHECK(protocol::batch_file_size(0) == 176);
    CHECK(protocol::batch_file_size(100'000) == 9'600'176);
}

TEST_CASE("BatchHeader: other magics, versions, marks and sizes are refused") {
    auto raw = header().bytes();
    REQUIRE(BatchHeader::parse(raw));
    const auto with = [&](std::size_t at, std::uint8_t value) {
        auto changed = raw;
        changed[at] = value;
        return BatchHeader::parse(changed);
    };
    CHECK(with(0, 'X').error() == ParseError::wrong_magic);
    CHECK(with(5, 2).error() == ParseError::unknown_version);
    CHECK(with(6, 2).error() == ParseError::wrong_value);
    CHECK(with(32, 0x13).error() == ParseError::not_a_date);
    CHECK(with(37, 0xFF).error() == ParseError::too_large);
    CHECK(BatchHeader::parse(protocol::Bytes{raw}.first(63)).error() == ParseError::truncated);
}

TEST_CASE("BatchRecord: fields outside their domain are refused") {
    const auto raw = record().bytes();
    REQUIRE(BatchRecord::parse(raw));
    CHECK(*BatchRecord::parse(raw) == record());
    struct Case {
        std::size_t at;
        std::uint8_t value;
        ParseError error;
    };
    for (const Case& c :
         {Case{0, 0, ParseError::wrong_value}, Case{0, 6, ParseError::wrong_value},
          Case{1, 1, ParseError::wrong_value}, Case{3, 10, ParseError::wrong_value},
          Case{12, 0xAA, ParseError::not_bcd}, Case{44, 0x13, ParseError::not_a_date},
          Case{75, 0x07, ParseError::wrong_value}, Case{76, 0, ParseError::wrong_value},
          Case{88, 1, ParseError::wrong_value}, Case{95, 1, ParseError::wrong_value}}) {
        CAPTURE(c.at);
        auto changed = raw;
        changed[c.at] = c.value;
        CHECK(BatchRecord::parse(changed).error() == c.error);
    }
}

TEST_CASE("BatchTrailer: another magic or size is refused") {
    auto raw = protocol::BatchTrailer{}.bytes();
    REQUIRE(protocol::BatchTrailer::parse(raw));
    CHECK_FALSE(protocol::BatchTrailer::parse(protocol::Bytes{raw}.first(111)));
    raw[3] = 'X';
    CHECK(protocol::BatchTrailer::parse(raw).error() == ParseError::wrong_magic);
}
