// SM3 in lanes, against crypto/core and the standard's examples.
#include <random>
#include <vector>

#include <doctest/doctest.h>

#include "crypto/batch/sm3_lanes.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto::batch;
using crypto::Sm3Digest;
using Message = std::vector<std::uint8_t>;

std::vector<Sm3Form> forms_here() {
    std::vector<Sm3Form> out{Sm3Form::portable};
    if (is_available(Sm3Form::avx512)) out.push_back(Sm3Form::avx512);
    return out;
}

Message random_message(std::size_t size, std::mt19937_64& random) {
    Message out(size);
    for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
    return out;
}

void check_messages(const std::vector<Message>& messages) {
    const std::vector<std::span<const std::uint8_t>> spans(messages.begin(), messages.end());
    for (const Sm3Form form : forms_here()) {
        CAPTURE(name(form));
        std::vector<Sm3Digest> digests(messages.size());
        REQUIRE(sm3_each(spans, digests, form));
        for (std::size_t i = 0; i < messages.size(); ++i) {
            CAPTURE(messages[i].size());
            REQUIRE(digests[i] == crypto::sm3(messages[i]));
        }
    }
}

}  // namespace

TEST_CASE("sm3_each: the examples of GB/T 32905-2016, annex A, side by side") {
    std::vector<std::span<const std::uint8_t>> messages;
    std::vector<Message> kept;
    std::vector<std::string> expected;
    for (const tests::Vector& vector : tests::read_vectors("crypto/sm3.vec")) {
        kept.push_back(vector.bytes("In"));
        expected.push_back(vector.text("Out"));
    }
    messages.assign(kept.begin(), kept.end());
    for (const Sm3Form form : forms_here()) {
        std::vector<Sm3Digest> digests(messages.size());
        REQUIRE(sm3_each(messages, digests, form));
        for (std::size_t i = 0; i < digests.size(); ++i) {
            CHECK(tests::to_hex(digests[i]) == expected[i]);
        }
    }
}

TEST_CASE("sm3_each: every length around the block and padding borders (GB/T 32905-2016, 5.2)") {
    std::mt19937_64 random{20250301};
    std::vector<Message> messages;
    for (std::size_t size = 0; size < 270; ++size) messages.push_back(random_message(size, random));
    check_messages(messages);
}

TEST_CASE("sm3_each: lanes that end at different blocks do not disturb each other") {
    std::mt19937_64 random{20250302};
    for (std::size_t count = 0; count < 40; ++count) {
        std::vector<Message> messages;
        for (std::size_t i = 0; i < count; ++i)
            messages.push_back(random_message(random() % 900, random));
        check_messages(messages);
    }
}

TEST_CASE("sm3_records: every record size and count is what each record alone gives") {
    std::mt19937_64 random{20250303};
    for (const std::size_t size : {0U, 1U, 32U, 55U, 56U, 63U, 64U, 65U, 119U, 128U}) {
        for (const std::size_t count : {1U, 15U, 16U, 17U, 129U, 300U}) {
            const Message records = random_message(size * count, random);
            for (const Sm3Form form : forms_here()) {
                CAPTURE(size);
                CAPTURE(count);
                CAPTURE(name(form));
                std::vector<Sm3Digest> digests(count);
                REQUIRE(sm3_records(records, size, digests, form));
                for (std::size_t i = 0; i < count; ++i) {
                    REQUIRE(digests[i] == crypto::sm3({records.data() + i * size, size}));
                }
            }
        }
    }
}

TEST_CASE("sm3_each, sm3_records: a wrong number of digests or a form not here is refused") {
    const std::array<std::uint8_t, 128> bytes{};
    const std::vector<std::span<const std::uint8_t>> messages(2, bytes);
    std::vector<crypto::Sm3Digest> digests(3);
    const std::vector<crypto::Sm3Digest> untouched(3);
    const std::span all{digests};
    constexpr auto wrong_size = std::unexpected{Sm3Refusal::wrong_size};
    constexpr auto form_unavailable = std::unexpected{Sm3Refusal::form_unavailable};
    CHECK((sm3_each(messages, all.first(1)) == wrong_size));
    CHECK((sm3_each(messages, all) == wrong_size));
    CHECK((sm3_records(bytes, 64, all.first(1)) == wrong_size));
    CHECK((sm3_records(bytes, 64, all) == wrong_size));
    CHECK((sm3_records(bytes, 63, all.first(2)) == wrong_size));
    CHECK((sm3_records(bytes, 0, all.first(2)) == wrong_size));
    constexpr auto unknown = static_cast<Sm3Form>(99);  // as unavailable as a missing one
    CHECK((sm3_each(messages, all.first(2), unknown) == form_unavailable));
    CHECK((sm3_records(bytes, 64, all.first(2), unknown) == form_unavailable));
    CHECK(digests == untouched);
}
