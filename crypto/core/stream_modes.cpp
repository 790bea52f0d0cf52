#include "crypto/core/stream_modes.hpp"

namespace crypto {
namespace {

enum class Feedback : std::uint8_t { stream, output_text, input_text };

ModeResult crypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data, Feedback feedback) {
    const std::size_t size = cipher.block_size();
    if (iv.size() != size) return std::unexpected{ModeError::wrong_iv_size};
    std::array<std::uint8_t, block_size_max> next{};
    std::ranges::copy(iv, next.begin());
    while (!data.empty()) {
        cipher.encrypt(MutableBytes{next}.first(size));
        const std::size_t taken = std::min(size, data.size());
        for (std::size_t i = 0; i < taken; ++i) {
            const std::uint8_t before = data[i];
            data[i] ^= next[i];
            if (feedback == Feedback::output_text) next[i] = data[i];
            if (feedback == Feedback::input_text) next[i] = before;
        }
        data = data.subspan(taken);
    }
    wipe(next);
    return {};
}

}  // namespace

ModeResult ofb_crypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data) {
    return crypt(cipher, iv, data, Feedback::stream);
}
ModeResult cfb_encrypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data) {
    return crypt(cipher, iv, data, Feedback::output_text);
}
ModeResult cfb_decrypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data) {
    return crypt(cipher, iv, data, Feedback::input_text);
}

}  // namespace crypto
