// What the MAC engine asks of the heap, and what it leaves on the stack.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include <doctest/doctest.h>

#include "tests/crypto/batch_records.hpp"
#include "tests/crypto/dead_stack.hpp"

namespace {

std::atomic<std::size_t> allocations{0};
std::atomic<std::size_t> failing{0};  ///< the number of the allocation that fails; none for 0

void* allocate(std::size_t size, std::size_t alignment) {
    if (++allocations == failing) throw std::bad_alloc{};
    const std::size_t whole = (size + alignment - 1) / alignment * alignment;
    if (void* block = std::aligned_alloc(alignment, std::max(whole, alignment))) return block;
    throw std::bad_alloc{};
}

}  // namespace

// The forms for arrays call these.
void* operator new(std::size_t size) {
    return allocate(size, alignof(std::max_align_t));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
void operator delete(void* block, std::align_val_t) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t, std::align_val_t) noexcept {
    std::free(block);
}

namespace {

using namespace crypto::batch;
using protocol::Suite;
using tests::bytes_that_follow_the_key;

std::size_t allocations_of(const IssuerKeyTable& table, std::span<const TacRecord> records,
                           const BatchOptions& options) {
    std::vector<std::uint64_t> genuine(outcome_words(records.size()));
    const std::size_t before = allocations;
    REQUIRE(verify_tacs(table, records, genuine, options));
    return allocations - before;
}

/// Calls `work` with its first allocation failing, then its second and so on, and `check` after
/// each failure; ends when no allocation failed. Answers the number of failures that came out.
template <class Work, class Check>
std::size_t with_each_allocation_failing(const Work& work, const Check& check) {
    std::size_t thrown = 0;
    for (std::size_t which = 1;; ++which) {
        const std::size_t target = allocations + which;
        failing = target;
        bool failed = false;
        try {
            work();
        } catch (const std::bad_alloc&) {
            failed = true;
        }
        failing = 0;
        if (failed) {
            ++thrown;
            check();
        } else if (allocations < target) {
            return thrown;
        }
    }
}

/// A table with that key in both suites: 0 SM4, 1 3DES.
std::unique_ptr<IssuerKeyTable> table_of(const std::array<std::uint8_t, 16>& master) {
    auto table = std::make_unique<IssuerKeyTable>();
    REQUIRE(table->add({.suite = Suite::sm4}, master));
    REQUIRE(table->add({.suite = Suite::triple_des}, master));
    return table;
}

}  // namespace

TEST_CASE("verify_tacs: three allocations at most on one thread, whatever the number of records") {
    std::mt19937_64 random{20250501};
    const tests::Issuers issuers = tests::mixed_issuers(12, random);
    const auto records = tests::random_tac_records(200'000, issuers, random);
    const std::span all{records};
    for (const Forms& forms : tests::forms_here()) {
        CHECK(allocations_of(issuers.table, all.first(0), {.forms = forms}) == 0);
        CHECK(allocations_of(issuers.table, all.first(1), {.forms = forms}) <= 3);
        const auto some = allocations_of(issuers.table, all.first(1000), {.forms = forms});
        CHECK(some <= 3);
        CHECK(allocations_of(issuers.table, all.first(100'000), {.forms = forms}) == some);
    }
    const auto two = allocations_of(issuers.table, all.first(70'000), {.threads = 2});
    CHECK(two <= 9);  // three each, the list of threads, two for the thread itself
    CHECK(allocations_of(issuers.table, all, {.threads = 2}) == two);
}

// AddressSanitizer keeps the forms for arrays to itself: only the others can be made to fail there.
#ifdef __SANITIZE_ADDRESS__
constexpr unsigned ours_per_thread = 1;
#else
constexpr unsigned ours_per_thread = 3;
#endif

TEST_CASE("verify_tacs: memory that runs out leaves no outcome set and stops no program") {
    std::mt19937_64 random{20250503};
    const tests::Issuers issuers = tests::mixed_issuers(3, random);
    const auto records = tests::random_tac_records(140'000, issuers, random);
    std::vector<Mac> macs(records.size());
    REQUIRE(compute_tacs(issuers.table, records, macs));
    std::vector<std::uint64_t> genuine(outcome_words(records.size()));
    for (const unsigned threads : {1U, 3U}) {
        CAPTURE(threads);
        const auto thrown = with_each_allocation_failing(
            [&] {
                std::ranges::fill(genuine, ~std::uint64_t{0});
                static_cast<void>(
                    verify_tacs(issuers.table, records, genuine, {.threads = threads}));
            },
            [&] { CHECK(std::ranges::count(genuine, 0U) == std::ssize(genuine)); });
        CHECK(thrown >= ours_per_thread * threads);
    }
}

TEST_CASE("the stack's test finds a key that was left there") {
    const auto leaking = [](const std::array<std::uint8_t, 16>& master) {
        return [master] { tests::spill(master); };
    };
    CHECK(bytes_that_follow_the_key(leaking) >= 4096);
}

TEST_CASE("IssuerKeyTable: adding a key leaves none of it on the stack") {
    const auto adding = [](const std::array<std::uint8_t, 16>& master) {
        return [master] { CHECK(table_of(master)->size() == 2); };
    };
    // The test's own copy is above the stack that is read.
    CHECK(bytes_that_follow_the_key(adding) == 0);
}

TEST_CASE("verify: no byte of the stack follows the key afterwards, in any form") {
    std::mt19937_64 random{20250502};
    const tests::Issuers two_keys = tests::mixed_issuers(2, random);
    auto tac_records = tests::random_tac_records(700, two_keys, random);
    auto mac_records = tests::random_mac_records(700, two_keys, random);
    std::vector<std::uint64_t> genuine(outcome_words(700));
    for (const Forms& forms : tests::forms_here()) {
        for (const std::size_t size : {std::size_t{1}, std::size_t{700}}) {
            CAPTURE(std::string{name(forms.sm4)});
            CAPTURE(std::string{name(forms.des)});
            CAPTURE(size);
            CHECK(bytes_that_follow_the_key([&](const std::array<std::uint8_t, 16>& master) {
                      return [&, table = std::shared_ptr<IssuerKeyTable>{table_of(master)}] {
                          static_cast<void>(verify_tacs(*table, std::span{tac_records}.first(size),
                                                        genuine, {.forms = forms}));
                      };
                  }) == 0);
            CHECK(bytes_that_follow_the_key([&](const std::array<std::uint8_t, 16>& master) {
                      return [&, table = std::shared_ptr<IssuerKeyTable>{table_of(master)}] {
                          static_cast<void>(verify_purchase_macs(*table,
                                                                 std::span{mac_records}.first(size),
                                                                 genuine, {.forms = forms}));
                      };
                  }) == 0);
        }
    }
}

TEST_CASE("IssuerKeyTable: a key whose memory ran out is not in the table, and moves no other") {
    const auto master_of = [](std::size_t i) {
        std::array<std::uint8_t, 16> master{};
        master[0] = static_cast<std::uint8_t>(i + 1);
        return master;
    };
    const auto name_of = [](std::size_t i) {
        return IssuerKeyName{.version = protocol::KeyVersion{static_cast<std::uint8_t>(i)},
                             .suite = Suite::triple_des};
    };
    IssuerKeyTable table;
    std::size_t thrown = 0;
    for (std::size_t i = 0; i < 40; ++i) {
        bool added = false;
        thrown += with_each_allocation_failing(
            [&] {
                if (!added) added = table.add(name_of(i), master_of(i)).has_value();
            },
            [&] { CHECK(table.size() == i); });
        REQUIRE(added);
        REQUIRE(table.size() == i + 1);
    }
    CHECK(thrown >= 3);
    for (std::size_t i = 0; i < 40; ++i) {
        const auto index = table.find(name_of(i));
        REQUIRE(index);
        CHECK(table.name(*index) == name_of(i));
        CHECK(std::ranges::equal(table.expanded(*index).master, master_of(i)));
    }
}
