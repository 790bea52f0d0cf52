#pragma once
// A chip on the Cortex-M3 board: `Chip` by way of an emulator. Its file is the virtual board's.
#include <expected>
#include <memory>

#include "crypto/random/system_random.hpp"
#include "firmware/boards/virtual/chip.hpp"
#include "firmware/boards/virtual/chip_file.hpp"
#include "firmware/boards/virtual/emulator.hpp"

namespace firmware::boards {

class EmulatedChip final : public Chip {
public:
    /// wrong_size: the board has 128 KB of memory, no more and no less.
    [[nodiscard]] static std::expected<std::unique_ptr<Chip>, FileFlashError> open(
        const EmulatorSetup& setup, crypto::SystemRandom& random);
    EmulatedChip(EmulatorSetup setup, ChipFile file, crypto::SystemRandom& random)
        : setup_{std::move(setup)}, file_{std::move(file)}, random_{&random} {}
    ~EmulatedChip() override;

    [[nodiscard]] std::span<const std::uint8_t> reset() override;
    void power_off() override;  ///< SIGKILL, in the middle of whatever it does
    [[nodiscard]] std::span<const std::uint8_t> atr() override;
    [[nodiscard]] std::vector<std::uint8_t> process(protocol::Bytes command) override;
    void housekeeping() override {}  // the board does it after each answer
    [[nodiscard]] bool kill_at(std::uint64_t) override { return false; }
    [[nodiscard]] bool cut_at(std::uint32_t operation) override;

private:
    EmulatorSetup setup_;
    ChipFile file_;
    crypto::SystemRandom* random_;
    std::optional<Emulator> emulator_;
    std::vector<std::uint8_t> atr_;  ///< empty while mute
};

}  // namespace firmware::boards
