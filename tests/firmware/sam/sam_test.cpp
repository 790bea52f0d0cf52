// The purchase SAM through its commands. domain.md 1.12; docs/card_commands.md, 7 and 8.
#include <set>

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
    const auto next = open_purchase(card, sam, 1, TransactionType::purchase);
    const auto right = protocol::DebitProof::parse_debit(card.must(debit(next)));
    REQUIRE(right.has_value());
    sam.must(protocol::credit_sam_for_purchase(right->mac2));
    CHECK(status(sam.send(protocol::credit_sam_for_purchase(right->mac2))) == 0x6901);
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

namespace {

/// WRITE KEY's plaintext: version1 suite1 tries1 limit1 key16, and uses2 of a delegated key.
[[nodiscard]] std::vector<std::uint8_t> key_text(std::uint8_t version, std::uint8_t limit,
                                                 const PurseKey& key,
                                                 std::optional<std::uint16_t> uses = {}) {
    std::vector<std::uint8_t> text{version, static_cast<std::uint8_t>(key.suite), 0x00, limit};
    std::ranges::copy(key.value.bytes(), std::back_inserter(text));
    if (uses) {
        text.push_back(static_cast<std::uint8_t>(*uses >> 8));
        text.push_back(static_cast<std::uint8_t>(*uses));
    }
    return text;
}
[[nodiscard]] protocol::ShortCommand prepare_lock(Suite suite) {
    return protocol::make_command(0x80, 0x1A, protocol::delegated_lock_limit,
                                  counted_lock_index(suite), both_factors());
}
/// 80 FA of a lock of a hot-listed card with a challenge that says which.
[[nodiscard]] protocol::ShortCommand compute_lock(std::uint8_t mark = 1) {
    auto text = hex("0102030405060708 841E000004 800000");
    text[0] = mark;
    return protocol::make_command(0x80, 0xFA, 0x05, 0x00, text, 4);
}
[[nodiscard]] PurseKey control_of(Suite suite) {
    return card_key(protocol::KeyUsage::control, suite);
}

}  // namespace

TEST_CASE("sam: a key with limited uses computes so often over resets (docs/card_commands.md, 8)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip sam = issued_sam(1, suite);
        for (std::uint8_t use = 0; use < counted_uses.value(); ++use) {
            // Preparing and being refused are no use: nothing was computed.
            sam.must(prepare_lock(suite));
            CHECK(status(sam.send(compute(0x08, hex("0102030405060708")))) == 0x6985);
            CHECK(status(sam.send(compute_lock(use))) == 0x6901);
            sam.must(prepare_lock(suite));
            const auto mac = sam.must(compute_lock(use));
            const crypto::purse::Challenge challenge{
                std::array<std::uint8_t, 8>{use, 2, 3, 4, 5, 6, 7, 8}};
            CHECK(std::ranges::equal(mac, crypto::purse::secure_messaging_mac(
                                              card_key(protocol::KeyUsage::application_lock, suite),
                                              challenge, {0x84, 0x1E, 0x00, 0x00, 0x04}, {})));
            sam.power_on();
            sam.must(protocol::select_by_name(protocol::sam_aid));
        }
        CHECK(status(sam.send(prepare_lock(suite))) == 0x9402);
        CHECK(status(sam.send(compute_lock())) == 0x6901);
        sam.power_on();
        sam.must(protocol::select_by_name(protocol::sam_aid));
        CHECK(status(sam.send(prepare_lock(suite))) == 0x9402);
        // The same card's lock under the key that is not counted is another key's business.
        sam.must(protocol::make_command(0x80, 0x1A, protocol::delegated_lock_limit,
                                        suite == Suite::sm4 ? 0 : 1, both_factors()));
        sam.must(compute_lock());
    }
}

TEST_CASE("sam: a use is durable before its answer leaves (docs/card_commands.md 8)") {
    Chip sam = issued_sam();
    sam.must(prepare_lock(Suite::sm4));
    sam.flash().wear_out();
    const auto refused = sam.send(compute_lock());
    CHECK(status(refused) == 0x6581);
    CHECK(refused.data.empty());
    sam.flash().repair();
    sam.power_on();
    sam.must(protocol::select_by_name(protocol::sam_aid));
    // One use: 4 bytes of header, 4 + 4 of the entry, 4 of the check, 4 of the seal.
    sam.must(prepare_lock(Suite::sm4));
    sam.must(compute_lock());
    sam.must(prepare_lock(Suite::sm4));
    const auto before = sam.flash().counts().programs;
    sam.must(compute_lock());
    CHECK(4 * (sam.flash().counts().programs - before) == 20);
    // A key without a limit programs nothing.
    prepare(sam, 0x46, 2);
    const auto between = sam.flash().counts().programs;
    sam.must(compute(0x08, hex("0102030405060708")));
    CHECK(sam.flash().counts().programs == between);
}

TEST_CASE("sam: only the issuer renews the uses of a key (docs/card_commands.md 8)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip sam = issued_sam(1, suite);
        const auto lock = master_key(protocol::KeyUsage::application_lock, suite);
        const protocol::KeyIndex index{counted_lock_index(suite)};
        const auto renew = [&](const PurseKey& control, Bytes text) {
            return status(sam.send(
                write_key(sam, control, protocol::KeyUsage::sam_delegated_mac, index, text)));
        };
        const auto uses = [&] {
            unsigned count = 0;
            while (count < 10 && sam.send(prepare_lock(suite)).ok()) {
                sam.must(compute_lock());
                ++count;
            }
            return count;
        };
        CHECK(uses() == counted_uses.value());
        CHECK(renew(card_key(protocol::KeyUsage::maintenance, suite), key_text(2, 0x45, lock, 5)) ==
              0x6988);
        // The two bytes belong to it, and no other key has them.
        CHECK(renew(control_of(suite), key_text(2, 0x45, lock)) == 0x6A80);
        CHECK(status(sam.send(write_key(sam, control_of(suite), protocol::KeyUsage::sam_purchase,
                                        protocol::KeyIndex{0}, key_text(2, 0, lock, 5)))) ==
              0x6A80);
        CHECK(uses() == 0);
        CHECK(renew(control_of(suite), key_text(2, 0x45, lock, 5)) == 0x9000);
        CHECK(uses() == 5);
        CHECK(renew(control_of(suite), key_text(3, 0x45, lock, 0)) == 0x9000);  // without limit
        CHECK(uses() == 10);
        CHECK(renew(control_of(suite), key_text(4, 0x45, lock, 1)) == 0x9000);
        CHECK(uses() == 1);
    }
}

TEST_CASE("sam: no key is loaded that would encipher the keys derived from it into the open") {
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        Chip sam = issued_sam(1, suite);
        const auto load_with = [&](unsigned limit) {
            return status(sam.send(
                write_key(sam, control_of(suite), protocol::KeyUsage::sam_delegated_mac,
                          protocol::KeyIndex{counted_lock_index(suite)},
                          key_text(2, static_cast<std::uint8_t>(limit), control_of(suite), 1))));
        };
        const std::set<unsigned> sound{0x05, 0x06, 0x08, 0x25, 0x26, 0x28, 0x45,
                                       0x46, 0x47, 0x48, 0x65, 0x66, 0x67, 0x68};
        for (unsigned limit = 0; limit < 0x100; ++limit) {
            CHECK(load_with(limit) == (sound.contains(limit) ? 0x9000U : 0x6A80U));
        }
    }
}

TEST_CASE("sam: more uses than were written are damage and no gift") {
    Chip sam = issued_sam();
    {
        firmware::Store store{sam.flash()};
        REQUIRE(store.mount().has_value());
        for (std::uint16_t slot = 0; slot < firmware::objects::key_slot_count; ++slot) {
            const firmware::ObjectId id{
                static_cast<std::uint16_t>(firmware::objects::key_tries_first + slot)};
            std::array<std::uint8_t, 2> uses{};
            if (!store.read(id, uses)) continue;
            CHECK(uses == std::array<std::uint8_t, 2>{0, 3});
            firmware::Transaction change;
            uses[1] = 4;
            REQUIRE(change.put(id, uses).has_value());
            REQUIRE(store.commit(change, firmware::Urgency::tap).has_value());
        }
    }
    sam.power_on();
    sam.must(protocol::select_by_name(protocol::sam_aid));
    CHECK(status(sam.send(prepare_lock(Suite::sm4))) == 0x6581);
}

TEST_CASE("sam: a new purchase key is loaded under the transport key only (domain.md 1.9, 1.12)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip sam = issued_sam(1, suite);
        const auto fresh = master_key(protocol::KeyUsage::load, Suite::sm4);
        const auto text = key_text(2, 0, fresh);
        const auto write = [&](const PurseKey& with, std::uint8_t index) {
            return status(sam.send(write_key(sam, with, protocol::KeyUsage::sam_purchase,
                                             protocol::KeyIndex{index}, text)));
        };
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
        CHECK(write(fresh, 0) == 0x6988);
        CHECK(write(card_key(protocol::KeyUsage::application_lock, suite), 0) == 0x6988);
        CHECK(write(control_of(suite), 7) == 0x6985);  // only in place of another
        CHECK(sam.send(init(1)).ok());
        CHECK(write(control_of(suite), 0) == 0x9000);
        CHECK(status(sam.send(init(1))) == 0x9403);
        CHECK(sam.send(init(2)).ok());
    }
}

TEST_CASE("sam: a blocked SAM computes nothing and blocked for good is for ever (domain.md 1.1)") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip sam = issued_sam(1, suite);
        Chip card = issued_card(suite);
        load(card, 10, suite);
        const auto lock = card_key(protocol::KeyUsage::application_lock, suite);
        const auto unlock = card_key(protocol::KeyUsage::application_unlock, suite);
        const auto computes = [&](unsigned refusal) {
            CHECK(status(sam.send(protocol::make_command(0x80, 0x1A, 0x45, 0, both_factors()))) ==
                  refusal);
            CHECK(status(sam.send(compute_lock())) == refusal);
            CHECK(status(sam.send(protocol::credit_sam_for_purchase({}))) == refusal);
            CHECK(status(
                      sam.send(write_key(sam, control_of(suite), protocol::KeyUsage::sam_purchase,
                                         protocol::KeyIndex{0}, key_text(2, 0, lock)))) == refusal);
            CHECK_THROWS((void)open_purchase(card, sam, 1, TransactionType::purchase));
        };
        CHECK(status(sam.send(protect(sam, unlock, {{0x84, 0x1E, 0, 0}, {}}))) == 0x6988);
        (void)open_purchase(card, sam, 1, TransactionType::purchase);
        // A purchase and a computation that are open when the block comes end with it.
        sam.must(protocol::make_command(0x80, 0x1A, 0x45, 0, both_factors()));
        sam.must(protect(sam, lock, {{0x84, 0x1E, 0, 0}, {}}));
        computes(0x6A81);
        sam.power_on();
        CHECK(status(sam.send(protocol::select_by_name(protocol::sam_aid))) == 0x6283);
        computes(0x6A81);
        sam.must(protect(sam, unlock, {{0x84, 0x18, 0, 0}, {}}));
        (void)open_purchase(card, sam, 1, TransactionType::purchase);
        sam.must(protect(sam, lock, {{0x84, 0x1E, 0, 1}, {}}));
        computes(0x9303);
        CHECK(status(sam.send(protect(sam, unlock, {{0x84, 0x18, 0, 0}, {}}))) == 0x9303);
    }
}

TEST_CASE("sam: the terminal number is read from the application, written only in the MF") {
    for (const auto suite : {Suite::sm4, Suite::triple_des}) {
        Chip sam = issued_sam(1, suite);
        CHECK(std::ranges::equal(sam.must(protocol::read_terminal_number()), terminal.value()));
        // The application's own maintenance key must not reach a file of the MF.
        constexpr std::array<std::uint8_t, 6> other{9, 9, 9, 9, 9, 9};
        const auto key = card_key(protocol::KeyUsage::maintenance, suite);
        const auto write = protocol::write_binary_command(protocol::sam_sfi_terminal, 0, other);
        CHECK(status(sam.send(protect(sam, key, write))) == 0x6A82);
        // Nor as the current file, which reading made it.
        sam.must(protocol::read_terminal_number());
        const protocol::PlainCommand current{{0x04, 0xD6, 0x00, 0x00}, other};
        CHECK(status(sam.send(protect(sam, key, current))) == 0x6A82);
        CHECK(std::ranges::equal(sam.must(protocol::read_terminal_number()), terminal.value()));
        sam.must(protocol::select_file(protocol::master_file));
        CHECK(status(sam.send(protect(sam, key, write))) == 0x6988);
        CHECK(std::ranges::equal(sam.must(protocol::read_terminal_number()), terminal.value()));
        sam.must(protect(sam, sam_master_file_key(suite), write));
        sam.must(protocol::select_by_name(protocol::sam_aid));
        CHECK(std::ranges::equal(sam.must(protocol::read_terminal_number()), other));
        // The next MAC1 covers the new number: the card, told the old one, refuses it.
        Chip card = issued_card(suite);
        load(card, 10, suite);
        const auto opened = open_purchase(card, sam, 1, TransactionType::purchase);
        CHECK(status(card.send(debit(opened))) == 0x9302);
    }
}
