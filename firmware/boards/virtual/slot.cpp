#include "firmware/boards/virtual/slot.hpp"

namespace firmware::boards {

std::optional<TearMoment> tear_moment(const std::string& name) {
    if (name == "before-command") return TearMoment::before_command;
    if (name == "before-answer") return TearMoment::before_answer;
    if (name == "after-answer") return TearMoment::after_answer;
    if (name == "keep-answer") return TearMoment::keep_answer;
    return std::nullopt;
}

std::expected<void, LinkError> Slot::insert(std::unique_ptr<Chip> chip) {
    ONECARD_TRY(link, VpcdLink::connect(host_, port_));
    link_.emplace(std::move(link));
    chip_ = std::move(chip);
    return {};
}

std::unique_ptr<Chip> Slot::withdraw() {
    link_.reset();
    if (chip_) chip_->power_off();
    return std::move(chip_);
}

Slot::Event Slot::serve_one() {
    const auto message = link_->receive();
    if (!message) return Event::reader_gone;
    if (message->size() == 1) return serve_control(static_cast<VpcdControl>(message->front()));
    return serve_command(*message);
}

Slot::Event Slot::serve_control(VpcdControl control) {
    switch (control) {
        case VpcdControl::power_off: chip_->power_off(); return Event::served;
        case VpcdControl::power_on:
        case VpcdControl::reset:
            (void)chip_->reset();
            chip_->housekeeping();
            return Event::served;
        case VpcdControl::get_atr:
            return link_->send(chip_->atr()) ? Event::served : Event::reader_gone;
    }
    return Event::reader_gone;  // not a vpcd: LinkError::malformed
}

Slot::Event Slot::serve_command(protocol::Bytes command) {
    const bool tears = tears_at(command);
    if (tears && tear_->moment == TearMoment::before_command) return Event::torn;
    const bool cuts = tears && tear_->moment == TearMoment::in_command;
    if (cuts) (void)chip_->cut_at(tear_->operation);
    const auto answer = chip_->process(command);
    if (answer.empty()) return Event::torn;  // mute, or dead: pcscd would wait for ever
    if (tears && tear_->moment == TearMoment::before_answer) return Event::torn;
    if (tears && tear_->moment == TearMoment::keep_answer) return Event::held;
    if (!link_->send(answer)) return Event::reader_gone;
    chip_->housekeeping();
    if (cuts) return Event::uncut;
    return tears ? Event::torn : Event::served;
}

bool Slot::tears_at(protocol::Bytes command) {
    if (!tear_ || command.size() < 2 || command[1] != tear_->ins) return false;
    return --tear_->countdown == 0;
}

}  // namespace firmware::boards
