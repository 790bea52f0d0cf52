#include "firmware/boards/virtual/virtual_chip.hpp"

namespace firmware::boards {

std::expected<std::unique_ptr<VirtualChip>, FileFlashError> VirtualChip::open(
    const std::string& path, crypto::SystemRandom& random) {
    ONECARD_TRY(flash, FileFlash::open(path, false));
    return std::make_unique<VirtualChip>(std::move(flash), random);
}

std::expected<bool, FileFlashError> VirtualChip::make(const std::string& path,
                                                      crypto::SystemRandom& random,
                                                      const protocol::ChipSerial& serial,
                                                      const crypto::purse::PurseKey& transport_key,
                                                      protocol::KeyVersion version) {
    ONECARD_TRY(flash, FileFlash::open(path, true));
    return Card::manufacture(flash, random, serial, transport_key, version).has_value();
}

std::span<const std::uint8_t> VirtualChip::reset() {
    card_ = std::make_unique<Card>(flash_, *random_);
    const auto atr = card_->reset();
    is_mute_ = !atr;
    if (is_mute_) return {};
    atr_ = *atr;
    return atr_;
}

std::span<const std::uint8_t> VirtualChip::atr() {
    if (!card_) return reset();
    if (is_mute_) return {};
    return atr_;
}

std::vector<std::uint8_t> VirtualChip::process(protocol::Bytes command) {
    if (!card_ || is_mute_) return {};
    std::array<std::uint8_t, protocol::short_response_size_max> response{};
    try {
        const std::size_t size = card_->process(command, response);
        flash_.cut_never();
        return {response.begin(), response.begin() + static_cast<std::ptrdiff_t>(size)};
    } catch (const PowerCut&) {
        power_off();  // what the card had in mind is gone; what it had written is in the file
        return {};
    }
}

void VirtualChip::housekeeping() {
    if (card_ && !is_mute_) card_->housekeeping();
}

}  // namespace firmware::boards
