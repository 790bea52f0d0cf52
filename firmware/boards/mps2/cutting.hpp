#pragma once
// A loss of power in the middle of a command, at an operation on the memory that whoever holds the
// line chooses. Only in the image that is built to be cut: in the others everything here is empty.
// The libraries of all are the same.
#include "firmware/boards/mps2/frames.hpp"
#include "firmware/boards/mps2/measuring.hpp"

namespace firmware::boards::cutting {

#ifdef ONECARD_CUT

/// Stops the board before one operation: it says `FrameKind::cut_here` and does nothing any more.
class BoardFlash final : public Flash {
public:
    BoardFlash(volatile std::uint32_t* start, std::size_t size) : region_{start, size} {}
    [[nodiscard]] std::uint16_t page_count() const override { return region_.page_count(); }
    void read(std::uint32_t address, protocol::MutableBytes out) const override {
        region_.read(address, out);
    }
    [[nodiscard]] bool program(std::uint32_t address, const FlashUnit& unit) override;
    [[nodiscard]] bool erase_page(std::uint16_t page) override;

    void cut_at(std::uint32_t operation) { is_armed_ = true, until_cut_ = operation; }
    void cut_never() { is_armed_ = false; }

private:
    void count_operation();
    RegionFlash region_;
    bool is_armed_ = false;
    std::uint32_t until_cut_ = 0;
};

/// False: the frame's payload is not an operation's number.
[[nodiscard]] inline bool arm(BoardFlash& flash, protocol::Bytes payload) {
    if (payload.size() != cut_size) return false;
    flash.cut_at(static_cast<std::uint32_t>(protocol::read_big_endian(payload)));
    return true;
}
inline void disarm(BoardFlash& flash) {
    flash.cut_never();
}

#else

using BoardFlash = measuring::BoardFlash;
[[nodiscard]] inline bool arm(BoardFlash&, protocol::Bytes) {
    return false;
}
inline void disarm(BoardFlash&) {}

#endif

}  // namespace firmware::boards::cutting
