#include "crypto/core/aead.hpp"

namespace crypto {
namespace {

constexpr std::size_t block_size = 16;
using Block = std::array<std::uint8_t, block_size>;

void xor_into(Block& target, Bytes other) {
    for (std::size_t i = 0; i < other.size(); ++i) target[i] ^= other[i];
}
Block encrypted(const BlockEncryptor& cipher, Block block) {
    cipher.encrypt(block);
    return block;
}

// ---- GCM. SP 800-38D. ----

/// One step of 6.3: `value` * x in GF(2^128), whose bits run from the left.
void multiply_by_x(Block& value) {
    const auto reduction = static_cast<std::uint8_t>(0xE1 & (0U - (value[15] & 1U)));
    for (std::size_t i = block_size - 1; i > 0; --i) {
        value[i] = static_cast<std::uint8_t>(value[i] >> 1 | value[i - 1] << 7);
    }
    value[0] = static_cast<std::uint8_t>(value[0] >> 1 ^ reduction);
}

/// 6.3: X . Y, without a branch on either.
Block multiply(const Block& x, Block y) {
    Block product{};
    for (std::size_t bit = 0; bit < 8 * block_size; ++bit) {
        const unsigned x_bit = unsigned{x[bit / 8]} >> (7 - bit % 8) & 1U;
        const auto mask = static_cast<std::uint8_t>(0U - x_bit);
        for (std::size_t i = 0; i < block_size; ++i) {
            product[i] ^= static_cast<std::uint8_t>(y[i] & mask);
        }
        multiply_by_x(y);
    }
    return product;
}

class Ghash {  // 6.4
public:
    explicit Ghash(const Block& key) : key_{key} {}
    ~Ghash() { wipe(key_); }
    Ghash(const Ghash&) = delete;
    Ghash& operator=(const Ghash&) = delete;

    /// Whole blocks; the last is filled with zeros.
    void update(Bytes data) {
        while (!data.empty()) {
            const std::size_t taken = std::min(block_size, data.size());
            xor_into(value_, data.first(taken));
            value_ = multiply(value_, key_);
            data = data.subspan(taken);
        }
    }
    void update_lengths(std::size_t first, std::size_t second) {
        Block lengths{};
        protocol::ByteWriter{lengths}.put_u64(8ULL * first).put_u64(8ULL * second);
        update(lengths);
    }
    [[nodiscard]] const Block& value() const { return value_; }

private:
    Block key_;
    Block value_{};
};

/// J0: 7.1, step 2.
Block first_counter(const Block& hash_key, Bytes nonce) {
    Block counter{};
    if (nonce.size() == 12) {
        std::ranges::copy(nonce, counter.begin());
        counter[15] = 1;
        return counter;
    }
    Ghash hash{hash_key};
    hash.update(nonce);
    hash.update_lengths(0, nonce.size());
    return hash.value();
}

void increment(Block& counter, std::size_t from) {  // big-endian, bytes `from` to the end
    for (std::size_t i = block_size; i > from; --i) {
        if (++counter[i - 1] != 0) return;
    }
}

/// GCTR, 6.5, and CCM's counter mode: the counter wraps inside bytes `from` to the end.
void counter_crypt(const BlockEncryptor& cipher, Block counter, std::size_t from,
                   MutableBytes data) {
    while (!data.empty()) {
        increment(counter, from);
        Block stream = encrypted(cipher, counter);
        const std::size_t taken = std::min(block_size, data.size());
        for (std::size_t i = 0; i < taken; ++i) data[i] ^= stream[i];
        data = data.subspan(taken);
        wipe(stream);
    }
}

constexpr std::size_t gcm_counter_at = 12;  // 6.2: inc32

struct Gcm {
    Block hash_key;
    Block counter;
    Gcm(const BlockEncryptor& cipher, Bytes nonce)
        : hash_key{encrypted(cipher, {})}, counter{first_counter(hash_key, nonce)} {}
    ~Gcm() { wipe(hash_key); }
    Gcm(const Gcm&) = delete;
    Gcm& operator=(const Gcm&) = delete;

    [[nodiscard]] AeadTag tag(const BlockEncryptor& cipher, Bytes additional, Bytes text) const {
        Ghash hash{hash_key};
        hash.update(additional);
        hash.update(text);
        hash.update_lengths(additional.size(), text.size());
        Block out = encrypted(cipher, counter);
        xor_into(out, hash.value());
        return out;
    }
};

std::expected<void, AeadError> check_gcm(const BlockEncryptor& cipher, Bytes nonce) {
    if (cipher.block_size() != block_size) return std::unexpected{AeadError::wrong_block_size};
    if (nonce.empty()) return std::unexpected{AeadError::wrong_nonce_size};
    return {};
}

AeadOpened compare(const AeadTag& computed, Bytes received, MutableBytes data) {
    if (equal_constant_time(computed, received)) return {};
    wipe(data);
    return std::unexpected{AeadError::tag_mismatch};
}

// ---- CCM. SP 800-38C. ----

constexpr std::size_t ccm_additional_max = 0xFEFF;  // A.2.2: longer ones need another encoding

std::expected<void, AeadError> check_ccm(const BlockEncryptor& cipher, Bytes nonce,
                                         Bytes additional, Bytes data) {
    if (cipher.block_size() != block_size) return std::unexpected{AeadError::wrong_block_size};
    if (nonce.size() < ccm_nonce_size_min || nonce.size() > ccm_nonce_size_max) {
        return std::unexpected{AeadError::wrong_nonce_size};
    }
    const std::size_t length_bytes = 15 - nonce.size();
    const bool fits = length_bytes >= 8 || data.size() >> (8 * length_bytes) == 0;
    if (!fits || additional.size() > ccm_additional_max) {
        return std::unexpected{AeadError::data_too_long};
    }
    return {};
}

/// A.3: flags, nonce, counter zero.
Block ccm_counter(Bytes nonce) {
    Block counter{};
    counter[0] = static_cast<std::uint8_t>(14 - nonce.size());
    std::ranges::copy(nonce, counter.begin() + 1);
    return counter;
}

/// A.2.1: flags, nonce, the length of the text.
Block ccm_first_block(Bytes nonce, bool has_additional, std::size_t text_size) {
    Block first = ccm_counter(nonce);
    first[0] |= static_cast<std::uint8_t>((aead_tag_size - 2) / 2 << 3 | (has_additional ? 64 : 0));
    for (std::size_t i = block_size - 1; i > nonce.size(); --i) {
        first[i] = static_cast<std::uint8_t>(text_size);
        text_size >>= 8;
    }
    return first;
}

class CbcMac {  // without padding: each string is filled with zeros. A.2.2, A.2.3
public:
    explicit CbcMac(const BlockEncryptor& cipher) : cipher_{cipher} {}
    void update(Bytes data) {
        for (const std::uint8_t byte : data) {
            value_[at_++] ^= byte;
            if (at_ == block_size) fill();
        }
    }
    void fill() {
        if (at_ == 0) return;
        cipher_.encrypt(value_);
        at_ = 0;
    }
    [[nodiscard]] const Block& value() const { return value_; }

private:
    const BlockEncryptor& cipher_;
    Block value_{};
    std::size_t at_ = 0;
};

AeadTag ccm_tag(const BlockEncryptor& cipher, Bytes nonce, Bytes additional, Bytes text) {
    CbcMac mac{cipher};
    mac.update(ccm_first_block(nonce, !additional.empty(), text.size()));
    if (!additional.empty()) {
        const std::array<std::uint8_t, 2> length{static_cast<std::uint8_t>(additional.size() >> 8),
                                                 static_cast<std::uint8_t>(additional.size())};
        mac.update(length);
        mac.update(additional);
        mac.fill();
    }
    mac.update(text);
    mac.fill();
    Block out = encrypted(cipher, ccm_counter(nonce));
    xor_into(out, mac.value());
    return out;
}

}  // namespace

AeadResult gcm_encrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                       MutableBytes data) {
    ONECARD_CHECK(check_gcm(cipher, nonce));
    const Gcm gcm{cipher, nonce};
    counter_crypt(cipher, gcm.counter, gcm_counter_at, data);
    return gcm.tag(cipher, additional, data);
}

AeadOpened gcm_decrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                       MutableBytes data, Bytes tag) {
    ONECARD_CHECK(check_gcm(cipher, nonce));
    const Gcm gcm{cipher, nonce};
    ONECARD_CHECK(compare(gcm.tag(cipher, additional, data), tag, data));
    counter_crypt(cipher, gcm.counter, gcm_counter_at, data);
    return {};
}

AeadResult ccm_encrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                       MutableBytes data) {
    ONECARD_CHECK(check_ccm(cipher, nonce, additional, data));
    const AeadTag tag = ccm_tag(cipher, nonce, additional, data);
    counter_crypt(cipher, ccm_counter(nonce), 1 + nonce.size(), data);
    return tag;
}

AeadOpened ccm_decrypt(const BlockEncryptor& cipher, Bytes nonce, Bytes additional,
                       MutableBytes data, Bytes tag) {
    ONECARD_CHECK(check_ccm(cipher, nonce, additional, data));
    counter_crypt(cipher, ccm_counter(nonce), 1 + nonce.size(), data);
    return compare(ccm_tag(cipher, nonce, additional, data), tag, data);
}

}  // namespace crypto
