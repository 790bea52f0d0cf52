// What the faults rest on: the state of IT blocks, conditions and branches. ARMv7-M ARM.
#include "tests/firmware/glitch/thumb.hpp"

#include <doctest/doctest.h>

using namespace tests::glitch::thumb;

namespace {

constexpr std::uint32_t z_flag = 1U << 30, c_flag = 1U << 29, n_flag = 1U << 31;

std::optional<Branch> branch(std::uint16_t first, std::uint16_t second, std::uint32_t xpsr,
                             std::uint32_t r0 = 0) {
    const std::vector<std::uint8_t> code{
        static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(first >> 8),
        static_cast<std::uint8_t>(second), static_cast<std::uint8_t>(second >> 8)};
    const std::uint32_t registers[8]{r0};
    return branch_at(code, 0, Flags{xpsr}, registers);
}

}  // namespace

TEST_CASE("thumb: an IT block runs out after its instructions (A7.3.2)") {
    const ItState first{0xBF0E};  // ITEE... EQ: 0000 1110
    REQUIRE(first.is_inside());
    CHECK(first.condition() == 0);  // EQ
    const ItState second = first.advanced();
    CHECK(second.condition() == 1);  // NE
    const ItState third = second.advanced();
    CHECK(third.condition() == 1);
    CHECK_FALSE(third.advanced().is_inside());
}

TEST_CASE("thumb: an inverted IT block has every condition the other way") {
    ItState plain{0xBF0A};  // ITET EQ
    ItState inverted = plain.inverted();
    for (int i = 0; i < 3; ++i) {
        REQUIRE(inverted.is_inside());
        CHECK(inverted.condition() == (plain.condition() ^ 1U));
        plain = plain.advanced();
        inverted = inverted.advanced();
    }
    CHECK_FALSE(inverted.is_inside());
}

TEST_CASE("thumb: the state of an IT block in xPSR (B1.4.2)") {
    CHECK(ItState{0xBF08}.into(0xFFFFFFFF) == (0xF9FF03FF | 0x08U << 8));
    CHECK(ItState{0xBFFF}.into(0) == (3U << 25 | 0xFCU << 8));
}

TEST_CASE("thumb: conditional branches and where they go (A7.7.12, A7.7.21)") {
    CHECK(branch(0xD0FE, 0, z_flag)->is_taken);  // BEQ to itself
    CHECK(branch(0xD0FE, 0, z_flag)->target == 0);
    CHECK_FALSE(branch(0xD0FE, 0, c_flag)->is_taken);
    CHECK(branch(0xDB01, 0, n_flag)->is_taken);  // BLT
    CHECK(branch(0xDB01, 0, n_flag)->target == 6);
    CHECK_FALSE(branch(0xDE00, 0, 0).has_value());  // UDF
    CHECK_FALSE(branch(0xDF00, 0, 0).has_value());  // SVC
    CHECK(branch(0xB108, 0, 0)->is_taken);          // CBZ r0
    CHECK(branch(0xB108, 0, 0)->target == 6);
    CHECK_FALSE(branch(0xB108, 0, 0, 1)->is_taken);
    CHECK(branch(0xB908, 0, 0, 1)->is_taken);            // CBNZ r0
    CHECK(branch(0xF43F, 0xAFFE, z_flag)->target == 0);  // BEQ.W to itself
    CHECK(branch(0xF000, 0x8001, z_flag)->target == 6);
    CHECK_FALSE(branch(0xF7FF, 0xFFFE, 0).has_value());  // BL
    CHECK_FALSE(branch(0xE7FE, 0, 0).has_value());       // B
}
