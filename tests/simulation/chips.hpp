#pragma once
// Cards and SAMs of a simulated city: the firmware on a flash that can lose power, personalised as
// an issuer does it.
#include <memory>
#include <optional>

#include "crypto/purse/keys.hpp"
#include "crypto/random/seeded_random.hpp"
#include "firmware/os/card.hpp"
#include "protocol/apdu.hpp"
#include "tests/firmware/support/tearing_flash.hpp"

namespace simulation {

constexpr protocol::KeyVersion key_version{1};
constexpr std::array<std::uint8_t, 3> holder_pin{0x12, 0x34, 0x56};

/// The nation's master of one usage: the root of every city's keys in a simulation.
[[nodiscard]] crypto::purse::PurseKey national_master(protocol::KeyUsage usage);

struct CardPlan {
    protocol::CardNumber number;
    protocol::IssuerId issuer;
    protocol::CityCode city;
    protocol::CardKind kind = protocol::CardKind::ordinary;
};
struct SamPlan {
    protocol::SamNumber number;
    protocol::TerminalNumber terminal;
    protocol::OperatorId operator_id;
    protocol::IssuerId issuer;
};

/// A chip in or out of a reader. Without power it answers nothing.
class Chip {
public:
    Chip(const CardPlan& plan, const crypto::SeededRandom& random);
    Chip(const SamPlan& plan, const crypto::SeededRandom& random);

    void power_on();
    void power_off();
    /// Nothing when it has no power, or loses it meanwhile.
    [[nodiscard]] std::optional<std::vector<std::uint8_t>> send(protocol::Bytes command);
    /// Data of an answer with 9000. Nothing otherwise.
    [[nodiscard]] std::optional<std::vector<std::uint8_t>> ask(protocol::Bytes command);
    [[nodiscard]] tests::TearingFlash& flash() { return *flash_; }

private:
    explicit Chip(const crypto::SeededRandom& random);
    std::vector<std::uint8_t> must(protocol::Bytes command);
    void manufacture(const protocol::ChipSerial& serial);
    void issue(const CardPlan& plan);
    void issue(const SamPlan& plan);

    std::unique_ptr<tests::TearingFlash> flash_;
    std::unique_ptr<crypto::SeededRandom> random_;
    std::unique_ptr<firmware::Card> card_;
};

}  // namespace simulation
