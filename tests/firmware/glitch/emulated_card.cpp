#include "tests/firmware/glitch/emulated_card.hpp"

#include "firmware/boards/mps2/frames.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {

namespace boards = firmware::boards;
using boards::FrameKind;

namespace {

/// Some hundred times what the longest command takes.
constexpr std::uint64_t blocks_max = 50'000'000;

[[nodiscard]] Command frame(FrameKind kind, Bytes payload) {
    const auto header = boards::frame_header(kind, payload.size());
    Command out{header.begin(), header.end()};
    for (const std::uint8_t byte : payload) out.push_back(byte);
    out.push_back(boards::frame_check(out));
    return out;
}

/// The payload, if `sent` is one whole frame of this kind.
[[nodiscard]] std::optional<Bytes> payload_in(Bytes sent, FrameKind kind) {
    if (sent.size() < boards::frame_header_size + 1) return std::nullopt;
    const Bytes payload =
        sent.subspan(boards::frame_header_size, sent.size() - boards::frame_header_size - 1);
    const auto header = boards::frame_header(kind, payload.size());
    if (!std::ranges::equal(header, sent.first(header.size()))) return std::nullopt;
    if (boards::frame_check(sent) != 0) return std::nullopt;
    return payload;
}

}  // namespace

Command frame_of(Bytes apdu) {
    return frame(FrameKind::command, apdu);
}

std::optional<Answer> answer_in(Bytes sent) {
    const auto payload = payload_in(sent, FrameKind::answer);
    if (!payload) return std::nullopt;
    const auto parsed = protocol::ResponseApdu::parse(*payload);
    if (!parsed) return std::nullopt;
    return Answer{{parsed->data().begin(), parsed->data().end()}, parsed->status()};
}

std::vector<std::uint8_t> EmulatedCard::exchange(std::vector<std::uint8_t> frame) {
    machine_.line() = {std::move(frame), 0, {}};
    if (machine_.run(blocks_max) != Stop::idle) throw Mute{"the card has stopped"};
    return machine_.line().from_card;
}

void EmulatedCard::power_on(std::uint8_t seed) {
    machine_.power_on();
    const auto ready = exchange({});
    if (!payload_in(ready, FrameKind::ready)) throw Mute{"the card does not start"};
    std::array<std::uint8_t, boards::seed_size> noise{};
    noise.fill(seed);
    const auto sent = exchange(frame(FrameKind::reset, noise));
    const auto atr = payload_in(sent, FrameKind::atr);
    if (!atr || atr->empty()) throw Mute{"the card has no ATR"};
}

Answer EmulatedCard::send(Bytes apdu) {
    auto answer = answer_in(exchange(frame_of(apdu)));
    if (!answer) throw Mute{"no answer to " + to_hex(apdu)};
    return std::move(*answer);
}

std::vector<std::uint8_t> EmulatedCard::must(Bytes apdu) {
    auto answer = send(apdu);
    if (!answer.ok()) {
        throw std::runtime_error{to_hex(apdu) + " answers " +
                                 std::to_string(static_cast<unsigned>(answer.status))};
    }
    return std::move(answer.data);
}

}  // namespace tests::glitch
