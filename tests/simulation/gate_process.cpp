#include "tests/simulation/gate_process.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "platform/mask.hpp"

namespace simulation {

using terminal::LinkError;
using Kind = TouchFault::Kind;

namespace {

std::expected<terminal::Response, LinkError> respond(
    const std::optional<std::vector<std::uint8_t>>& bytes) {
    terminal::Response out;
    if (!bytes || !out.append(*bytes)) return std::unexpected{LinkError::card_gone};
    return out;
}

crypto::sm2::PrivateKey device_key(crypto::SeededRandom random) {
    auto key = crypto::sm2::PrivateKey::generate(random);
    if (!key) throw std::runtime_error{"no key from this random source"};
    return std::move(*key);
}

bool starts_with(protocol::Bytes command, std::uint8_t cla, std::uint8_t ins) {
    return command.size() > 5 && command[0] == cla && command[1] == ins;
}

}  // namespace

std::expected<terminal::Response, LinkError> SamLink::transmit(protocol::Bytes command) {
    return respond(chip_.send(command));
}

// A purchase's INITIALIZE tells the counter, DEBIT the rest.
void TouchLink::watch(protocol::Bytes command, protocol::Bytes response) {
    if (!starts_with(command, 0x80, 0x50) || response.size() < 2) return;
    const auto opened = protocol::PurchaseInitialised::parse(response.first(response.size() - 2));
    if (opened) counter_ = opened->counter;
}

std::optional<std::vector<std::uint8_t>> TouchLink::work(protocol::Bytes command) {
    if (starts_with(command, 0x80, 0x54)) {
        if (debit_) throw std::runtime_error{"the gate sent DEBIT twice in one touch"};
        const auto data = protocol::DebitData::parse(command.subspan(5, command[4]));
        if (data) debit_ = SeenDebit{*data, counter_};
    }
    auto response = chip_.send(command);
    if (response) watch(command, *response);
    return response;
}

std::expected<terminal::Response, LinkError> TouchLink::transmit(protocol::Bytes command) {
    const bool now = fault_.kind != Kind::none && count_++ == fault_.at;
    if (!now) return respond(work(command));
    switch (fault_.kind) {
        case Kind::withdrawn_before: chip_.power_off(); break;
        case Kind::withdrawn_inside:
            chip_.flash().cut_at(fault_.cut);
            (void)work(command);
            chip_.flash().disarm();
            chip_.power_off();
            break;
        case Kind::withdrawn_after:
            (void)work(command);
            chip_.power_off();
            break;
        case Kind::killed_before: throw GateKilled{};
        case Kind::killed_after: (void)work(command); throw GateKilled{};
        case Kind::none:
        case Kind::disk_dies: return respond(work(command));
    }
    return std::unexpected{LinkError::card_gone};
}

platform::PeerIdentity terminal_identity(const protocol::OperatorId& operator_id,
                                         const protocol::DeviceId& device,
                                         protocol::CityCode city) {
    return {platform::PeerRole::terminal, platform::to_hex(operator_id.value()),
            platform::to_hex(device.value()), fmt::format("{:04X}", city.value())};
}

GateProcess::GateProcess(const GatePlan& plan, const terminal::FareTable& fares,
                         const platform::Clock& clock, Network& network,
                         const std::string& disk_name, const crypto::SeededRandom& random)
    : plan_{plan},
      fares_{fares},
      clock_{clock},
      random_{random.fork("disk")},
      nonces_{random.fork("nonces")},
      key_{device_key(random.fork("key"))},
      signer_{key_, nonces_},
      sam_{plan.sam, random.fork("sam")},
      sam_link_{sam_},
      channel_{network, plan.profile.city,
               terminal_identity(plan.profile.operator_id, plan.profile.device, plan.profile.city)},
      disk_{disk_name} {
    start();
}

void GateProcess::start() {
    sam_.power_on();
    auto options = terminal::Journal::default_options();
    options.vfs = disk_.vfs();
    auto journal = terminal::Journal::open("journal.db", {plan_.profile.device}, options);
    if (!journal) throw std::runtime_error{"the journal does not open: " + journal.error().text};
    journal_ = std::move(*journal);
    hot_lists_ = std::make_unique<terminal::HotListKeeper>(plan_.publisher, *journal_, clock_);
    if (!hot_lists_->load()) throw std::runtime_error{"the hot lists do not load"};
    gate_ = std::make_unique<terminal::Gate>(
        terminal::GateParts{plan_.profile, fares_, *hot_lists_, *journal_, clock_, sam_link_,
                            [this] { return clock_.unix_ms() * 1000; }});
    if (!gate_->recover()) throw std::runtime_error{"the gate does not recover"};
    const terminal::UploadOrigin origin{plan_.profile.operator_id, plan_.profile.device,
                                        plan_.profile.city, fares_.version()};
    uploader_ = std::make_unique<terminal::Uploader>(terminal::UploadRules{}, origin, *journal_,
                                                     *hot_lists_, signer_, channel_, clock_,
                                                     [](const terminal::UploadEvent&) {});
}

void GateProcess::kill_and_restart() {
    disk_.crash(random_);
    uploader_.reset();
    gate_.reset();
    hot_lists_.reset();
    journal_.reset();
    disk_.refill();
    start();
}

GateProcess::Touched GateProcess::touch(Chip& card, const TouchFault& fault) {
    Touched out;
    card.power_on();
    TouchLink link{card, fault};
    if (fault.kind == Kind::disk_dies) disk_.fill_after(fault.at);
    try {
        out.report = gate_->touch(link);
    } catch (const GateKilled&) {
        kill_and_restart();
    }
    if (out.report && out.report->result.open) {  // G2 of docs/gate.md
        const auto counts = journal_->counts();
        if (!counts || counts->pending != 0) {
            throw std::runtime_error{"the gate opened before its journal had the end"};
        }
    }
    if (fault.kind == Kind::disk_dies) kill_and_restart();
    out.debit = link.debit();
    card.power_off();
    return out;
}

}  // namespace simulation
