// What is decided twice, and what is wiped, with a look at what is left. docs/card_security.md,
// section 2. Decisions that are skipped or turned in the image itself: tests/firmware/glitch.
#include <new>

#include <doctest/doctest.h>

#include "crypto/core/secret.hpp"
#include "firmware/purse/state.hpp"
#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using firmware::purse::OfflineState;
using firmware::purse::OnlineState;
using protocol::Money;

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

TEST_CASE("spend: says what was taken, and that is nothing when the limit does not suffice") {
    OfflineState offline{};
    offline.balance = Money::from_fen(100);
    offline.overdraft_used_fen = 20;
    OfflineState most = offline;
    const Money limit = Money::from_fen(130);
    CHECK(firmware::purse::spend(most, limit, limit) == limit);
    CHECK(most.balance == Money::from_fen(0));
    CHECK(most.overdraft_used_fen == 50);
    OfflineState refused = offline;
    for (const std::uint32_t fen : {131U, 0xFFFFFFFFU}) {
        CHECK(firmware::purse::spend(refused, limit, Money::from_fen(fen)) == Money{});
        CHECK(refused.balance == offline.balance);
        CHECK(refused.overdraft_used_fen == 20);
    }
}

TEST_CASE("available: less of an overdraft than is owed leaves nothing of it (domain.md 1.6)") {
    OfflineState offline{};
    offline.balance = Money::from_fen(100);
    offline.overdraft_used_fen = 20;
    OnlineState online{};
    online.overdraft_limit_fen = 50;
    CHECK(firmware::purse::available(offline, online) == Money::from_fen(130));
    online.overdraft_limit_fen = 10;
    CHECK(firmware::purse::available(offline, online) == Money::from_fen(100));
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
