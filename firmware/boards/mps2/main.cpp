// The card as a program without an operating system: docs/card_boards.md.
#include <new>

#include "firmware/boards/mps2/cutting.hpp"
#include "firmware/boards/mps2/frames.hpp"
#include "firmware/boards/mps2/uart.hpp"
#include "firmware/os/card.hpp"

extern "C" std::uint32_t nvm_start[], nvm_end[], stack_bottom[];

namespace firmware::boards {
namespace {

/// What a command left below the frames that go on: round keys, a PIN, a process key.
[[gnu::noinline]] void wipe_stack() {
    const std::uint32_t* end = nullptr;
    __asm__ volatile("mov %0, sp" : "=r"(end));
    for (std::uint32_t* at = stack_bottom; at < end; ++at) {
        *const_cast<volatile std::uint32_t*>(at) = 0;
    }
}

class Board {
public:
    [[noreturn]] void serve() {
        uart::start();
        send(FrameKind::ready, {});
        for (;;) serve_frame();
    }

private:
    void serve_frame() {
        const auto kind = static_cast<FrameKind>(receive(0));
        const std::size_t size = static_cast<std::size_t>(receive(1) << 8 | receive(2));
        if (size > frame_payload_max) return refuse_rest(size);
        for (std::size_t i = 0; i < size; ++i) receive(frame_header_size + i);
        const std::uint8_t check = frame_check(Bytes{line_}.first(frame_header_size + size));
        if (uart::receive() != check) return send(FrameKind::refused, {});
        const Bytes payload = Bytes{line_}.subspan(frame_header_size, size);
        switch (kind) {
            case FrameKind::reset: return reset(payload);
            case FrameKind::command: return process(payload);
            case FrameKind::measure: return measure();
            case FrameKind::cut: return cut(payload);
            default: return send(FrameKind::refused, {});
        }
    }
    std::uint8_t receive(std::size_t at) { return line_[at] = uart::receive(); }
    void refuse_rest(std::size_t size) {
        for (std::size_t i = 0; i <= size; ++i) (void)uart::receive();
        send(FrameKind::refused, {});
    }
    void reset(Bytes seed) {
        if (seed.size() != seed_size) return send(FrameKind::refused, {});
        random_.seed(seed);
        crypto::wipe(line_);
        measuring::begin();
        const auto atr = card_.reset();
        measuring::end();
        is_mute_ = !atr;
        send(FrameKind::atr, atr ? Bytes{*atr} : Bytes{});
        keep_house();
        wipe_stack();
    }
    void process(Bytes command) {
        std::size_t size = 0;
        measuring::begin();
        if (!is_mute_) size = card_.process(command, response_);
        measuring::end();
        cutting::disarm(flash_);
        crypto::wipe(line_);  // a PIN or an enciphered key does not stay behind its command
        send(FrameKind::answer, Bytes{response_}.first(size));
        crypto::wipe(response_);
        keep_house();
        wipe_stack();
    }
    void keep_house() {
        measuring::begin_housekeeping();
        if (!is_mute_) card_.housekeeping();
        measuring::end();
    }
    static void measure() {
        if constexpr (measuring::is_on) return send(FrameKind::measured, measuring::report());
        send(FrameKind::refused, {});
    }
    void cut(Bytes operation) {
        send(cutting::arm(flash_, operation) ? FrameKind::cut_armed : FrameKind::refused, {});
    }
    static void send(FrameKind kind, Bytes payload) {
        // A disturbed length must not take along what lies behind.
        if (payload.size() > frame_payload_max) return;
        const auto header = frame_header(kind, payload.size());
        for (const std::uint8_t byte : header) uart::send(byte);
        for (const std::uint8_t byte : payload) uart::send(byte);
        uart::send(frame_check(payload, frame_check(header)));
    }

    cutting::BoardFlash flash_{nvm_start,
                               static_cast<std::size_t>(nvm_end - nvm_start) * sizeof *nvm_start};
    measuring::BoardRandom random_;
    Card card_{flash_, random_};
    std::array<std::uint8_t, frame_size_max> line_{};
    std::array<std::uint8_t, protocol::short_response_size_max> response_{};
    bool is_mute_ = true;
};

alignas(Board) std::byte board_memory[sizeof(Board)];

}  // namespace
}  // namespace firmware::boards

extern "C" [[noreturn]] void card_main();
void card_main() {
    (new (firmware::boards::board_memory) firmware::boards::Board)->serve();
}
