// The MAC engine: every form, every batch size, every refusal, against crypto/purse and OpenSSL.
#include <doctest/doctest.h>

#include "tests/crypto/batch_records.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::batch;
using protocol::Suite;
using tests::Issuers;

const Forms portable{};

std::string describe(const Forms& forms) {
    return std::string{"SM4 "} + name(forms.sm4) + ", 3DES " + name(forms.des);
}

/// Around every lane count and its multiples.
std::vector<std::size_t> sizes() {
    std::vector<std::size_t> out{0, 1, 2, 3, 5, 17};
    for (const std::size_t lanes : {32U, 64U, 128U, 256U, 512U}) {
        for (const std::size_t times : {1U, 4U}) {
            for (const std::size_t more : {0U, 1U, 2U}) out.push_back(lanes * times - 1 + more);
        }
    }
    out.push_back(5000);
    return out;
}

std::vector<Mac> tacs(const Issuers& issuers, std::span<const TacRecord> records,
                      const Forms& forms, unsigned threads = 1) {
    std::vector<Mac> out(records.size());
    REQUIRE(compute_tacs(issuers.table, records, out, {.threads = threads, .forms = forms}));
    return out;
}

std::vector<Mac> macs(const Issuers& issuers, std::span<const PurchaseMacRecord> records,
                      const Forms& forms, unsigned threads = 1) {
    std::vector<Mac> out(records.size());
    REQUIRE(
        compute_purchase_macs(issuers.table, records, out, {.threads = threads, .forms = forms}));
    return out;
}

/// The first `size` of `expected`, computed as a batch of that size.
void check_prefix(const Issuers& issuers, std::span<const TacRecord> tac_records,
                  std::span<const PurchaseMacRecord> mac_records, const Forms& forms,
                  std::size_t size, std::span<const Mac> expected_tacs,
                  std::span<const Mac> expected_macs) {
    CAPTURE(size);
    REQUIRE(std::ranges::equal(tacs(issuers, tac_records.first(size), forms),
                               expected_tacs.first(size)));
    REQUIRE(std::ranges::equal(macs(issuers, mac_records.first(size), forms),
                               expected_macs.first(size)));
}

/// One more than two of the widest vectors.
constexpr std::size_t all_sizes = 1025;
/// Every size in an optimised build; without optimisation, under the sanitizers, some.
#if defined(__OPTIMIZE__)
constexpr std::size_t size_step = 1;
#else
constexpr std::size_t size_step = 11;
#endif

void check_vector(const tests::Vector& vector, Suite suite, const std::string& field,
                  const Forms& forms) {
    IssuerKeyTable table;
    const auto key = table.add({.suite = suite}, vector.bytes<16>("Master"));
    REQUIRE(key);
    const TacRecord tac{.card_factor = vector.bytes<8>("Factor"),
                        .input = vector.bytes<22>("TacInput"),
                        .key = *key,
                        .tac = {}};
    const PurchaseMacRecord mac{.card_factor = vector.bytes<8>("Factor"),
                                .process_seed = vector.bytes<8>("Seed"),
                                .input = vector.bytes<18>("MacInput"),
                                .key = *key,
                                .mac = {}};
    Mac out{};
    REQUIRE(compute_tacs(table, {&tac, 1}, {&out, 1}, {.forms = forms}));
    CHECK(tests::to_hex(out) == vector.text(field + "Tac"));
    REQUIRE(compute_purchase_macs(table, {&mac, 1}, {&out, 1}, {.forms = forms}));
    CHECK(tests::to_hex(out) == vector.text(field + "Mac1"));
}

}  // namespace

TEST_CASE("compute: what OpenSSL computes for derived keys (domain.md 1.3, 1.4, 1.10, 1.13)") {
    for (const tests::Vector& vector : tests::read_vectors("crypto/batch_mac.vec")) {
        for (const Forms& forms : tests::forms_here()) {
            CAPTURE(vector.place());
            CAPTURE(describe(forms));
            check_vector(vector, Suite::triple_des, "TripleDes", forms);
            check_vector(vector, Suite::sm4, "Sm4", forms);
        }
    }
}

TEST_CASE("compute_tacs: equal to crypto/purse, card by card (ISO/IEC 9797-1:2011, algorithm 1)") {
    std::mt19937_64 random{20250101};
    const Issuers issuers = tests::mixed_issuers(7, random);
    const auto records = tests::random_tac_records(700, issuers, random);
    for (const Forms& forms : tests::forms_here()) {
        CAPTURE(describe(forms));
        const auto computed = tacs(issuers, records, forms);
        for (std::size_t i = 0; i < records.size(); ++i) {
            REQUIRE(computed[i] == tests::tac_of(issuers, records[i]));
        }
    }
}

TEST_CASE("compute_purchase_macs: equal to crypto/purse, card by card (domain.md 1.3 SESPK)") {
    std::mt19937_64 random{20250102};
    const Issuers issuers = tests::mixed_issuers(7, random);
    const auto records = tests::random_mac_records(700, issuers, random);
    for (const Forms& forms : tests::forms_here()) {
        CAPTURE(describe(forms));
        const auto computed = macs(issuers, records, forms);
        for (std::size_t i = 0; i < records.size(); ++i) {
            REQUIRE(computed[i] == tests::mac_of(issuers, records[i]));
        }
    }
}

TEST_CASE("compute: every form agrees with the portable one at every batch size") {
    std::mt19937_64 random{20250103};
    for (const unsigned key_count : {1U, 2U, 40U}) {
        const Issuers issuers = tests::mixed_issuers(key_count, random);
        for (const std::size_t size : sizes()) {
            const auto tac_records = tests::random_tac_records(size, issuers, random);
            const auto mac_records = tests::random_mac_records(size, issuers, random);
            const auto expected_tacs = tacs(issuers, tac_records, portable);
            const auto expected_macs = macs(issuers, mac_records, portable);
            for (const Forms& forms : tests::forms_here()) {
                CAPTURE(describe(forms));
                CAPTURE(size);
                CAPTURE(key_count);
                REQUIRE(tacs(issuers, tac_records, forms) == expected_tacs);
                REQUIRE(macs(issuers, mac_records, forms) == expected_macs);
            }
        }
    }
}

TEST_CASE("compute: every form agrees with crypto/purse at every size from 0 to 1,025") {
    std::mt19937_64 random{20250111};
    for (const bool in_runs : {false, true}) {  // keys at random, and neighbours of one key
        const Issuers issuers = tests::mixed_issuers(6, random);
        auto tac_records = tests::random_tac_records(all_sizes, issuers, random);
        auto mac_records = tests::random_mac_records(all_sizes, issuers, random);
        std::vector<Mac> expected_tacs;
        std::vector<Mac> expected_macs;
        for (std::size_t i = 0; i < all_sizes; ++i) {
            const IssuerKeyIndex run{static_cast<std::uint16_t>(i / 300)};
            if (in_runs) tac_records[i].key = mac_records[i].key = run;
            expected_tacs.push_back(tests::tac_of(issuers, tac_records[i]));
            expected_macs.push_back(tests::mac_of(issuers, mac_records[i]));
        }
        for (const Forms& forms : tests::forms_here()) {
            CAPTURE(describe(forms));
            for (std::size_t size = 0; size <= all_sizes; size += size_step) {
                check_prefix(issuers, tac_records, mac_records, forms, size, expected_tacs,
                             expected_macs);
            }
        }
    }
}

TEST_CASE("compute: every form and thread count agrees in large batches of random size") {
    std::mt19937_64 random{20250112};
    const Issuers issuers = tests::mixed_issuers(90, random);
    for (int round = 0; round < 4; ++round) {
        const std::size_t size = 30'000 + random() % (round == 0 ? 200'000 : 20'000);
        const auto tac_records = tests::random_tac_records(size, issuers, random);
        const auto mac_records = tests::random_mac_records(size, issuers, random);
        const auto expected_tacs = tacs(issuers, tac_records, portable);
        const auto expected_macs = macs(issuers, mac_records, portable);
        const unsigned threads = 1 + static_cast<unsigned>(random() % 3);
        CAPTURE(size);
        CAPTURE(threads);
        for (const Forms& forms : tests::forms_here()) {
            CAPTURE(describe(forms));
            REQUIRE(tacs(issuers, tac_records, forms, threads) == expected_tacs);
            REQUIRE(macs(issuers, mac_records, forms, threads) == expected_macs);
        }
        for (std::size_t i = 0; i < size; i += size / 50) {
            REQUIRE(expected_tacs[i] == tests::tac_of(issuers, tac_records[i]));
            REQUIRE(expected_macs[i] == tests::mac_of(issuers, mac_records[i]));
        }
    }
}

TEST_CASE("compute: one city's keys of two purposes, two versions and both suites, side by side") {
    std::mt19937_64 random{20250113};
    const Issuers issuers = tests::one_city(random);
    REQUIRE(issuers.keys.size() == 8);
    for (std::size_t i = 0; i < 8; ++i) {  // every name leads to its own key
        const IssuerKeyIndex index{static_cast<std::uint16_t>(i)};
        CHECK(issuers.table.find(issuers.table.name(index)) == index);
    }
    const auto records = tests::random_tac_records(3000, issuers, random);
    for (const Forms& forms : tests::forms_here()) {
        CAPTURE(describe(forms));
        const auto computed = tacs(issuers, records, forms);
        for (std::size_t i = 0; i < records.size(); ++i) {
            REQUIRE(computed[i] == tests::tac_of(issuers, records[i]));
        }
    }
}

TEST_CASE("verify: outcomes of neighbours that straddle two words fall on the right records") {
    std::mt19937_64 random{20250114};
    const Issuers issuers = tests::mixed_issuers(2, random);  // 0: SM4, 1: 3DES
    for (const std::size_t start : {1U, 31U, 33U, 63U, 64U, 65U}) {
        for (const std::uint16_t run_key : {std::uint16_t{0}, std::uint16_t{1}}) {
            auto records = tests::random_tac_records(start + 1100, issuers, random);
            std::vector<std::uint64_t> expected(outcome_words(records.size()));
            for (std::size_t i = 0; i < records.size(); ++i) {  // a stranger first, then a long run
                const bool stranger = i < start;
                records[i].key =
                    IssuerKeyIndex{static_cast<std::uint16_t>(stranger ? 1 - run_key : run_key)};
                if (random() % 2 == 0) continue;
                records[i].tac = tests::tac_of(issuers, records[i]);
                expected[i / 64] |= std::uint64_t{1} << (i % 64);
            }
            for (const Forms& forms : tests::forms_here()) {
                CAPTURE(describe(forms));
                CAPTURE(start);
                std::vector<std::uint64_t> genuine(outcome_words(records.size()));
                REQUIRE(verify_tacs(issuers.table, records, genuine, {.forms = forms}));
                REQUIRE(genuine == expected);
            }
        }
    }
}

TEST_CASE("compute: records at every offset a span can have from a vector's alignment") {
    std::mt19937_64 random{20250115};
    const Issuers issuers = tests::mixed_issuers(3, random);
    std::vector<TacRecord> room(200 + 32);
    for (std::size_t skip = 0; skip < 32; ++skip) {  // 36-byte records: offsets 0, 4, .. 60 of 64
        const auto records = tests::random_tac_records(200, issuers, random);
        const std::span<TacRecord> moved{room.data() + skip, records.size()};
        std::ranges::copy(records, moved.begin());
        const auto expected = tacs(issuers, records, portable);
        for (const Forms& forms : tests::forms_here()) {
            CAPTURE(describe(forms));
            CAPTURE(skip);
            REQUIRE(tacs(issuers, moved, forms) == expected);
        }
    }
}

TEST_CASE("compute: nothing is read past the last record nor written past the last result") {
    std::mt19937_64 random{20250116};
    const Issuers issuers = tests::mixed_issuers(2, random);
    for (const std::size_t size : {1U, 33U, 65U, 129U, 513U}) {
        // Exactly as large as needed: a sanitized build stops at the first byte beyond.
        const auto tac_records = tests::random_tac_records(size, issuers, random);
        const auto mac_records = tests::random_mac_records(size, issuers, random);
        for (const Forms& forms : tests::forms_here()) {
            CAPTURE(describe(forms));
            std::vector<Mac> out(size + 1, Mac{0xEE, 0xEE, 0xEE, 0xEE});
            REQUIRE(compute_tacs(issuers.table, tac_records, std::span{out}.first(size),
                                 {.forms = forms}));
            CHECK(out.back() == Mac{0xEE, 0xEE, 0xEE, 0xEE});
            REQUIRE(compute_purchase_macs(issuers.table, mac_records, std::span{out}.first(size),
                                          {.forms = forms}));
            CHECK(out.back() == Mac{0xEE, 0xEE, 0xEE, 0xEE});
        }
    }
}

TEST_CASE("verify_tacs: exactly the records with the right TAC, whatever the form and the size") {
    std::mt19937_64 random{20250104};
    const Issuers issuers = tests::mixed_issuers(5, random);
    for (const std::size_t size : sizes()) {
        auto records = tests::random_tac_records(size, issuers, random);
        const auto right = tacs(issuers, records, portable);
        std::vector<std::uint64_t> expected(outcome_words(size));
        for (std::size_t i = 0; i < size; ++i) {
            if (random() % 3 == 0) continue;  // keeps its random TAC
            records[i].tac = right[i];
            expected[i / 64] |= std::uint64_t{1} << (i % 64);
        }
        for (const Forms& forms : tests::forms_here()) {
            CAPTURE(describe(forms));
            CAPTURE(size);
            std::vector<std::uint64_t> genuine(outcome_words(size), ~std::uint64_t{0});
            REQUIRE(verify_tacs(issuers.table, records, genuine, {.forms = forms}));
            REQUIRE(genuine == expected);
        }
    }
}

/// `record`, which is genuine, and then every record with one bit of it changed that names a key of
/// the table: only the first may be found genuine, in every form.
template <class Record, class Verify>
void check_each_changed_bit(const Issuers& issuers, const Record& record, const Verify& verify) {
    std::vector<Record> records{record};
    for (std::size_t bit = 0; bit < 8 * sizeof record; ++bit) {
        Record changed = record;
        auto* bytes = reinterpret_cast<std::uint8_t*>(&changed);
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ 1U << (bit % 8));
        if (!issuers.table.contains(changed.key)) continue;  // a refusal, tested below
        records.push_back(changed);
    }
    REQUIRE(records.size() > 8 * (sizeof record - sizeof record.key));
    std::vector<std::uint64_t> expected(outcome_words(records.size()));
    expected[0] = 1;
    for (const Forms& forms : tests::forms_here()) {
        CAPTURE(describe(forms));
        std::vector<std::uint64_t> genuine(expected.size());
        REQUIRE(verify(issuers.table, records, genuine, BatchOptions{.forms = forms}));
        CHECK(genuine == expected);
    }
}

TEST_CASE("verify: one changed bit anywhere in a record makes it false, in every form") {
    std::mt19937_64 random{20250105};
    const Issuers issuers = tests::mixed_issuers(2, random);
    for (const std::uint16_t key : {std::uint16_t{0}, std::uint16_t{1}}) {
        auto tac = tests::random_tac_records(1, issuers, random)[0];
        tac.key = IssuerKeyIndex{key};
        tac.tac = tests::tac_of(issuers, tac);
        check_each_changed_bit(issuers, tac, verify_tacs);
        auto mac = tests::random_mac_records(1, issuers, random)[0];
        mac.key = IssuerKeyIndex{key};
        mac.mac = tests::mac_of(issuers, mac);
        check_each_changed_bit(issuers, mac, verify_purchase_macs);
    }
}

TEST_CASE("verify_purchase_macs: right and wrong MAC1 are told apart") {
    std::mt19937_64 random{20250106};
    const Issuers issuers = tests::mixed_issuers(3, random);
    auto records = tests::random_mac_records(300, issuers, random);
    for (std::size_t i = 0; i < records.size(); ++i) {
        records[i].mac = tests::mac_of(issuers, records[i]);
        if (i % 2 != 0) records[i].mac[i / 2 % 4] ^= 0x10;
    }
    for (const Forms& forms : tests::forms_here()) {
        CAPTURE(describe(forms));
        std::vector<std::uint64_t> genuine(outcome_words(records.size()));
        REQUIRE(verify_purchase_macs(issuers.table, records, genuine, {.forms = forms}));
        for (std::size_t i = 0; i < records.size(); ++i) {
            REQUIRE(outcome(genuine, i) == (i % 2 == 0));
        }
    }
}

TEST_CASE("threads: any number gives the same outcomes") {
    std::mt19937_64 random{20250107};
    const Issuers issuers = tests::mixed_issuers(9, random);
    const auto records = tests::random_tac_records(150'001, issuers, random);
    const auto expected = tacs(issuers, records, best_forms(), 1);
    for (const unsigned threads : {0U, 2U, 3U, 16U}) {
        CAPTURE(threads);
        CHECK(tacs(issuers, records, best_forms(), threads) == expected);
    }
}

TEST_CASE("verify: bits past the last record are clear, whatever was there before") {
    std::mt19937_64 random{20250108};
    const Issuers issuers = tests::mixed_issuers(2, random);
    auto records = tests::random_tac_records(70, issuers, random);
    for (TacRecord& record : records) record.tac = tests::tac_of(issuers, record);
    std::vector<std::uint64_t> genuine(4, ~std::uint64_t{0});
    REQUIRE(verify_tacs(issuers.table, records, genuine));
    CHECK(genuine == std::vector<std::uint64_t>{~std::uint64_t{0}, 0x3F, 0, 0});
}

TEST_CASE("refusal: too little room for the results, and nothing is left genuine") {
    std::mt19937_64 random{20250109};
    const Issuers issuers = tests::mixed_issuers(2, random);
    const auto records = tests::random_tac_records(65, issuers, random);
    std::vector<std::uint64_t> genuine(1, ~std::uint64_t{0});
    const auto verified = verify_tacs(issuers.table, records, genuine);
    REQUIRE_FALSE(verified);
    CHECK(verified.error() == BatchRefusal::output_too_small);
    CHECK(genuine[0] == 0);
    std::vector<Mac> out(64, Mac{1, 2, 3, 4});
    const auto computed = compute_tacs(issuers.table, records, out);
    REQUIRE_FALSE(computed);
    CHECK(computed.error() == BatchRefusal::output_too_small);
    CHECK(out == std::vector<Mac>(64));
}

TEST_CASE("refusal: a key that is not in the table clears every outcome") {
    std::mt19937_64 random{20250110};
    const Issuers issuers = tests::mixed_issuers(2, random);
    auto records = tests::random_tac_records(40'000, issuers, random);
    for (const unsigned threads : {1U, 2U}) {
        for (const std::size_t place : {0UL, 20'000UL, 39'999UL}) {
            auto changed = records;
            changed[place].key = IssuerKeyIndex{2};
            std::vector<std::uint64_t> genuine(outcome_words(changed.size()), ~std::uint64_t{0});
            const auto verified =
                verify_tacs(issuers.table, changed, genuine, {.threads = threads});
            REQUIRE_FALSE(verified);
            CHECK(verified.error() == BatchRefusal::key_unknown);
            CHECK(std::ranges::all_of(genuine, [](std::uint64_t word) { return word == 0; }));
        }
    }
}

TEST_CASE("refusal: an empty table knows no key, and no records need none") {
    const IssuerKeyTable table;
    const TacRecord record{};
    std::uint64_t genuine = 1;
    const auto verified = verify_tacs(table, {&record, 1}, {&genuine, 1});
    REQUIRE_FALSE(verified);
    CHECK(verified.error() == BatchRefusal::key_unknown);
    CHECK(verify_tacs(table, {}, {}));
}

TEST_CASE("refusal: a form that this processor lacks") {
    const TacRecord record{};
    std::uint64_t genuine = 1;
    const auto beyond = static_cast<Sm4Form>(0x7F);
    const auto verified = verify_tacs({}, {&record, 1}, {&genuine, 1}, {.forms = {.sm4 = beyond}});
    REQUIRE_FALSE(verified);
    CHECK(verified.error() == BatchRefusal::form_unavailable);
    CHECK(genuine == 0);
}

TEST_CASE("refusal: every one, and every form, has a name of its own") {
    std::vector<std::string> names{name(Sm4Form::avx2_aes), name(Sm4Form::avx2_gfni),
                                   name(Sm4Form::avx512_gfni), name(DesForm::avx2),
                                   name(DesForm::avx512)};
    for (int i = 0; i <= static_cast<int>(BatchRefusal::key_unknown); ++i) {
        names.emplace_back(name(static_cast<BatchRefusal>(i)));
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    CHECK(std::ranges::find(names, "unknown") == names.end());
    CHECK(std::string{name(static_cast<BatchRefusal>(0x7F))} == "unknown");
}
