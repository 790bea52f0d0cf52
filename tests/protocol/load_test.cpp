#include "protocol/load.hpp"

#include <doctest/doctest.h>

#include "tests/protocol/hex.hpp"

using protocol::ParseError;

namespace {

const protocol::DateTime when{*protocol::Date::make(2026, 11, 23), *protocol::Time::make(8, 1, 2)};

}  // namespace

TEST_CASE("LoadRequest: written and read back, other types and cuts refused") {
    protocol::LoadRequest request{};
    request.when = when;
    request.card_answer.suite = protocol::Suite::sm4;
    const auto raw = request.bytes();
    REQUIRE(protocol::LoadRequest::parse(raw));
    CHECK(protocol::LoadRequest::parse(raw)->bytes() == raw);
    for (std::size_t size = 0; size < raw.size(); ++size) {
        CHECK_FALSE(protocol::LoadRequest::parse(protocol::Bytes{raw}.first(size)));
    }
    auto wrong = raw;
    wrong[34] = 0x06;
    CHECK(protocol::LoadRequest::parse(wrong).error() == ParseError::wrong_value);
    wrong = raw;
    wrong[20] = 0x0A;
    CHECK(protocol::LoadRequest::parse(wrong).error() == ParseError::not_bcd);
}

TEST_CASE("LoadAnswer, confirmation, reversal: values outside their lists are refused") {
    protocol::LoadAnswer answer{protocol::LoadOutcome::approved, when, {1, 2, 3, 4}};
    auto raw = answer.bytes();
    REQUIRE(protocol::LoadAnswer::parse(raw));
    raw[0] = 0x0E;
    CHECK(protocol::LoadAnswer::parse(raw).error() == ParseError::wrong_value);

    protocol::LoadReversal reversal{{}, protocol::ReversalReason::never_sent};
    auto reversal_raw = reversal.bytes();
    REQUIRE(protocol::LoadReversal::parse(reversal_raw));
    for (const int wrong : {0, 3}) {
        reversal_raw[12] = static_cast<std::uint8_t>(wrong);
        CHECK(protocol::LoadReversal::parse(reversal_raw).error() == ParseError::wrong_value);
    }
    CHECK_FALSE(protocol::LoadConfirmation::parse(tests::hex("00")));
}
