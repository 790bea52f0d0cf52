#include "firmware/os/proof.hpp"

namespace firmware {

using protocol::Bytes;

namespace {

/// Every bit that differs, forwards.
[[nodiscard, gnu::noinline]] std::uint8_t differing(Bytes expected, Bytes received) {
    unsigned difference = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        difference |= static_cast<unsigned>(expected[i] ^ received[i]);
        __asm__ volatile("" : "+r"(difference));  // no early exit can be invented
    }
    return static_cast<std::uint8_t>(difference);
}

/// Every bit that agrees everywhere, backwards and over the complement.
[[nodiscard, gnu::noinline]] std::uint8_t agreeing(Bytes expected, Bytes received) {
    unsigned agreement = 0xFF;
    for (std::size_t i = received.size(); i-- > 0;) {
        agreement &= static_cast<unsigned>(received[i] ^ static_cast<std::uint8_t>(~expected[i]));
        __asm__ volatile("" : "+r"(agreement));
    }
    return static_cast<std::uint8_t>(agreement);
}

}  // namespace

void Proof::compare(Bytes expected, Bytes received) {
    forget();
    was_asked_ = true;
    if (expected.size() != received.size() || expected.empty()) return;
    if (expected.data() == received.data()) return;  // nothing is proved by itself
    difference_ = differing(expected, received);
    agreement_ = agreeing(expected, received);
}

}  // namespace firmware
