// What is decided twice, with one of the two decisions disturbed on purpose, and what is wiped,
// with a look at what is left. equal_twice is compiled here once more, over a first comparison that
// a test can make lie. docs/card_security.md, section 2.
#include <new>

#include "crypto/core/secret.hpp"

namespace crypto {
namespace {

enum class Fault : unsigned char { none, always_equal, never_equal };
Fault fault = Fault::none;

[[nodiscard]] bool disturbed_comparison(Bytes a, Bytes b) {
    if (fault == Fault::none) return equal_constant_time(a, b);
    return fault == Fault::always_equal;
}

}  // namespace
}  // namespace crypto

#define equal_constant_time disturbed_comparison
#include "firmware/os/keys.cpp"
#undef equal_constant_time

#include <doctest/doctest.h>

#include "firmware/purse/state.hpp"
#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using crypto::Fault;
using firmware::purse::OfflineState;
using firmware::purse::OnlineState;
using protocol::Money;

TEST_CASE("equal_twice: the second comparison refuses what the first lets pass") {
    const auto right = hex("0011223344556677");
    crypto::fault = Fault::always_equal;
    CHECK(firmware::equal_twice(right, right));
    for (unsigned bit = 0; bit < 8 * right.size(); ++bit) {
        auto wrong = right;
        wrong[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        CHECK_FALSE(firmware::equal_twice(right, wrong));
    }
    crypto::fault = Fault::none;
}

TEST_CASE("equal_twice: the first comparison refuses, whatever the second would say") {
    const auto right = hex("0011223344556677");
    crypto::fault = Fault::never_equal;
    CHECK_FALSE(firmware::equal_twice(right, right));
    crypto::fault = Fault::none;
}

TEST_CASE("a try that cannot be taken ends the command: a right PIN and a wrong one look alike") {
    Chip card = issued_card();
    card.flash().wear_out();
    CHECK(status(card.send(protocol::verify_pin(first_pin))) == 0x6581);
    Chip other = issued_card();
    other.flash().wear_out();
    CHECK(status(other.send(protocol::verify_pin(hex("654321")))) == 0x6581);
}

TEST_CASE("the try falls before the comparison: power lost behind it leaves one less, PIN or no") {
    unsigned fallen = 0;
    for (std::uint64_t operation = 0; operation < 100; ++operation) {
        Chip card = issued_card();
        card.flash().cut_at({operation, Tear::not_begun, 0});
        try {
            (void)card.send(protocol::verify_pin(first_pin));
        } catch (const PowerLost&) {
            card.power_on();
            card.must(protocol::select_by_name(protocol::transit_aid));
            const auto left = card.tries_left(protocol::KeyUsage::pin, protocol::KeyIndex{0});
            fallen += left == 2 ? 1U : 0U;
            continue;
        }
        break;  // the command was over before the cut came
    }
    CHECK(fallen > 0);
}

TEST_CASE("a right that did not become durable is not there, wherever the flash failed") {
    bool is_granted = false;
    for (std::uint64_t operations = 0; operations < 100 && !is_granted; ++operations) {
        Chip card = issued_card();
        card.flash().fail_after(operations);
        const unsigned verified = status(card.send(protocol::verify_pin(first_pin)));
        const auto read = protocol::read_binary(protocol::sfi_holder, 0, 55);
        is_granted = verified == 0x9000;
        CHECK((is_granted || verified == 0x6581));
        CHECK(status(card.send(read)) == (is_granted ? 0x9000 : 0x6982));
    }
    CHECK(is_granted);
}

TEST_CASE("spend: refuses by itself what INITIALIZE should have refused (domain.md 1.6)") {
    OnlineState online{};
    online.overdraft_limit_fen = 50;
    OfflineState offline{};
    offline.balance = Money::from_fen(100);
    offline.overdraft_used_fen = 20;
    OfflineState most = offline;
    CHECK(firmware::purse::spend(most, online, Money::from_fen(130)));
    CHECK(most.balance == Money::from_fen(0));
    CHECK(most.overdraft_used_fen == 50);
    OfflineState refused = offline;
    CHECK_FALSE(firmware::purse::spend(refused, online, Money::from_fen(131)));
    CHECK_FALSE(firmware::purse::spend(refused, online, Money::from_fen(0xFFFFFFFF)));
    CHECK(refused.balance == offline.balance);
    CHECK(refused.overdraft_used_fen == 20);
    online.overdraft_limit_fen = 10;  // less than is owed: nothing is left of it
    CHECK_FALSE(firmware::purse::spend(refused, online, Money::from_fen(101)));
}

TEST_CASE("receive: more than a balance can hold is refused and changes nothing (domain.md 3.1)") {
    OfflineState offline{};
    offline.balance = Money::from_fen(0x7FFFFFFE);
    CHECK(firmware::purse::receive(offline, Money::from_fen(1)));
    CHECK_FALSE(firmware::purse::receive(offline, Money::from_fen(1)));
    CHECK_FALSE(firmware::purse::receive(offline, Money::from_fen(0xFFFFFFFF)));
    CHECK(offline.balance == Money::from_fen(0x7FFFFFFF));
}

TEST_CASE("SecretBytes: the destructor and the move leave zeros") {
    using Secret = crypto::SecretBytes<16>;
    alignas(Secret) std::array<std::uint8_t, sizeof(Secret)> place{};
    const auto is_wiped = [&] {
        return std::ranges::all_of(place, [](std::uint8_t byte) { return byte == 0; });
    };
    constexpr std::array<std::uint8_t, 16> value{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    auto* const secret = new (place.data()) Secret{value};
    CHECK_FALSE(is_wiped());
    {
        const Secret moved{std::move(*secret)};
        CHECK(is_wiped());
        std::ranges::copy(moved.bytes(), secret->bytes().begin());
    }
    CHECK_FALSE(is_wiped());
    secret->~SecretBytes();
    CHECK(is_wiped());
}

TEST_CASE("Transaction: nothing that was staged is left in it, cleared or destroyed") {
    using firmware::Transaction;
    const auto secret = hex("00112233445566778899AABBCCDDEEFF");
    alignas(Transaction) std::array<std::uint8_t, sizeof(Transaction)> place{};
    const auto is_left = [&] { return !std::ranges::search(place, secret).empty(); };
    auto* const change = new (place.data()) Transaction;
    REQUIRE(change->put_masked(firmware::ObjectId{40}, secret).has_value());
    CHECK(is_left());
    change->clear();
    CHECK_FALSE(is_left());
    REQUIRE(change->put_masked(firmware::ObjectId{40}, secret).has_value());
    CHECK(is_left());
    change->~Transaction();
    CHECK_FALSE(is_left());
}
