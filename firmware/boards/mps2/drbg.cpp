#include "firmware/boards/mps2/drbg.hpp"

#include "crypto/core/sm3.hpp"

namespace firmware::boards {

Drbg::~Drbg() {
    crypto::wipe(key_);
    crypto::wipe(value_);
}

void Drbg::seed(protocol::Bytes seed) {
    if (!is_seeded_) {  // 10.1.2.3, steps 2 and 3
        key_.fill(0x00);
        value_.fill(0x01);
    }
    update(seed);
    is_seeded_ = true;
}

void Drbg::fill(crypto::MutableBytes out) {
    if (!is_seeded_) __builtin_trap();
    while (!out.empty()) {  // step 4
        value_ = crypto::hmac_sm3(key_, value_);
        const std::size_t taken = std::min(out.size(), value_.size());
        std::ranges::copy(protocol::Bytes{value_}.first(taken), out.begin());
        out = out.subspan(taken);
    }
    update({});  // step 6
}

void Drbg::update(protocol::Bytes provided) {
    const std::uint8_t rounds = provided.empty() ? 1 : 2;
    for (std::uint8_t round = 0; round < rounds; ++round) {
        crypto::HmacSm3 next{key_};
        next.update(value_).update({&round, 1}).update(provided);
        key_ = next.finish();
        value_ = crypto::hmac_sm3(key_, value_);
    }
}

}  // namespace firmware::boards
