#include "crypto/core/modes.hpp"

namespace crypto {
namespace {

using Block = std::array<std::uint8_t, block_size_max>;

void xor_into(MutableBytes target, Bytes other) {
    for (std::size_t i = 0; i < target.size(); ++i) target[i] ^= other[i];
}

ModeResult check(const BlockSchedule& cipher, Bytes iv, Bytes data) {
    if (iv.size() != cipher.block_size()) return std::unexpected{ModeError::wrong_iv_size};
    if (data.size() % cipher.block_size() != 0) return std::unexpected{ModeError::not_whole_blocks};
    return {};
}

void increment(MutableBytes counter) {  // big-endian, over the whole block
    for (std::size_t i = counter.size(); i > 0; --i) {
        if (++counter[i - 1] != 0) return;
    }
}

}  // namespace

ModeResult ecb_encrypt(const BlockEncryptor& cipher, MutableBytes data) {
    const std::size_t size = cipher.block_size();
    if (data.size() % size != 0) return std::unexpected{ModeError::not_whole_blocks};
    for (; !data.empty(); data = data.subspan(size)) cipher.encrypt(data.first(size));
    return {};
}

ModeResult ecb_decrypt(const BlockDecryptor& cipher, MutableBytes data) {
    const std::size_t size = cipher.block_size();
    if (data.size() % size != 0) return std::unexpected{ModeError::not_whole_blocks};
    for (; !data.empty(); data = data.subspan(size)) cipher.decrypt(data.first(size));
    return {};
}

ModeResult cbc_encrypt(const BlockEncryptor& cipher, Bytes iv, MutableBytes data) {
    ONECARD_CHECK(check(cipher, iv, data));
    const std::size_t size = cipher.block_size();
    Bytes previous = iv;
    for (; !data.empty(); data = data.subspan(size)) {
        xor_into(data.first(size), previous);
        cipher.encrypt(data.first(size));
        previous = data.first(size);
    }
    return {};
}

ModeResult cbc_decrypt(const BlockDecryptor& cipher, Bytes iv, MutableBytes data) {
    ONECARD_CHECK(check(cipher, iv, data));
    const std::size_t size = cipher.block_size();
    Block previous{};
    Block current{};
    std::ranges::copy(iv, previous.begin());
    for (; !data.empty(); data = data.subspan(size)) {
        std::ranges::copy(data.first(size), current.begin());
        cipher.decrypt(data.first(size));
        xor_into(data.first(size), Bytes{previous}.first(size));
        previous = current;
    }
    return {};
}

ModeResult ctr_crypt(const BlockEncryptor& cipher, Bytes counter, MutableBytes data) {
    const std::size_t size = cipher.block_size();
    if (counter.size() != size) return std::unexpected{ModeError::wrong_iv_size};
    Block next{};
    std::ranges::copy(counter, next.begin());
    Block stream{};
    while (!data.empty()) {
        stream = next;
        cipher.encrypt(MutableBytes{stream}.first(size));
        increment(MutableBytes{next}.first(size));
        const std::size_t taken = std::min(size, data.size());
        xor_into(data.first(taken), stream);
        data = data.subspan(taken);
    }
    wipe(stream);
    return {};
}

}  // namespace crypto
