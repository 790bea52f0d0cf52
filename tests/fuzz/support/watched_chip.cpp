#include "tests/fuzz/support/watched_chip.hpp"

namespace fuzz {

void WatchedChip::judge(const Answer& answer) const {
    require(answer.data.size() <= 256);
    require(answer.status != StatusWord::no_precise_diagnosis &&
            answer.status != StatusWord::memory_failure);
    secrets_->check(answer.data);
}

Answer WatchedChip::send(Bytes command) {
    const auto parsed = CommandApdu::parse(command);
    const bool is_short = parsed && !parsed->is_extended();
    if (is_short) foresee(*parsed);
    Answer answer;
    try {
        answer = chip_.send(command);
    } catch (const tests::PowerLost&) {
        restart();
        if (is_short) settle(*parsed);
        throw Torn{};
    } catch (const std::runtime_error&) {
        require(false);  // fewer than two bytes
    }
    judge(answer);
    if (!is_short) {
        require(answer.status == StatusWord::wrong_length);
        return answer;
    }
    const bool is_protected = (parsed->cla() & 0x04) != 0;
    require(!is_protected || !answer.ok() || sealed_);
    learn(*parsed, answer);
    return answer;
}

std::vector<std::uint8_t> WatchedChip::demand(Bytes command) {
    auto answer = send(command);
    require(answer.ok());
    return answer.data;
}

Answer WatchedChip::look(Bytes command) {
    auto answer = chip_.send(command);
    judge(answer);
    return answer;
}

void WatchedChip::restart() {
    try {
        chip_.power_on();
    } catch (const std::runtime_error&) {
        require(false);  // mute
    }
    after_restart();
}

void WatchedChip::housekeeping() {
    try {
        chip_.card().housekeeping();
    } catch (const tests::PowerLost&) {
        restart();
        throw Torn{};
    }
}

}  // namespace fuzz
