#pragma once
// The Cortex-M3 board as a child process: qemu-system-arm with a chip's file as its PSRAM, and its
// UART as a socket that carries the frames of firmware/boards/mps2/frames.hpp. docs/card_boards.md.
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "firmware/boards/mps2/frames.hpp"

namespace firmware::boards {

struct EmulatorSetup {
    std::string program = "qemu-system-arm";
    std::string image;     ///< the card's image, an ELF file
    std::string nvm_path;  ///< `emulated_region_size` bytes long
    /// Counts instructions: one is a nanosecond of the board's time. For the measured image.
    bool counts_instructions = false;
};

/// An answer's kind and payload.
struct Frame {
    FrameKind kind{};
    std::vector<std::uint8_t> payload;
};

class Emulator {
public:
    /// Starts it: power on. Empty when it cannot be started, or the card does not get ready.
    [[nodiscard]] static std::optional<Emulator> start(const EmulatorSetup& setup);
    Emulator(Emulator&& other) noexcept;
    Emulator& operator=(Emulator&&) = delete;
    ~Emulator();  ///< SIGKILL: power off

    /// Sends a frame and waits for its answer, at most ten seconds. Empty: the board is silent, or
    /// what it said is no frame.
    [[nodiscard]] std::optional<Frame> exchange(FrameKind kind, protocol::Bytes payload) const;
    /// The same for bytes that may be no frame, for tests.
    [[nodiscard]] std::optional<Frame> exchange_raw(protocol::Bytes bytes) const;
    [[nodiscard]] pid_t process() const { return process_; }

private:
    Emulator(pid_t process, int line) : process_{process}, line_{line} {}
    [[nodiscard]] std::optional<Frame> receive_frame() const;
    [[nodiscard]] bool send(protocol::Bytes bytes) const;
    [[nodiscard]] bool receive(protocol::MutableBytes out) const;

    pid_t process_;
    int line_;
};

}  // namespace firmware::boards
