// Keys and signatures, GB/T 32918.2-2016, the same for both engines. A comment such as "A5" is the
// standard's step.
#include <algorithm>

#include "crypto/core/sm2.hpp"
#include "crypto/sm2/scalars.hpp"

namespace crypto::sm2 {
const char* name(Refusal refusal) {
    switch (refusal) {
        case Refusal::wrong_length: return "wrong_length";
        case Refusal::id_too_long: return "id_too_long";
        case Refusal::wrong_point_format: return "wrong_point_format";
        case Refusal::coordinate_out_of_range: return "coordinate_out_of_range";
        case Refusal::point_not_on_curve: return "point_not_on_curve";
        case Refusal::private_key_out_of_range: return "private_key_out_of_range";
        case Refusal::signature_out_of_range: return "signature_out_of_range";
        case Refusal::signature_sum_is_zero: return "signature_sum_is_zero";
        case Refusal::signature_mismatch: return "signature_mismatch";
        case Refusal::ciphertext_mismatch: return "ciphertext_mismatch";
        case Refusal::random_unusable: return "random_unusable";
    }
    return "unknown";
}

Result<PublicKey> PublicKey::parse(Bytes x_y) {
    if (x_y.size() != public_key_size) return std::unexpected(Refusal::wrong_length);
    PublicKey key;
    std::ranges::copy(x_y, key.bytes_.begin());
    const AffinePoint point = point_from(key.bytes_);
    if ((is_below(point.x, curve::p.value) & is_below(point.y, curve::p.value)) == 0) {
        return std::unexpected(Refusal::coordinate_out_of_range);
    }
    if (!engine::is_on_curve(point)) return std::unexpected(Refusal::point_not_on_curve);
    return key;
}

namespace {

/// inverse = (1+d)^-1 mod n in Montgomery form, or a refusal if d is not in [1, n-2]. Computed as f
/// (f (1+d))^-1 with a random f, so that even an engine whose inversion were not constant time
/// would invert a random number.
[[nodiscard]] Result<void> prepare(SecretBytes<scalar_size>& inverse, Bytes d_bytes,
                                   Random& random) {
    SecretNumber d, factor;
    Number one{};
    one.words[0] = 1;
    from_bytes(d, d_bytes.first<scalar_size>());
    if (!is_scalar(d)) return std::unexpected(Refusal::private_key_out_of_range);
    add(d, d, one);
    if (!is_scalar(d)) return std::unexpected(Refusal::private_key_out_of_range);  // d = n-1
    if (!draw_scalar(factor, random)) return std::unexpected(Refusal::random_unusable);
    // The factor is taken as the Montgomery form of some number: it is as random as that.
    engine::montgomery_multiply_modulo_n(d, d, curve::n.r_squared);
    engine::montgomery_multiply_modulo_n(d, d, factor);
    engine::invert_modulo_n(d, d);
    engine::montgomery_multiply_modulo_n(d, d, factor);
    to_bytes(inverse.bytes(), d);
    return {};
}

}  // namespace

Result<PrivateKey> PrivateKey::load(Bytes d, const PublicKey& public_key, Random& random) {
    if (d.size() != scalar_size) return std::unexpected(Refusal::wrong_length);
    return with_stack_wiped([&]() -> Result<PrivateKey> {
        PrivateKey key;
        ONECARD_CHECK(prepare(key.inverse_, d, random));
        std::ranges::copy(d, key.d_.bytes().begin());
        key.public_key_ = public_key;
        return key;
    });
}

Result<PrivateKey> PrivateKey::load(Bytes d, Random& random) {
    Result<PrivateKey> key = load(d, PublicKey{}, random);
    if (!key) return key;
    const AffinePoint point = with_stack_wiped([&] {
        SecretNumber scalar;
        from_bytes(scalar, key->d_.bytes());
        AffinePoint product;
        engine::multiply_generator(product, scalar);
        return product;
    });
    declassify(point);  // P = [d]G is published. Part 1, 6.1
    point_to(key->public_key_.bytes_, point);
    return key;
}

Result<PrivateKey> PrivateKey::generate(Random& random) {
    for (int draw = 0; draw < draws_max; ++draw) {
        SecretBytes<scalar_size> d;
        random.fill(d.bytes());
        Result<PrivateKey> key = load(d.bytes(), random);
        if (key || key.error() != Refusal::private_key_out_of_range) return key;
    }
    return std::unexpected(Refusal::random_unusable);
}

Result<Digest> z(Bytes id, const PublicKey& public_key) {
    if (id.size() > id_size_max) return std::unexpected(Refusal::id_too_long);
    const auto id_bits = static_cast<std::uint16_t>(8 * id.size());
    const std::array<std::uint8_t, 2> entl{static_cast<std::uint8_t>(id_bits >> 8),
                                           static_cast<std::uint8_t>(id_bits)};
    Sm3 sm3;
    sm3.update(entl).update(id);  // Z = H(ENTL | ID | a | b | xG | yG | xA | yA). Part 2, 5.5
    std::array<std::uint8_t, 32> bytes;
    for (const Number* parameter :
         {&curve::a, &curve::b, &curve::generator.x, &curve::generator.y}) {
        to_bytes(bytes, *parameter);
        sm3.update(bytes);
    }
    return sm3.update(public_key.bytes()).finish();
}

Result<Digest> digest(Bytes id, const PublicKey& public_key, Bytes message) {
    ONECARD_TRY(prefix, z(id, public_key));
    return Sm3{}.update(prefix).update(message).finish();
}

namespace {

/// out = (e + x) mod n, for e below 2^256 and x below p: both are below 2n.
void add_to_digest(Number& out, const Digest& e, const Number& x) {
    Number x_reduced = x;
    from_bytes(out, e);
    reduce_once(out, 0, curve::n.value);
    reduce_once(x_reduced, 0, curve::n.value);
    add_modulo(out, out, x_reduced, curve::n.value);
}

/// One attempt with one k. False: r = 0, r + k = n or s = 0, and k must be another. Part 2, 6.1.
[[nodiscard]] bool sign_with(Signature& out, const PrivateKey& key, const Digest& e,
                             const Number& k) {
    SecretNumber inverse, sum;
    SecretPoint point;
    Number r, s;
    engine::multiply_generator(point, k);  // A4
    add_to_digest(r, e, point.x);          // A5
    add_modulo(sum, r, k, curve::n.value);
    if (is_true(is_zero(r) | is_zero(sum))) return false;
    // A6: s = (1+d)^-1 (k - r d) = (1+d)^-1 (k + r) - r, which never multiplies d by the public r.
    from_bytes(inverse, key.inverse());
    engine::montgomery_multiply_modulo_n(s, inverse, sum);
    subtract_modulo(s, s, r, curve::n.value);
    if (is_true(is_zero(s))) return false;
    to_bytes(std::span{out}.first<32>(), r);  // A7
    to_bytes(std::span{out}.last<32>(), s);
    declassify(out);
    return true;
}

}  // namespace

Result<Signature> sign_digest(const PrivateKey& key, const Digest& e, Random& random) {
    return with_stack_wiped([&]() -> Result<Signature> {
        Signature signature;
        for (int draw = 0; draw < draws_max; ++draw) {
            SecretNumber k;
            if (!draw_scalar(k, random)) break;  // A3
            if (sign_with(signature, key, e, k)) return signature;
        }
        return std::unexpected(Refusal::random_unusable);
    });
}

Result<Signature> sign(const PrivateKey& key, Bytes id, Bytes message, Random& random) {
    ONECARD_TRY(e, digest(id, key.public_key(), message));
    return sign_digest(key, e, random);
}

Result<void> verify_digest(const PublicKey& key, const Digest& e, Bytes signature) {
    if (signature.size() != signature_size) return std::unexpected(Refusal::wrong_length);
    Number r, s, t, v;
    from_bytes(r, signature.first<32>());
    from_bytes(s, signature.last<32>());
    if (!is_scalar(r) || !is_scalar(s))
        return std::unexpected(Refusal::signature_out_of_range);  // B1, B2
    add_modulo(t, r, s, curve::n.value);
    if (is_zero(t) != 0) return std::unexpected(Refusal::signature_sum_is_zero);  // B5
    // B6, B7: instead of R = (e + x1) mod n and R = r, ask whether x1 = r - e mod n.
    from_bytes(v, e);
    reduce_once(v, 0, curve::n.value);
    subtract_modulo(v, r, v, curve::n.value);
    if (!engine::sum_has_x(s, t, point_from(key.bytes()), v))
        return std::unexpected(Refusal::signature_mismatch);
    return {};
}

Result<void> verify(const PublicKey& key, Bytes id, Bytes message, Bytes signature) {
    if (signature.size() != signature_size) return std::unexpected(Refusal::wrong_length);
    ONECARD_TRY(e, digest(id, key, message));
    return verify_digest(key, e, signature);
}

}  // namespace crypto::sm2
