// Any bytes as SM2 and RSA certificates, revocation lists and scheme keys: a named refusal, or
// fields. The first byte chooses, so that RSA inputs meet a modulus of their own size, and
// recovered text can be anything.
#include <algorithm>
#include <vector>

#include "crypto/keys/emv_certificate.hpp"
#include "crypto/keys/revocation_list.hpp"
#include "crypto/keys/scheme_key.hpp"

namespace {

using namespace crypto;
using namespace crypto::keys;

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void sm2_door(Bytes input) {
    const auto certificate = parse_sm2_certificate(input);
    if (!certificate) return require(name(certificate.error())[0] != 0);
    const auto verified = verify_sm2_certificate(*certificate, *certificate, {});
    if (!verified) require(name(verified.error())[0] != 0);
}

/// modulus size, remainder size, exponent choice; modulus; remainder; certificate.
void rsa_door(Bytes input) {
    protocol::ByteReader in{input};
    const auto modulus_size = in.take_u8();
    const auto remainder_size = in.take_u8();
    if (!modulus_size || !remainder_size) return;
    const auto modulus = in.take(*modulus_size);
    const auto remainder = in.take(*remainder_size);
    if (!modulus || !remainder) return;
    const RsaPublicKey signer{{modulus->begin(), modulus->end()}, {0x03}};
    constexpr std::array<std::uint8_t, 1> exponent{0x03};
    const auto certificate = recover_emv_certificate(signer, in.rest(), {*remainder, exponent, {}});
    if (!certificate) require(name(certificate.error())[0] != 0);
    if (certificate) {
        const auto checked = check_emv_certificate(*certificate, {}, std::nullopt);
        if (!checked) require(name(checked.error())[0] != 0);
    }
    const auto static_data = recover_static_data(signer, in.rest(), {});
    if (!static_data) require(name(static_data.error())[0] != 0);
}

/// An issuer's certificate, which need not be anybody's, and a list under its key.
void list_door(Bytes input) {
    constexpr std::size_t issuer_size = 142;
    if (input.size() < issuer_size) return;
    const auto signer = parse_sm2_certificate(input.first(issuer_size));
    if (!signer) return;
    const auto list = open_revocation_list(input.subspan(issuer_size), *signer, 0);
    if (!list) return require(name(list.error())[0] != 0);
    for (const auto& serial : list->serials) require(list->contains(serial));
}

/// What is read is written in one form, which reads the same.
void scheme_key_door(Bytes input) {
    const auto key = read_scheme_key(input);
    if (!key) return require(name(key.error())[0] != 0);
    const auto written = write_scheme_key(*key);
    require(written && read_scheme_key(*written));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes input{data + 1, size - 1};
    switch (data[0] % 4) {
        case 0: sm2_door(input); break;
        case 1: rsa_door(input); break;
        case 2: list_door(input); break;
        default: scheme_key_door(input); break;
    }
    return 0;
}
