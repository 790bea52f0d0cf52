// What docs/card_security.md promises about secrets at rest, in memory and in decisions.
#include <cstring>

#include <doctest/doctest.h>

#include "tests/firmware/support/cuts.hpp"
#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using firmware::KeySlot;
using firmware::ObjectId;
using firmware::Store;
using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::TransactionType;
using Data = std::vector<std::uint8_t>;

namespace {

[[nodiscard]] Data image_of(const TearingFlash& flash) {
    Data out(std::size_t{flash.page_count()} * firmware::flash_model::page_size);
    flash.read(0, out);
    return out;
}

constexpr std::array card_usages{KeyUsage::purchase,
                                 KeyUsage::load,
                                 KeyUsage::transaction_certificate,
                                 KeyUsage::unload,
                                 KeyUsage::overdraft,
                                 KeyUsage::internal_authentication,
                                 KeyUsage::pin_unblock,
                                 KeyUsage::pin_reload,
                                 KeyUsage::application_lock,
                                 KeyUsage::application_unlock,
                                 KeyUsage::maintenance,
                                 KeyUsage::control};

/// Six bytes of any card key, anywhere in `bytes`.
[[nodiscard]] bool holds_a_key(Bytes bytes, Suite suite) {
    for (const KeyUsage usage : card_usages) {
        const PurseKey key = card_key(usage, suite);
        for (const std::size_t from : {std::size_t{0}, std::size_t{5}, std::size_t{10}}) {
            if (!std::ranges::search(bytes, key.value.bytes().subspan(from, 6)).empty()) {
                return true;
            }
        }
    }
    return false;
}

/// Units that hold the masked values of keys, PIN and transport key.
[[nodiscard]] std::vector<std::uint32_t> masked_addresses(Bytes image) {
    std::vector<std::uint32_t> out;
    namespace format = firmware::log_format;
    for (std::uint32_t at = 0; at + 4 <= image.size(); at += 4) {
        firmware::FlashUnit unit;
        std::ranges::copy(image.subspan(at, 4), unit.begin());
        const auto header = format::decode(unit);
        if (!header || header->kind != format::Kind::entry_masked) continue;
        for (unsigned i = 0; i < 4 * format::entry_units(*header); ++i) out.push_back(at + i);
    }
    return out;
}

struct Damages {
    unsigned mute = 0;      ///< the card does not start
    unsigned refused = 0;   ///< 6581
    unsigned answered = 0;  ///< as if nothing were damaged
};
/// What a loaded card answers, of whose stored keys one bit is flipped, byte after byte: `sound`,
/// or that its memory failed, and nothing else.
Damages answers_of_damaged(Bytes command, unsigned sound) {
    Chip card = issued_card();
    // Until the page of the keys is closed: in the newest page a flipped bit keeps the card mute.
    for (unsigned i = 0; i < 20; ++i) load(card, 5);
    const TearingFlash content = card.flash();
    Damages seen;
    for (const std::uint32_t address : masked_addresses(image_of(content))) {
        TearingFlash flipped = content;
        flipped.flip(address, address % 8);
        firmware::Card damaged{flipped, card.random()};
        flipped.reboot();
        if (!damaged.reset()) {
            ++seen.mute;
            continue;
        }
        std::array<std::uint8_t, protocol::short_response_size_max> response{};
        (void)damaged.process(protocol::select_by_name(protocol::transit_aid), response);
        const std::size_t size = damaged.process(command, response);
        const unsigned word = static_cast<unsigned>(response[size - 2] << 8 | response[size - 1]);
        REQUIRE((word == sound || word == 0x6581));
        ++(word == sound ? seen.answered : seen.refused);
    }
    return seen;
}

}  // namespace

TEST_CASE("secrets: no key stands in the flash as it is (docs/card_storage.md, 2.4)") {
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        CHECK_FALSE(holds_a_key(image_of(card.flash()), suite));
    }
}

TEST_CASE("secrets: every flipped bit of a stored key is noticed, none becomes another key") {
    const Chip card = issued_card();
    TearingFlash flash = card.clone().flash();
    const auto addresses = masked_addresses(image_of(flash));
    REQUIRE(addresses.size() > 14 * 28);
    std::vector<std::pair<KeySlot, Data>> keys;
    {
        Store store{flash};
        flash.reboot();
        REQUIRE(store.mount().has_value());
        const firmware::KeyRing ring{store};
        for (std::uint8_t i = 0; i < firmware::objects::key_slot_count; ++i) {
            const auto key = ring.load(KeySlot{i});
            if (key) keys.emplace_back(KeySlot{i}, Data{key->bytes().begin(), key->bytes().end()});
        }
    }
    REQUIRE(keys.size() == 14);
    std::uint64_t noticed = 0;
    for (const std::uint32_t address : addresses) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            TearingFlash flipped = flash;
            flipped.flip(address, bit);
            flipped.reboot();
            Store store{flipped};
            if (!store.mount()) {
                ++noticed;
                continue;
            }
            const firmware::KeyRing ring{store};
            for (const auto& [slot, value] : keys) {
                const auto key = ring.load(slot);
                if (!key) {
                    ++noticed;
                } else {
                    REQUIRE(std::ranges::equal(key->bytes(), value));
                }
            }
        }
    }
    // Padding behind a value, and what an earlier session left dead, may flip without a notice.
    MESSAGE("bits flipped: " << addresses.size() * 8 << ", noticed: " << noticed);
    CHECK(noticed > 13 * 27 * 8);
}

TEST_CASE("secrets: a purchase with a damaged key answers 6581, never a MAC under another key") {
    const Damages seen =
        answers_of_damaged(protocol::initialise_for_purchase(initialise_data(1)), 0x9000);
    CHECK(seen.refused > 20);
    CHECK(seen.answered > 5 * seen.refused);  // the other keys serve as before
}

TEST_CASE("secrets: a damaged key does not pass for a PIN that was never set") {
    const Damages seen =
        answers_of_damaged(protocol::initialise_for_load(initialise_data(500)), 0x6982);
    CHECK(seen.refused > 10);
}

TEST_CASE("secrets: a disturbed bit of the session's rights never grants one") {
    for (const std::uint8_t held :
         {std::uint8_t{0}, firmware::right::pin, firmware::right::control_key, std::uint8_t{3}}) {
        firmware::Rights rights;
        rights.grant(held);
        REQUIRE(rights.bits() == held);
        for (unsigned bit = 0; bit < 8 * sizeof rights; ++bit) {
            std::array<std::uint8_t, sizeof rights> bytes{};
            std::memcpy(bytes.data(), &rights, sizeof rights);
            bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
            firmware::Rights disturbed;
            std::memcpy(static_cast<void*>(&disturbed), bytes.data(), sizeof disturbed);
            CHECK((disturbed.bits() & ~held) == 0);
        }
    }
}

namespace {

struct TwoLooks {
    bool first, second;
    friend bool operator==(const TwoLooks&, const TwoLooks&) = default;
};
constexpr TwoLooks neither{false, false};
[[nodiscard]] TwoLooks looks(const firmware::Proof& proof) {
    return {proof.is_right(), proof.is_still_right()};
}
[[nodiscard]] firmware::Proof compared(Bytes expected, Bytes received) {
    firmware::Proof proof;
    proof.compare(expected, received);
    return proof;
}

}  // namespace

TEST_CASE("secrets: both looks at a proof say yes to equal bytes only, each by itself") {
    const Data right = hex("0011223344556677");
    const Data same = right;
    CHECK(looks(compared(right, same)) == TwoLooks{true, true});
    CHECK(looks(firmware::Proof{}) == neither);
    CHECK(looks(compared(right, right)) == neither);  // a disturbed address: nothing proves itself
    CHECK(looks(compared({}, {})) == neither);
    CHECK(looks(compared(right, Bytes{right}.first(7))) == neither);
    CHECK(looks(compared(Bytes{right}.first(7), right)) == neither);
    for (unsigned bit = 0; bit < 8 * right.size(); ++bit) {
        Data wrong = right;
        wrong[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        CHECK(looks(compared(right, wrong)) == neither);
    }
    auto proof = compared(right, same);
    proof.forget();
    CHECK(looks(proof) == neither);
}

TEST_CASE("secrets: no disturbed bit makes both looks at a wrong proof say yes") {
    const firmware::Proof wrong = compared(hex("0011223344556677"), hex("0011223344556676"));
    for (unsigned bit = 0; bit < 8 * sizeof wrong; ++bit) {
        std::array<std::uint8_t, sizeof wrong> bytes{};
        std::memcpy(bytes.data(), &wrong, sizeof wrong);
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        firmware::Proof disturbed;
        std::memcpy(static_cast<void*>(&disturbed), bytes.data(), sizeof disturbed);
        CHECK_FALSE((disturbed.is_right() && disturbed.is_still_right()));
    }
}

namespace {

/// The card's whole memory: the object itself. A card has no other state.
[[nodiscard]] Bytes memory_of(const firmware::Card& card) {
    return {reinterpret_cast<const std::uint8_t*>(&card), sizeof card};  // [basic.lval]/11
}

[[nodiscard]] bool holds(Bytes memory, Bytes secret) {
    return !std::ranges::search(memory, secret).empty();
}

}  // namespace

TEST_CASE("secrets: between commands no key, process key or PIN is left in the card's memory") {
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        Chip sam = issued_sam();
        const auto clean = [&] {
            CHECK_FALSE(holds_a_key(memory_of(card.card()), suite));
            CHECK_FALSE(holds(memory_of(card.card()), hex("0312345600")));  // a padded PIN
        };
        load(card, 1'000, suite);
        clean();
        const auto opened = open_purchase(card, sam, 5, TransactionType::purchase);
        clean();
        const auto key = crypto::purse::offline_process_key(card_key(KeyUsage::purchase, suite),
                                                            opened.card.random, opened.card.counter,
                                                            opened.sam.sequence);
        card.must(debit(opened));
        clean();
        CHECK_FALSE(holds(memory_of(card.card()), key.bytes().first(8)));
        CHECK_FALSE(holds(memory_of(sam.card()), key.bytes().first(8)));
        const auto with = card_key(KeyUsage::maintenance, suite);
        card.must(protect(
            card, with, protocol::write_binary_command(protocol::sfi_management, 0, hex("0000"))));
        clean();
        (void)card.send(hex("805E0100 07 123456 FF 987654"));
        clean();
        CHECK_FALSE(holds(memory_of(card.card()), hex("987654")));
    }
}

TEST_CASE("secrets: a SAM forgets a derived key with its use, and with another application") {
    Chip sam = issued_sam();
    const auto derived = card_key(KeyUsage::application_lock, Suite::sm4);
    Data factors;
    std::ranges::copy(protocol::card_factor(card_number), std::back_inserter(factors));
    std::ranges::copy(issuer.value(), std::back_inserter(factors));
    const auto prepare = protocol::make_command(0x80, 0x1A, 0x45, 0, factors);
    const auto is_left = [&] {
        return holds(memory_of(sam.card()), derived.value.bytes().first<8>());
    };
    sam.must(prepare);
    CHECK(is_left());  // it waits for 80 FA: the test can see it
    (void)sam.send(hex("80FA0500 10 0102030405060708 841E000004800000"));
    CHECK_FALSE(is_left());
    sam.must(prepare);
    sam.must(protocol::select_file(protocol::master_file));
    CHECK_FALSE(is_left());
    sam.must(protocol::select_by_name(protocol::sam_aid));
    sam.must(prepare);
    (void)sam.send(hex("00B0960006"));
    CHECK_FALSE(is_left());
}

TEST_CASE("secrets: nothing behind the answer is left in the response buffer") {
    Chip card = issued_card();
    std::array<std::uint8_t, protocol::short_response_size_max> response{};
    response.fill(0xA5);
    const std::size_t size = card.card().process(protocol::get_balance(), response);
    CHECK(std::ranges::all_of(Bytes{response}.subspan(size), [](auto byte) { return byte == 0; }));
}
