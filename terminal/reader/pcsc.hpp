#pragma once
// PC/SC (pcsc-lite): readers by name, cards coming and going, one connection at a time. Only this
// target knows winscard.h. Every code that is not an answer is a LinkError: for a tap, a tear.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "terminal/link/card_link.hpp"

namespace terminal {

enum class WaitResult : std::uint8_t {
    card_present,
    timeout,
    reader_unknown,  ///< no reader of this name (yet)
    service_lost,    ///< pcscd is not running; the next call connects again when it is back
    cancelled,       ///< wake() was called
};
[[nodiscard]] constexpr const char* name(WaitResult result) {
    switch (result) {
        case WaitResult::card_present: return "card_present";
        case WaitResult::timeout: return "timeout";
        case WaitResult::reader_unknown: return "reader_unknown";
        case WaitResult::service_lost: return "service_lost";
        case WaitResult::cancelled: return "cancelled";
    }
    return "unknown";
}

/// A connection to the card in one reader. As a CardLink it sends what it is given.
class PcscReader final : public CardLink {
public:
    explicit PcscReader(std::string reader_name);
    ~PcscReader() override;
    PcscReader(const PcscReader&) = delete;
    PcscReader& operator=(const PcscReader&) = delete;

    [[nodiscard]] const std::string& reader_name() const;

    /// Waits until a card is there that this object has not been told was served: after a tap the
    /// same card must leave first. A card that was lost in the middle counts again at once.
    [[nodiscard]] WaitResult wait_for_card(std::chrono::milliseconds limit);
    /// Look again: a card that is still there counts as a new one.
    void forget_served();
    /// From any thread: a waiting call answers `cancelled`.
    void wake();

    /// Powers the card if necessary and takes it for us alone (SCardBeginTransaction).
    [[nodiscard]] std::expected<void, LinkError> begin();
    /// Ends the transaction; `reset` leaves no selected application behind.
    void end(bool reset);
    /// Exclusive: nobody else may connect meanwhile (a SAM). begin() shares and then locks.
    enum class Share : std::uint8_t { shared, exclusive };
    [[nodiscard]] std::expected<void, LinkError> connect(Share share);

    [[nodiscard]] const std::vector<std::uint8_t>& atr() const;
    [[nodiscard]] std::expected<Response, LinkError> transmit(Bytes command) override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// A SAM's link: connects when first used and again after a loss, so that a gate recovers by
/// itself.
class PcscSam final : public CardLink {
public:
    explicit PcscSam(std::string reader_name) : reader_{std::move(reader_name)} {}
    [[nodiscard]] std::expected<Response, LinkError> transmit(Bytes command) override;

private:
    PcscReader reader_;
    bool connected_ = false;
};

/// Names of the readers that pcscd knows now; empty when it does not run.
[[nodiscard]] std::vector<std::string> list_readers();

}  // namespace terminal
