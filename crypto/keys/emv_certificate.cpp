#include "crypto/keys/emv_certificate.hpp"

#include <utility>

#include <mbedtls/bignum.h>

namespace crypto::keys {
namespace {

using Kind = EmvCertificateKind;
using Error = EmvCertificateError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::size_t modulus_size_min = 64;
constexpr std::size_t modulus_size_max = 248;  // Book 2, B2.1
constexpr std::uint8_t header = 0x6A;          // A2.1
constexpr std::uint8_t trailer = 0xBC;
constexpr std::uint8_t filler = 0xBB;
constexpr std::uint8_t algorithm = 0x01;  // B2: SHA-1, RSA
constexpr std::uint8_t static_data_format = 0x03;
/// 6A, format, expiry, serial, two algorithms, two lengths, hash, BC.
constexpr std::size_t frame_size = 1 + 1 + 2 + 3 + 1 + 1 + 1 + 1 + 20 + 1;

std::size_t subject_size(Kind kind) {
    return kind == Kind::issuer ? 4 : 10;
}

class Number {
public:
    Number() { mbedtls_mpi_init(&value_); }
    ~Number() { mbedtls_mpi_free(&value_); }
    Number(const Number&) = delete;
    Number& operator=(const Number&) = delete;
    [[nodiscard]] bool read(Bytes bytes) {
        return mbedtls_mpi_read_binary(&value_, bytes.data(), bytes.size()) == 0;
    }
    [[nodiscard]] mbedtls_mpi* get() { return &value_; }

private:
    mbedtls_mpi value_;
};

bool is_public_exponent(Bytes exponent) {  // B2.1: 3 or 2^16 + 1
    constexpr std::array<std::uint8_t, 1> three{0x03};
    constexpr std::array<std::uint8_t, 3> fermat{0x01, 0x00, 0x01};
    return std::ranges::equal(exponent, three) || std::ranges::equal(exponent, fermat);
}

EmvCertificateResult<void> check_key(const RsaPublicKey& key) {
    const std::size_t size = key.modulus.size();
    if (size < modulus_size_min || size > modulus_size_max || key.modulus[0] == 0) {
        return refuse(Error::wrong_length);
    }
    // An even number is no product of two large primes, and stops mbedTLS's arithmetic.
    if (key.modulus.back() % 2 == 0 || !is_public_exponent(key.exponent)) {
        return refuse(Error::not_below_modulus);
    }
    return {};
}

/// A2.1.2: data^e mod n, as long as n.
EmvCertificateResult<std::vector<std::uint8_t>> recover(const RsaPublicKey& key, Bytes data) {
    ONECARD_CHECK(check_key(key));
    if (data.size() != key.modulus.size()) return refuse(Error::wrong_length);
    Number n;
    Number e;
    Number x;
    if (!n.read(key.modulus) || !e.read(key.exponent) || !x.read(data)) __builtin_trap();
    if (mbedtls_mpi_cmp_mpi(x.get(), n.get()) >= 0) return refuse(Error::not_below_modulus);
    std::vector<std::uint8_t> out(key.modulus.size());
    if (mbedtls_mpi_exp_mod(x.get(), x.get(), e.get(), n.get(), nullptr) != 0 ||
        mbedtls_mpi_write_binary(x.get(), out.data(), out.size()) != 0) {
        __builtin_trap();  // out of memory
    }
    if (out.front() != header || out.back() != trailer) return refuse(Error::wrong_frame);
    return out;
}

Sha1Digest hash_of(std::initializer_list<Bytes> pieces) {
    std::vector<std::uint8_t> all;
    for (const Bytes piece : pieces) all.insert(all.end(), piece.begin(), piece.end());
    return sha1(all);
}

/// The room for the key in a signer's certificate: 5.1, table 1: N - 36; 6.1, table 2: N - 42.
std::size_t room_for_key(Kind kind, std::size_t signer_size) {
    return signer_size - frame_size - subject_size(kind);
}

/// The modulus out of its two parts, or nothing when they do not fit. Tables 1 and 2: a key that
/// is shorter than its room is followed by BB.
std::optional<std::vector<std::uint8_t>> join_modulus(Bytes room, std::size_t size,
                                                      Bytes remainder) {
    const std::size_t inside = std::min(size, room.size());
    if (size == 0 || remainder.size() != size - inside) return std::nullopt;
    const Bytes padding = room.subspan(inside);
    if (std::ranges::count(padding, filler) != std::ssize(padding)) return std::nullopt;
    std::vector<std::uint8_t> out{room.begin(), room.begin() + static_cast<std::ptrdiff_t>(inside)};
    out.insert(out.end(), remainder.begin(), remainder.end());
    return out;
}

int nibble(Bytes bytes, std::size_t index) {
    return index % 2 == 0 ? bytes[index / 2] >> 4 : bytes[index / 2] & 0x0F;
}
/// 5.3, step 8; 6.4, step 9: digit by digit, up to the subject's filler; a card's digits are all.
bool subject_of_pan(Kind kind, Bytes subject, Bytes pan) {
    for (std::size_t i = 0; i < 2 * subject.size(); ++i) {
        const int digit = nibble(subject, i);
        if (digit == 0x0F && kind == Kind::issuer) return i >= 3;
        if (i / 2 >= pan.size() || digit != nibble(pan, i)) return false;
    }
    return true;
}

bool request_subject_fits(const EmvCertificateRequest& request) {
    if (request.subject.size() != subject_size(request.kind)) return false;
    bool filled = false;
    std::size_t digits = 0;
    for (std::size_t i = 0; i < 2 * request.subject.size(); ++i) {
        const int digit = nibble(request.subject, i);
        if (digit > 9 && digit != 0x0F) return false;
        if (filled && digit != 0x0F) return false;
        filled = digit == 0x0F;
        if (!filled) ++digits;
    }
    return digits >= (request.kind == Kind::issuer ? 3U : 12U) && digits <= 19;
}

/// Tables 1 and 2, with the hash over what the terminal will hash.
std::vector<std::uint8_t> make_frame(const EmvCertificateRequest& request, std::size_t size,
                                     Bytes remainder) {
    const std::size_t room = room_for_key(request.kind, size);
    const Bytes modulus{request.key.modulus};
    const std::size_t inside = std::min(room, modulus.size());
    std::vector<std::uint8_t> frame(size);
    protocol::ByteWriter{frame}
        .put_u8(header)
        .put_u8(static_cast<std::uint8_t>(request.kind))
        .put(request.subject)
        .put(request.expiry)
        .put(request.serial)
        .put_u8(algorithm)
        .put_u8(algorithm)
        .put_u8(static_cast<std::uint8_t>(modulus.size()))
        .put_u8(static_cast<std::uint8_t>(request.key.exponent.size()))
        .put(modulus.first(inside))
        .fill(room - inside, filler);
    const Bytes hashed = Bytes{frame}.subspan(1, size - 22);
    const Bytes static_data = request.kind == Kind::card ? request.static_data : Bytes{};
    const auto digest = hash_of({hashed, remainder, request.key.exponent, static_data});
    std::ranges::copy(digest, frame.end() - 21);
    frame.back() = trailer;
    return frame;
}

}  // namespace

const char* name(EmvCertificateError error) {
    switch (error) {
        case Error::wrong_length: return "wrong_length";
        case Error::not_below_modulus: return "not_below_modulus";
        case Error::wrong_frame: return "wrong_frame";
        case Error::unknown_format: return "unknown_format";
        case Error::unknown_algorithm: return "unknown_algorithm";
        case Error::wrong_key_length: return "wrong_key_length";
        case Error::hash_mismatch: return "hash_mismatch";
        case Error::wrong_subject: return "wrong_subject";
        case Error::wrong_expiry: return "wrong_expiry";
        case Error::expired: return "expired";
        case Error::key_wrong: return "key_wrong";
    }
    return "unknown";
}

EmvCertificateResult<EmvCertificate> recover_emv_certificate(const RsaPublicKey& signer,
                                                             Bytes certificate,
                                                             const EmvCertificateParts& parts) {
    ONECARD_TRY(text, recover(signer, certificate));
    if (text[1] != 0x02 && text[1] != 0x04) return refuse(Error::unknown_format);
    EmvCertificate out;
    out.kind = static_cast<Kind>(text[1]);
    const Bytes fields = Bytes{text}.subspan(2);
    const Bytes subject = fields.first(subject_size(out.kind));
    const Bytes rest = fields.subspan(subject.size());  // expiry, serial, algorithms, lengths, key
    if (rest[5] != algorithm || rest[6] != algorithm) return refuse(Error::unknown_algorithm);
    const Bytes room = rest.subspan(9, room_for_key(out.kind, text.size()));
    auto modulus = join_modulus(room, rest[7], parts.remainder);
    if (!modulus || parts.exponent.size() != rest[8]) return refuse(Error::wrong_key_length);
    out.subject.assign(subject.begin(), subject.end());
    std::ranges::copy(rest.first(2), out.expiry.begin());
    std::ranges::copy(rest.subspan(2, 3), out.serial.begin());
    out.key.modulus = std::move(*modulus);
    out.key.exponent.assign(parts.exponent.begin(), parts.exponent.end());
    std::ranges::copy(Bytes{text}.last(21).first(20), out.hash.begin());
    const Bytes hashed = Bytes{text}.subspan(1, text.size() - 22);
    const Bytes static_data = out.kind == Kind::card ? parts.static_data : Bytes{};
    out.hash_right = hash_of({hashed, parts.remainder, parts.exponent, static_data}) == out.hash;
    return out;
}

EmvCertificateResult<void> check_emv_certificate(const EmvCertificate& certificate, Bytes pan,
                                                 const std::optional<protocol::Date>& today) {
    if (!certificate.hash_right) return refuse(Error::hash_mismatch);
    if (!pan.empty() && !subject_of_pan(certificate.kind, certificate.subject, pan)) {
        return refuse(Error::wrong_subject);
    }
    if (!is_card_expiry(certificate.expiry)) return refuse(Error::wrong_expiry);
    if (today && is_expired(certificate.expiry, *today)) return refuse(Error::expired);
    return {};
}

EmvCertificateResult<std::array<std::uint8_t, 2>> recover_static_data(const RsaPublicKey& issuer,
                                                                      Bytes signed_data,
                                                                      Bytes static_data) {
    ONECARD_TRY(text, recover(issuer, signed_data));
    if (text[1] != static_data_format) return refuse(Error::unknown_format);
    if (text[2] != algorithm) return refuse(Error::unknown_algorithm);
    const Bytes hashed = Bytes{text}.subspan(1, text.size() - 22);
    if (!std::ranges::equal(hash_of({hashed, static_data}), Bytes{text}.last(21).first(20))) {
        return refuse(Error::hash_mismatch);
    }
    return std::array<std::uint8_t, 2>{text[3], text[4]};
}

EmvCertificateResult<WrittenEmvCertificate> issue_emv_certificate(
    const EmvCertificateRequest& request, const RsaSigner& signer) {
    ONECARD_CHECK(check_key(signer.key));
    ONECARD_CHECK(check_key(request.key));
    const std::size_t size = signer.key.modulus.size();
    if (request.key.modulus.size() > size) return refuse(Error::wrong_key_length);
    if (!request_subject_fits(request)) return refuse(Error::wrong_subject);
    if (!is_card_expiry(request.expiry)) return refuse(Error::wrong_expiry);
    const std::size_t room = room_for_key(request.kind, size);
    const Bytes modulus{request.key.modulus};
    const Bytes remainder = modulus.subspan(std::min(room, modulus.size()));
    auto certificate = signer.apply(make_frame(request, size, remainder));
    if (!certificate) return refuse(Error::key_wrong);
    const EmvCertificateParts parts{remainder, request.key.exponent, request.static_data};
    const auto again = recover_emv_certificate(signer.key, *certificate, parts);
    if (!again || !again->hash_right) return refuse(Error::key_wrong);
    return WrittenEmvCertificate{*std::move(certificate), {remainder.begin(), remainder.end()}};
}

EmvCertificateResult<WrittenEmvCertificate> issue_emv_certificate(
    const EmvCertificateRequest& request, const RsaPrivateKey& signer, Random& random) {
    return issue_emv_certificate(request, software_signer(signer, random));
}

}  // namespace crypto::keys
