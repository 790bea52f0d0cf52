// The purchase SAM through its commands. domain.md 1.12; docs/card_commands.md, 7 and 8.
#include <doctest/doctest.h>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

using namespace tests;
using protocol::TransactionType;

TEST_CASE(
    "sam: numbers never repeat over resets, and gaps stay within a block "
    "(docs/card_commands.md, 7)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    std::uint32_t last = 0;
    for (int i = 0; i < 100; ++i) {
        const auto opened = open_purchase(card, sam, 1, TransactionType::purchase);
        REQUIRE(opened.sam.sequence.value() > last);
        CHECK(opened.sam.sequence.value() - last <= 33);
        last = opened.sam.sequence.value();
        if (i % 7 == 3) {
            sam.power_on();
            sam.must(protocol::select_by_name(protocol::sam_aid));
        }
    }
}

TEST_CASE("sam: CREDIT refuses a wrong MAC2, and asks once for each INIT (domain.md 1.12)") {
    Chip card = issued_card();
    Chip sam = issued_sam();
    load(card, 1'000);
    CHECK(status(sam.send(protocol::credit_sam_for_purchase({}))) == 0x6901);
    const auto opened = open_purchase(card, sam, 1, TransactionType::purchase);
    const auto proof = protocol::DebitProof::parse_debit(card.must(debit(opened)));
    REQUIRE(proof.has_value());
    auto wrong = proof->mac2;
    wrong[3] ^= 0x80;
    CHECK(status(sam.send(protocol::credit_sam_for_purchase(wrong))) == 0x9302);
    CHECK(status(sam.send(protocol::credit_sam_for_purchase(proof->mac2))) == 0x6901);
}

TEST_CASE("sam: locks a hot-listed card, and signs nothing else (domain.md 1.12)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip card = issued_card(suite);
        Chip sam = issued_sam();
        const std::uint8_t index = suite == Suite::sm4 ? 0 : 1;
        std::vector<std::uint8_t> factors;
        std::ranges::copy(protocol::card_factor(card_number), std::back_inserter(factors));
        std::ranges::copy(issuer.value(), std::back_inserter(factors));
        const auto prepare = protocol::make_command(0x80, 0x1A, 0x45, index, factors);
        const auto challenge = card.must(protocol::get_challenge_4());
        std::vector<std::uint8_t> text{challenge};
        text.resize(8);
        const auto command = hex("841E000004 800000");
        text.insert(text.end(), command.begin(), command.end());
        sam.must(prepare);
        const auto mac = sam.must(protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4));
        card.must(protocol::make_command(0x84, 0x1E, 0x00, 0x00, mac));
        CHECK(status(card.send(protocol::initialise_for_purchase(initialise_data(0)))) == 0x6A81);
        CHECK(status(card.send(protocol::select_by_name(protocol::transit_aid))) == 0x6283);
        // Without 80 1A; another command; another mode; another usage of the key.
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4))) == 0x6901);
        sam.must(prepare);
        text[9] = 0x18;
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4))) == 0x6985);
        sam.must(prepare);
        text[9] = 0x1E;
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x00, 0x00, text, 4))) == 0x6985);
        sam.must(prepare);
        CHECK(status(sam.send(protocol::make_command(0x80, 0xFA, 0x01, 0x00, text, 4))) == 0x6A86);
        CHECK(status(sam.send(protocol::make_command(0x80, 0x1A, 0x46, index, factors))) == 0x6985);
        CHECK(status(sam.send(protocol::make_command(0x80, 0x1A, 0x25, index,
                                                     Bytes{factors}.first(8)))) == 0x6985);
    }
}

namespace {

[[nodiscard]] std::vector<std::uint8_t> both_factors() {
    std::vector<std::uint8_t> factors;
    std::ranges::copy(protocol::card_factor(card_number), std::back_inserter(factors));
    std::ranges::copy(issuer.value(), std::back_inserter(factors));
    return factors;
}
void prepare(Chip& sam, std::uint8_t usage, std::uint8_t index) {
    sam.must(protocol::make_command(0x80, 0x1A, usage, index, both_factors()));
}
[[nodiscard]] protocol::ShortCommand compute(std::uint8_t mode, Bytes data) {
    return protocol::make_command(0x80, 0xFA, mode, 0x00, data, 256);
}

}  // namespace

TEST_CASE("sam: a general key computes what its limit says, and nothing else (domain.md 1.12)") {
    Chip sam = issued_sam();
    const auto key = card_key(protocol::KeyUsage::maintenance, Suite::sm4);
    const auto text = hex("0102030405060708 04D6950006 AABB");
    prepare(sam, 0x46, 2);
    const auto mac = sam.must(compute(0x05, text));
    const crypto::purse::Challenge challenge{std::array<std::uint8_t, 8>{1, 2, 3, 4, 5, 6, 7, 8}};
    CHECK(std::ranges::equal(
        mac, crypto::purse::secure_messaging_mac(key, challenge, {0x04, 0xD6, 0x95, 0x00, 0x06},
                                                 Bytes{text}.last(2))));
    const auto block = hex("00112233445566778899AABBCCDDEEFF");
    prepare(sam, 0x47, 3);
    const auto enciphered = sam.must(compute(0x00, block));
    CHECK(enciphered != block);
    prepare(sam, 0x48, 4);
    CHECK(sam.must(compute(0x80, enciphered)) == block);
    // Every other pair of key and mode is refused.
    constexpr std::array<std::uint8_t, 4> modes{0x00, 0x05, 0x08, 0x80};
    for (const std::uint8_t type :
         {std::uint8_t{5}, std::uint8_t{6}, std::uint8_t{7}, std::uint8_t{8}}) {
        for (const std::uint8_t mode : modes) {
            const bool is_permitted = (type == 6 && (mode == 0x05 || mode == 0x08)) ||
                                      (type == 7 && mode == 0x00) || (type == 8 && mode == 0x80);
            prepare(sam, static_cast<std::uint8_t>(0x40 | type),
                    static_cast<std::uint8_t>(type == 5 ? 0 : type - 4));
            const unsigned answered = status(sam.send(compute(mode, block)));
            CHECK(answered == (is_permitted ? 0x9000U : 0x6985U));
            // One computation for one 80 1A.
            CHECK(status(sam.send(compute(mode, block))) == 0x6901);
        }
    }
    prepare(sam, 0x47, 3);
    CHECK(status(sam.send(compute(0x00, Bytes{block}.first(15)))) == 0x6700);
}

TEST_CASE("sam: a new purchase key is loaded under the transport key only (domain.md 1.9, 1.12)") {
    Chip sam = issued_sam();
    const auto control = card_key(protocol::KeyUsage::control, Suite::sm4);
    auto plain = hex("02040000");
    const auto fresh = master_key(protocol::KeyUsage::load, Suite::sm4);
    std::ranges::copy(fresh.value.bytes(), std::back_inserter(plain));
    std::array<std::uint8_t, 32> text{};
    REQUIRE(crypto::purse::encipher(control, plain, text).has_value());
    const protocol::PlainCommand write{
        protocol::write_key_header(protocol::KeyUsage::sam_purchase, protocol::KeyIndex{0}), text};
    CHECK(status(sam.send(protect(sam, fresh, write))) == 0x6988);
    sam.must(protect(sam, control, write));
    const auto init = [](std::uint8_t version) {
        return protocol::init_sam_for_purchase({{1, 2, 3, 4},
                                                protocol::OfflineCounter{7},
                                                protocol::Money::from_fen(5),
                                                TransactionType::purchase,
                                                noon(),
                                                protocol::KeyVersion{version},
                                                Suite::sm4,
                                                protocol::card_factor(card_number),
                                                issuer.value()});
    };
    CHECK(status(sam.send(init(1))) == 0x9403);
    CHECK(sam.send(init(2)).ok());
}

TEST_CASE("sam: a blocked SAM computes nothing (domain.md 1.1)") {
    Chip sam = issued_sam();
    const auto lock = card_key(protocol::KeyUsage::application_lock, Suite::sm4);
    sam.must(protect(sam, lock, {{0x84, 0x1E, 0, 0}, {}}));
    CHECK(status(sam.send(protocol::make_command(0x80, 0x1A, 0x45, 0, both_factors()))) == 0x6A81);
    Chip card = issued_card();
    load(card, 10);
    CHECK_THROWS((void)open_purchase(card, sam, 1, TransactionType::purchase));
    const auto unlock = card_key(protocol::KeyUsage::application_unlock, Suite::sm4);
    sam.must(protect(sam, unlock, {{0x84, 0x18, 0, 0}, {}}));
    (void)open_purchase(card, sam, 1, TransactionType::purchase);
}

TEST_CASE("sam: the terminal number is read from the application, written only in the MF") {
    Chip sam = issued_sam();
    CHECK(std::ranges::equal(sam.must(protocol::read_terminal_number()), terminal.value()));
    // The application's own maintenance key must not reach a file of the MF.
    constexpr std::array<std::uint8_t, 6> other{9, 9, 9, 9, 9, 9};
    const auto key = card_key(protocol::KeyUsage::maintenance, Suite::sm4);
    const auto write = protocol::write_binary_command(protocol::sam_sfi_terminal, 0, other);
    CHECK(status(sam.send(protect(sam, key, write))) == 0x6A82);
    CHECK(std::ranges::equal(sam.must(protocol::read_terminal_number()), terminal.value()));
}
