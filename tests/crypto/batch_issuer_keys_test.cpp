// The table of issuer keys, and what the engine leaves behind in memory: nothing.
#include <cstdlib>
#include <cstring>
#include <new>

#include <doctest/doctest.h>

#include "tests/crypto/batch_records.hpp"

namespace {

constexpr std::array<std::uint8_t, 16> watched{0x3A, 0x91, 0x5C, 0xE7, 0x08, 0xB2, 0x4F, 0xD6,
                                               0x71, 0x0D, 0xCC, 0x2E, 0x95, 0x68, 0xF3, 0x1B};
int freed_with_key = 0;
int scratch_freed = 0;
int scratch_freed_unwiped = 0;
constexpr std::size_t scratch_bytes = 32768;

void inspect(const void* block, std::size_t size) {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    const auto* end = bytes + size;
    if (std::search(bytes, end, watched.begin(), watched.end()) != end) ++freed_with_key;
}

}  // namespace

// Blocks are looked at the moment before they are freed.
void* operator new(std::size_t size) {
    if (void* block = std::malloc(size)) return block;
    throw std::bad_alloc{};
}
void operator delete(void* block) noexcept {
    std::free(block);
}
void operator delete(void* block, std::size_t size) noexcept {
    inspect(block, size);
    std::free(block);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    if (void* block = std::aligned_alloc(static_cast<std::size_t>(alignment), size)) return block;
    throw std::bad_alloc{};
}
void operator delete[](void* block, std::align_val_t) noexcept {
    const auto* bytes = static_cast<const std::uint8_t*>(block);
    ++scratch_freed;
    const auto is_set = [](std::uint8_t byte) { return byte != 0; };
    if (std::any_of(bytes, bytes + scratch_bytes, is_set)) ++scratch_freed_unwiped;
    std::free(block);
}

namespace {

using namespace crypto::batch;
using protocol::Suite;

IssuerKeyName name_of(std::uint8_t version, Suite suite) {
    return {.issuer = protocol::IssuerId{{0x10, 0x20}},
            .version = protocol::KeyVersion{version},
            .suite = suite};
}

}  // namespace

TEST_CASE("IssuerKeyTable: names are found, and only those that were added") {
    IssuerKeyTable table;
    const auto first = table.add(name_of(1, Suite::sm4), watched);
    const auto second = table.add(name_of(1, Suite::triple_des), watched);
    const auto third = table.add(name_of(0, Suite::sm4), watched);
    REQUIRE(first);
    REQUIRE(second);
    REQUIRE(third);
    CHECK(table.find(name_of(1, Suite::sm4)) == *first);
    CHECK(table.find(name_of(1, Suite::triple_des)) == *second);
    CHECK(table.find(name_of(0, Suite::sm4)) == *third);
    CHECK(table.name(*second) == name_of(1, Suite::triple_des));
    CHECK_FALSE(table.find(name_of(2, Suite::sm4)));
    auto other_purpose = name_of(1, Suite::sm4);
    other_purpose.purpose = KeyPurpose::purchase;
    CHECK_FALSE(table.find(other_purpose));
    CHECK_FALSE(table.contains(IssuerKeyIndex{3}));
}

TEST_CASE("IssuerKeyTable: refuses a suite it does not know, and a name that is taken") {
    IssuerKeyTable table;
    const auto unknown = table.add(name_of(1, static_cast<Suite>(0x01)), watched);
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error() == KeyTableRefusal::unknown_suite);
    REQUIRE(table.add(name_of(1, Suite::sm4), watched));
    const auto again = table.add(name_of(1, Suite::sm4), std::array<std::uint8_t, 16>{});
    REQUIRE_FALSE(again);
    CHECK(again.error() == KeyTableRefusal::name_taken);
    CHECK(table.size() == 1);
}

TEST_CASE("IssuerKeyTable: is full at 65,536 keys") {
    IssuerKeyTable table;
    for (unsigned i = 0; i < 65536; ++i) {
        const protocol::IssuerId issuer{
            {static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}};
        REQUIRE(table.add({.issuer = issuer, .suite = Suite::triple_des}, watched));
    }
    const auto more = table.add(name_of(1, Suite::sm4), watched);
    REQUIRE_FALSE(more);
    CHECK(more.error() == KeyTableRefusal::table_full);
    CHECK(table.contains(IssuerKeyIndex{65535}));
}

TEST_CASE("IssuerKeyTable: no block that held a key is freed with the key in it") {
    freed_with_key = 0;
    {
        IssuerKeyTable table;
        for (std::uint8_t version = 0; version < 100; ++version) {  // grows several times
            REQUIRE(
                table.add(name_of(version, version % 2 ? Suite::sm4 : Suite::triple_des), watched));
        }
        IssuerKeyTable other;
        REQUIRE(other.add(name_of(1, Suite::sm4), watched));
        other = std::move(table);
        CHECK(other.size() == 100);
    }
    CHECK(freed_with_key == 0);
}

TEST_CASE("verify_tacs: the lanes' key material is wiped when the call returns") {
    std::mt19937_64 random{20250201};
    const tests::Issuers issuers = tests::mixed_issuers(4, random);
    const auto records = tests::random_tac_records(3000, issuers, random);
    std::vector<std::uint64_t> genuine(outcome_words(records.size()));
    for (const Forms& forms : tests::forms_here()) {
        scratch_freed = 0;
        scratch_freed_unwiped = 0;
        REQUIRE(verify_tacs(issuers.table, records, genuine, {.forms = forms}));
        CHECK(scratch_freed == 1);
        CHECK(scratch_freed_unwiped == 0);
    }
}
