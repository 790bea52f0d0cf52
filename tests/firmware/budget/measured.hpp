#pragma once
// A chip on the measured Cortex-M3 image, in its emulator, that prints what each command costs:
//
//   suite kind tap party CLA-INS-P1-P2 command_bytes answer_bytes, then
//   firmware/boards/mps2/measuring.hpp's numbers
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

#include "firmware/boards/virtual/chip_file.hpp"
#include "firmware/boards/virtual/emulator.hpp"
#include "tests/firmware/support/issuing.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::budget {

using Response = protocol::ByteBuffer<protocol::short_response_size_max>;

inline void require(bool holds, const std::string& what) {
    if (!holds) throw std::runtime_error{what};
}

class Measured final : public Party {
public:
    Measured(const std::string& image, const std::string& path, Chip& chip, std::string party)
        : party_{std::move(party)}, emulator_{start(image, path, chip)} {}

    /// Power off and on again, as between two taps; the loss of RAM is a warm reset's.
    void power_on() {
        std::array<std::uint8_t, firmware::boards::seed_size> seed{};
        seed[0] = static_cast<std::uint8_t>(++resets_);
        seed[1] = static_cast<std::uint8_t>(resets_ >> 8);
        const auto frame = emulator_.exchange(FrameKind::reset, seed);
        require(frame && !frame->payload.empty(), party_ + " is mute");
        print("reset", 0, frame->payload.size());
    }
    /// Data and status word, as they come.
    Response exchange(Bytes command) {
        const auto frame = emulator_.exchange(FrameKind::command, command);
        require(frame && frame->kind == FrameKind::answer && frame->payload.size() >= 2,
                party_ + " does not answer");
        print(to_hex(command.first(4)), command.size(), frame->payload.size());
        Response response;
        require(response.append(frame->payload), party_ + " answers too much");
        return response;
    }
    Answer send(Bytes command) override {
        const auto response = exchange(command);
        const auto parsed = protocol::ResponseApdu::parse(response.bytes());
        require(parsed.has_value(), party_ + " answers too little");
        return {{parsed->data().begin(), parsed->data().end()}, parsed->status()};
    }
    /// `suite kind tap` of the lines from now on; empty: nothing is printed.
    void label(std::string text) { label_ = std::move(text); }

private:
    using Emulator = firmware::boards::Emulator;
    using FrameKind = firmware::boards::FrameKind;

    static Emulator start(const std::string& image, const std::string& path, Chip& chip) {
        std::vector<std::uint8_t> bytes(chip.flash().page_count() *
                                        firmware::flash_model::page_size);
        chip.flash().read(0, bytes);
        bytes.resize(std::size_t{firmware::flash_model::page_count_default} *
                         firmware::flash_model::page_size,
                     firmware::flash_model::erased_byte);
        std::ofstream{path, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                    static_cast<std::streamsize>(bytes.size()));
        std::filesystem::resize_file(path, firmware::boards::emulated_region_size);
        auto emulator =
            Emulator::start({.image = image, .nvm_path = path, .counts_instructions = true});
        require(emulator.has_value(), "the emulator does not start with " + image);
        return std::move(*emulator);
    }
    void print(const std::string& header, std::size_t command_size, std::size_t answer_size) {
        const auto cost = emulator_.exchange(FrameKind::measure, {});
        require(cost && cost->kind == FrameKind::measured, "this is not the measured image");
        if (label_.empty()) return;
        std::cout << label_ << ' ' << party_ << ' ' << header << ' ' << command_size << ' '
                  << answer_size;
        for (protocol::ByteReader in{cost->payload}; !in.empty();) {
            std::cout << ' ' << *in.take_u32();
        }
        std::cout << '\n';
    }

    std::string party_;
    std::string label_;
    Emulator emulator_;
    unsigned resets_ = 0;
};

}  // namespace tests::budget
