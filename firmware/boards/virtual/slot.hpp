#pragma once
// A reader's slot with a chip that can be put in, taken out, and taken out at the worst moment.
#include <memory>
#include <optional>

#include "firmware/boards/virtual/chip.hpp"
#include "firmware/boards/virtual/vpcd_link.hpp"

namespace firmware::boards {

enum class TearMoment : std::uint8_t {
    before_command,  ///< the chip never sees the command
    before_answer,   ///< the chip has done it, the reader does not learn so
    after_answer,    ///< the reader has the answer
    in_command,      ///< power fails instead of one of the command's operations on the memory
    keep_answer,  ///< the chip has done it and says nothing: the reader waits until it is taken out
};
[[nodiscard]] std::optional<TearMoment> tear_moment(const std::string& name);

/// Take the chip out at the `countdown`-th command with this instruction.
struct Tear {
    std::uint8_t ins = 0;
    TearMoment moment = TearMoment::after_answer;
    unsigned countdown = 1;
    std::uint32_t operation = 0;  ///< in_command: the one that is not done, from 0
};

class Slot {
public:
    Slot(std::string host, std::uint16_t port) : host_{std::move(host)}, port_{port} {}

    [[nodiscard]] std::expected<void, LinkError> insert(std::unique_ptr<Chip> chip);
    /// Breaks the connection; the chip loses power. Answers the chip.
    std::unique_ptr<Chip> withdraw();
    void arm(const Tear& tear) { tear_ = tear; }

    enum class Event : std::uint8_t {
        served,
        torn,
        uncut,  ///< served, but a cut in the command was ordered and did not come
        held,
        reader_gone
    };
    /// Waits for one message of the reader and serves it.
    [[nodiscard]] Event serve_one();
    [[nodiscard]] bool has_chip() const { return chip_ != nullptr; }
    /// For poll(2); -1 without a chip.
    [[nodiscard]] int descriptor() const { return link_ ? link_->descriptor() : -1; }

private:
    [[nodiscard]] Event serve_control(VpcdControl control);
    [[nodiscard]] Event serve_command(protocol::Bytes command);
    [[nodiscard]] bool tears_at(protocol::Bytes command);

    std::string host_;
    std::uint16_t port_;
    std::optional<VpcdLink> link_;
    std::unique_ptr<Chip> chip_;
    std::optional<Tear> tear_;
};

}  // namespace firmware::boards
