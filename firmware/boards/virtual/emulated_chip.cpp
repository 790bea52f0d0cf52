#include "firmware/boards/virtual/emulated_chip.hpp"

namespace firmware::boards {

std::expected<std::unique_ptr<Chip>, FileFlashError> EmulatedChip::open(
    const EmulatorSetup& setup, crypto::SystemRandom& random) {
    ONECARD_TRY(file, ChipFile::open(setup.nvm_path, false));
    if (file.size() != flash_model::page_count_default * flash_model::page_size) {
        return std::unexpected{FileFlashError::wrong_size};
    }
    return std::make_unique<EmulatedChip>(setup, std::move(file), random);
}

EmulatedChip::~EmulatedChip() {
    power_off();
}

std::span<const std::uint8_t> EmulatedChip::reset() {
    atr_.clear();
    if (!emulator_) {
        if (!file_.resize(emulated_region_size)) return {};
        auto started = Emulator::start(setup_);
        if (!started) return {};
        emulator_.emplace(std::move(*started));
    }
    std::array<std::uint8_t, seed_size> seed{};
    random_->fill(seed);
    auto frame = emulator_->exchange(FrameKind::reset, seed);
    crypto::wipe(seed);
    if (!frame || frame->kind != FrameKind::atr) {
        power_off();
        return {};
    }
    atr_ = std::move(frame->payload);
    return atr_;
}

void EmulatedChip::power_off() {
    atr_.clear();
    emulator_.reset();
    // What stays long after a failure here is cut back by whoever opens the file next.
    (void)file_.resize(file_.size());
}

std::span<const std::uint8_t> EmulatedChip::atr() {
    if (!emulator_) return reset();
    return atr_;
}

std::vector<std::uint8_t> EmulatedChip::process(protocol::Bytes command) {
    if (!emulator_ || command.size() > frame_payload_max) return {};
    auto frame = emulator_->exchange(FrameKind::command, command);
    if (frame && frame->kind == FrameKind::answer) return std::move(frame->payload);
    // A board that waits for the cut gets it here.
    if (frame && frame->kind == FrameKind::cut_here) power_off();
    return {};
}

bool EmulatedChip::cut_at(std::uint32_t operation) {
    if (!emulator_) return false;
    std::array<std::uint8_t, cut_size> payload{};
    protocol::ByteWriter{payload}.put_u32(operation);
    const auto frame = emulator_->exchange(FrameKind::cut, payload);
    return frame && frame->kind == FrameKind::cut_armed;
}

}  // namespace firmware::boards
