#pragma once
// A chip as a Linux process sees it: an NVM file, the kernel's random numbers, and the firmware on
// top. Power is what the reader says it is.
#include <memory>
#include <string>

#include "crypto/random/system_random.hpp"
#include "firmware/boards/virtual/chip.hpp"
#include "firmware/boards/virtual/file_flash.hpp"
#include "firmware/os/card.hpp"

namespace firmware::boards {

class VirtualChip final : public Chip {
public:
    /// Opens an existing chip.
    [[nodiscard]] static std::expected<std::unique_ptr<VirtualChip>, FileFlashError> open(
        const std::string& path, crypto::SystemRandom& random);
    /// Makes a blank chip in a new file. False when the firmware could not write it.
    [[nodiscard]] static std::expected<bool, FileFlashError> make(
        const std::string& path, crypto::SystemRandom& random, const protocol::ChipSerial& serial,
        const crypto::purse::PurseKey& transport_key, protocol::KeyVersion version);

    VirtualChip(FileFlash flash, crypto::SystemRandom& random)
        : flash_{std::move(flash)}, random_{&random} {}

    [[nodiscard]] std::span<const std::uint8_t> reset() override;
    void power_off() override { card_.reset(); }
    [[nodiscard]] std::span<const std::uint8_t> atr() override;
    [[nodiscard]] std::vector<std::uint8_t> process(protocol::Bytes command) override;
    void housekeeping() override;
    [[nodiscard]] bool kill_at(std::uint64_t operation) override {
        flash_.kill_at(operation);
        return true;
    }
    [[nodiscard]] bool cut_at(std::uint32_t operation) override {
        flash_.cut_at(operation);
        return true;
    }

private:
    FileFlash flash_;
    crypto::SystemRandom* random_;
    std::unique_ptr<Card> card_;
    Atr atr_{};
    bool is_mute_ = false;
};

}  // namespace firmware::boards
