#include "protocol/money.hpp"

#include <doctest/doctest.h>

using protocol::Fen;
using protocol::Money;

TEST_CASE("Money: a sum that does not fit four bytes is refused") {
    CHECK(add(Money::from_fen(1), Money::from_fen(2)) == Money::from_fen(3));
    CHECK_FALSE(add(Money::from_fen(0xFFFFFFFF), Money::from_fen(1)));
    CHECK(add(Money::from_fen(0xFFFFFFFE), Money::from_fen(1)) == Money::from_fen(0xFFFFFFFF));
}

TEST_CASE("Money: more than there is cannot be taken") {
    CHECK(subtract(Money::from_fen(5), Money::from_fen(5)) == Money::from_fen(0));
    CHECK_FALSE(subtract(Money::from_fen(4), Money::from_fen(5)));
}

TEST_CASE("Fen: overflow is refused at both ends") {
    CHECK_FALSE(add(Fen{INT64_MAX}, Fen{1}));
    CHECK_FALSE(subtract(Fen{INT64_MIN}, Fen{1}));
    CHECK(subtract(Fen{3}, Fen{5}) == Fen{-2});
    CHECK(Fen{Money::from_fen(0xFFFFFFFF)}.value() == 4294967295);
}
