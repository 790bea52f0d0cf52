#include "tests/fuzz/support/secrets.hpp"

#include "tests/firmware/support/issuing.hpp"

namespace fuzz {

using protocol::Bytes;
using tests::Suite;

namespace {

constexpr std::size_t window_size = 8;

[[nodiscard]] std::uint64_t number_of(Bytes window) {
    return protocol::read_big_endian(window.first<window_size>());
}

void add_windows(std::vector<std::uint64_t>& out, Bytes key) {
    for (std::size_t at = 0; at + window_size <= key.size(); ++at) {
        out.push_back(number_of(key.subspan(at, window_size)));
    }
}

/// Of every key that the tests' issuer knows. Sorted.
[[nodiscard]] std::vector<std::uint64_t> windows_of_issuer() {
    std::vector<std::uint64_t> out;
    const auto add = [&](const tests::PurseKey& key) { add_windows(out, key.value.bytes()); };
    for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
        for (unsigned usage = 0x04; usage <= 0x39; ++usage) {
            if (!protocol::is_key_usage(static_cast<std::uint8_t>(usage))) continue;
            const auto known = static_cast<protocol::KeyUsage>(usage);
            add(tests::master_key(known, suite));
            add(tests::card_key(known, suite));
            add(crypto::purse::diversify(tests::master_key(known, suite),
                                         crypto::purse::factor_of(tests::issuer)));
        }
        const auto master = tests::transport_master(suite);
        add(master);
        for (const auto& serial : {tests::card_serial, tests::sam_serial}) {
            add(crypto::purse::transport_key(master, serial));
        }
    }
    std::ranges::sort(out);
    return out;
}

}  // namespace

void Secrets::add(Bytes secret) {
    if (secret.size() >= window_size) {
        add_windows(key_windows_, secret);
    } else {
        pins_.emplace_back(secret.begin(), secret.end());
    }
}

bool Secrets::is_in_input(Bytes window) const {
    return !std::ranges::search(input_, window).empty();
}

void Secrets::check(Bytes answer) const {
    static const auto of_issuer = windows_of_issuer();
    for (std::size_t at = 0; at + window_size <= answer.size(); ++at) {
        const Bytes window = answer.subspan(at, window_size);
        const std::uint64_t number = number_of(window);
        const bool is_key = std::ranges::binary_search(of_issuer, number) ||
                            std::ranges::find(key_windows_, number) != key_windows_.end();
        require(!is_key || is_in_input(window));
    }
    for (const auto& pin : pins_) {
        require(std::ranges::search(answer, pin).empty() || is_in_input(pin));
    }
}

}  // namespace fuzz
