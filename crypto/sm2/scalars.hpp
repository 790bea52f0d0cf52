#pragma once
// Secret numbers and points, and the way in and out of bytes. Shared by signing and encryption.
#include "crypto/core/sm2.hpp"
#include "crypto/core/wipe_stack.hpp"
#include "crypto/sm2/declassify.hpp"
#include "crypto/sm2/engine.hpp"

namespace crypto::sm2 {

constexpr int draws_max = 64;  // a sound source needs a second draw once in 2^32 times

/// A number that wipes itself.
struct SecretNumber : Number {
    SecretNumber() : Number{} {}
    ~SecretNumber() { wipe_object(static_cast<Number&>(*this)); }
    SecretNumber(const SecretNumber&) = delete;
    SecretNumber& operator=(const SecretNumber&) = delete;
};
struct SecretPoint : AffinePoint {
    SecretPoint() : AffinePoint{} {}
    ~SecretPoint() { wipe_object(static_cast<AffinePoint&>(*this)); }
    SecretPoint(const SecretPoint&) = delete;
    SecretPoint& operator=(const SecretPoint&) = delete;
};

/// More than any engine uses (docs/sm2.md, S5); on a card it is the deepest call of a signature.
#if defined(ONECARD_SM2_CARD_ENGINE)
constexpr std::size_t stack_used = 480 * sizeof(void*);
#else
constexpr std::size_t stack_used = 8192;
#endif

template <class Work>
[[gnu::noinline]] auto in_own_frame(const Work& work) {
    return work();
}
/// work(), and then a wipe of all the stack that it used.
template <class Work>
[[nodiscard]] auto with_stack_wiped(const Work& work) {
    auto result = in_own_frame(work);
    wipe_stack<stack_used>();
    return result;
}

[[nodiscard]] inline bool is_true(Mask mask) {
    declassify(mask);
    return mask != 0;
}
[[nodiscard]] inline bool is_scalar(const Number& a) {  // 0 < a < n
    return is_true(is_below(a, curve::n.value) & ~is_zero(a));
}

/// A number in [1, n-1], uniform. Candidates out of range are thrown away, so their range may be
/// known.
[[nodiscard]] inline bool draw_scalar(Number& out, Random& random) {
    SecretBytes<scalar_size> bytes;
    for (int draw = 0; draw < draws_max; ++draw) {
        random.fill(bytes.bytes());
        from_bytes(out, bytes.bytes());
        if (is_scalar(out)) return true;
    }
    return false;
}

[[nodiscard]] inline AffinePoint point_from(std::span<const std::uint8_t, public_key_size> x_y) {
    AffinePoint point;
    from_bytes(point.x, x_y.first<32>());
    from_bytes(point.y, x_y.last<32>());
    return point;
}
inline void point_to(std::span<std::uint8_t, public_key_size> x_y, const AffinePoint& point) {
    to_bytes(x_y.first<32>(), point.x);
    to_bytes(x_y.last<32>(), point.y);
}

}  // namespace crypto::sm2
