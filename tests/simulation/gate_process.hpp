#pragma once
// One gate of a simulated day: the product's own terminal::Gate, journal and uploader, with its SAM
// and a disk that loses what was not synced.
#include "protocol/purse.hpp"
#include "terminal/gate/gate.hpp"
#include "terminal/upload/uploader.hpp"
#include "tests/simulation/chips.hpp"
#include "tests/simulation/network.hpp"

namespace simulation {

/// What goes wrong during one touch.
struct TouchFault {
    enum class Kind : std::uint8_t {
        none,
        withdrawn_before,  ///< the card leaves before command `at`
        withdrawn_inside,  ///< while it works on command `at`: power fails at a write to its flash
        withdrawn_after,   ///< it has worked, its answer is lost
        killed_before,     ///< the gate's process dies before command `at`
        killed_after,      ///< the same, after the card has worked
        disk_dies,         ///< the gate's disk takes no more writes after `at`; then the gate dies
    };
    Kind kind = Kind::none;
    unsigned at = 0;
    tests::PowerCut cut{};
};

/// What the card did in one touch, read off its commands.
struct SeenDebit {
    protocol::DebitData command;
    protocol::OfflineCounter counter;
};

/// The process is gone: thrown through the gate's code, as a signal would end it.
struct GateKilled {};

class SamLink final : public terminal::CardLink {
public:
    explicit SamLink(Chip& chip) : chip_{chip} {}
    [[nodiscard]] std::expected<terminal::Response, terminal::LinkError> transmit(
        protocol::Bytes command) override;

private:
    Chip& chip_;
};

/// A card held to the reader, for one touch.
class TouchLink final : public terminal::CardLink {
public:
    TouchLink(Chip& chip, const TouchFault& fault) : chip_{chip}, fault_{fault} {}
    [[nodiscard]] std::expected<terminal::Response, terminal::LinkError> transmit(
        protocol::Bytes command) override;
    [[nodiscard]] const std::optional<SeenDebit>& debit() const { return debit_; }

private:
    [[nodiscard]] std::optional<std::vector<std::uint8_t>> work(protocol::Bytes command);
    void watch(protocol::Bytes command, protocol::Bytes response);

    Chip& chip_;
    TouchFault fault_;
    unsigned count_ = 0;
    protocol::OfflineCounter counter_;
    std::optional<SeenDebit> debit_;
};

struct GatePlan {
    terminal::GateProfile profile;
    SamPlan sam;
    terminal::HotListPublisher publisher;
};

class GateProcess {
public:
    GateProcess(const GatePlan& plan, const terminal::FareTable& fares,
                const platform::Clock& clock, Network& network, const std::string& disk_name,
                const crypto::SeededRandom& random);

    struct Touched {
        std::optional<terminal::TapReport> report;  ///< nothing when the gate died
        std::optional<SeenDebit> debit;
    };
    [[nodiscard]] Touched touch(Chip& card, const TouchFault& fault);
    void upload_step() { uploader_->step(); }
    void flush() { uploader_->flush(); }
    void kill_and_restart();
    [[nodiscard]] terminal::Journal& journal() { return *journal_; }
    [[nodiscard]] const GatePlan& plan() const { return plan_; }
    [[nodiscard]] const crypto::sm2::PrivateKey& key() const { return key_; }

private:
    void start();

    GatePlan plan_;
    const terminal::FareTable& fares_;
    const platform::Clock& clock_;
    crypto::SeededRandom random_;
    crypto::SeededRandom nonces_;
    crypto::sm2::PrivateKey key_;
    terminal::Sm2Signer signer_;
    Chip sam_;
    SamLink sam_link_;
    Channel channel_;
    LossyDisk disk_;
    std::unique_ptr<terminal::Journal> journal_;
    std::unique_ptr<terminal::HotListKeeper> hot_lists_;
    std::unique_ptr<terminal::Gate> gate_;
    std::unique_ptr<terminal::Uploader> uploader_;
};

/// The certificate of one operator's device.
[[nodiscard]] platform::PeerIdentity terminal_identity(const protocol::OperatorId& operator_id,
                                                       const protocol::DeviceId& device,
                                                       protocol::CityCode city);

}  // namespace simulation
