// Public key encryption, GB/T 32918.4-2016. A comment such as "A5" is the standard's step.
#include <algorithm>

#include "crypto/sm2/scalars.hpp"

namespace crypto::sm2 {
namespace {

using SharedPoint = SecretBytes<public_key_size>;  // x2 | y2

/// data ^= KDF(shared, data.size()). Part 4, 5.4.3. False if the key stream was all zero.
[[nodiscard]] bool apply_key_stream(MutableBytes data, const SharedPoint& shared) {
    const Sm3 prefix = Sm3{}.update(shared.bytes());
    std::uint32_t counter = 0;
    std::uint8_t any = 0;
    SecretBytes<sm3_digest_size> block;
    for (std::size_t i = 0; i < data.size(); ++i) {
        if (i % sm3_digest_size == 0) {
            ++counter;
            const std::array<std::uint8_t, 4> ct{
                static_cast<std::uint8_t>(counter >> 24), static_cast<std::uint8_t>(counter >> 16),
                static_cast<std::uint8_t>(counter >> 8), static_cast<std::uint8_t>(counter)};
            Sm3Digest digest = Sm3{prefix}.update(ct).finish();
            std::ranges::copy(digest, block.bytes().begin());
            wipe(digest);
        }
        const std::uint8_t key = block.bytes()[i % sm3_digest_size];
        data[i] = static_cast<std::uint8_t>(data[i] ^ key);
        any = static_cast<std::uint8_t>(any | key);
    }
    return !is_true(mask_if_zero(any));
}

/// C3 = SM3(x2 | M | y2). Part 4, A7 and B6.
[[nodiscard]] Digest check_value(const SharedPoint& shared, Bytes plaintext) {
    const auto x_y = shared.bytes();
    return Sm3{}.update(x_y.first<32>()).update(plaintext).update(x_y.last<32>()).finish();
}

/// shared = [k]point, as bytes.
void multiply_to(SharedPoint& shared, const Number& k, std::span<const std::uint8_t, 64> point) {
    SecretPoint product;
    engine::multiply(product, k, point_from(point));
    point_to(shared.bytes(), product);
}

constexpr std::uint8_t uncompressed = 0x04;  // part 1, 4.2.9: the byte PC
constexpr std::size_t c1_size = 1 + public_key_size;

}  // namespace

Result<void> encrypt(const PublicKey& key, Bytes plaintext, Random& random, MutableBytes out) {
    if (plaintext.empty() || plaintext.size() > UINT32_MAX ||
        out.size() != plaintext.size() + ciphertext_overhead) {
        return std::unexpected(Refusal::wrong_length);
    }
    const MutableBytes c2 = out.subspan(ciphertext_overhead);
    return with_stack_wiped([&]() -> Result<void> {
        for (int draw = 0; draw < draws_max; ++draw) {
            SecretNumber k;
            SecretPoint c1;
            SharedPoint shared;
            if (!draw_scalar(k, random)) break;   // A1
            engine::multiply_generator(c1, k);    // A2
            multiply_to(shared, k, key.bytes());  // A4; A3 cannot fail: the cofactor is 1
            std::ranges::copy(plaintext, c2.begin());
            if (!apply_key_stream(c2, shared)) continue;  // A5, A6
            out[0] = uncompressed;
            point_to(out.subspan<1, public_key_size>(), c1);
            std::ranges::copy(check_value(shared, plaintext), out.begin() + c1_size);  // A7
            return {};
        }
        wipe(out);
        return std::unexpected(Refusal::random_unusable);
    });
}

Result<void> decrypt(const PrivateKey& key, Bytes ciphertext, MutableBytes out) {
    wipe(out);
    if (ciphertext.size() <= ciphertext_overhead ||
        out.size() != ciphertext.size() - ciphertext_overhead) {
        return std::unexpected(Refusal::wrong_length);
    }
    if (ciphertext[0] != uncompressed) return std::unexpected(Refusal::wrong_point_format);
    ONECARD_TRY(c1, PublicKey::parse(ciphertext.subspan(1, public_key_size)));  // B1, B2
    return with_stack_wiped([&]() -> Result<void> {
        SecretNumber d;
        SharedPoint shared;
        from_bytes(d, key.bytes());
        multiply_to(shared, d, c1.bytes());  // B3
        std::ranges::copy(ciphertext.subspan(ciphertext_overhead), out.begin());
        const bool usable = apply_key_stream(out, shared);  // B4, B5
        const Digest expected = check_value(shared, out);
        const bool matches =
            equal_constant_time(expected, ciphertext.subspan(c1_size, sm3_digest_size));
        declassify(matches);
        if (usable && matches) return {};  // B6
        wipe(out);
        return std::unexpected(Refusal::ciphertext_mismatch);
    });
}

}  // namespace crypto::sm2
