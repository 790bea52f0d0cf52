// Any bytes as public key, signature and ciphertext: a named refusal or an answer, and never a
// plaintext left behind.
#include <algorithm>
#include <array>
#include <vector>

#include "crypto/core/sm2.hpp"

namespace {

using namespace crypto;

class FixedRandom final : public Random {
public:
    void fill(MutableBytes out) override { std::ranges::fill(out, std::uint8_t{0x42}); }
};

/// GB/T 32918.5-2017, annex A: its ciphertext in annex C is a seed.
constexpr std::array<std::uint8_t, 32> standard_key{
    0x39, 0x45, 0x20, 0x8F, 0x7B, 0x21, 0x44, 0xB1, 0x3F, 0x36, 0xE3, 0x8A, 0xC6, 0xD3, 0x9F, 0x95,
    0x88, 0x93, 0x93, 0x69, 0x28, 0x60, 0xB5, 0x1A, 0x42, 0xFB, 0x81, 0xEF, 0x4D, 0xF7, 0xC5, 0xB8};

void require(bool holds) {
    if (!holds) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const sm2::PrivateKey own = [] {
        FixedRandom random;
        return std::move(*sm2::PrivateKey::load(standard_key, random));
    }();
    const Bytes input{data, size};
    protocol::ByteReader in{input};
    const auto x_y = in.take(std::min(size, sm2::public_key_size));
    const auto other = sm2::PublicKey::parse(*x_y);
    if (other) require(std::ranges::equal(other->bytes(), *x_y));
    const sm2::PublicKey& key = other ? *other : own.public_key();

    const Bytes signature = in.rest().first(std::min(in.size(), sm2::signature_size));
    const auto verified = sm2::verify(key, sm2::default_id, input, signature);
    if (!verified) require(name(verified.error())[0] != 0);

    std::vector<std::uint8_t> out(
        size > sm2::ciphertext_overhead ? size - sm2::ciphertext_overhead : 0, 0xEE);
    if (!sm2::decrypt(own, input, out)) {
        if (size > sm2::ciphertext_overhead) require(std::ranges::count(out, 0) == std::ssize(out));
    }
    return 0;
}
