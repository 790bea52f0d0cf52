// Any bytes as X.509 requests, revocation lists, certificates and renewals: a named refusal, or
// fields that writing would accept. The first byte chooses.
#include "crypto/keys/enrolment.hpp"
#include "crypto/keys/x509_revocation.hpp"

namespace {

using namespace crypto::keys;
using crypto::Bytes;

void require(bool holds) {
    if (!holds) __builtin_trap();
}

void request_door(Bytes input) {
    const auto read = parse_enrolment_request(input);
    if (!read) return require(name(read.error())[0] != 0);
    require(is_plain(read->wish) && is_on_curve(read->key));
}

void list_door(Bytes input) {
    const auto read = parse_x509_revocation_list(input);
    if (!read) return require(name(read.error())[0] != 0);
    require(is_plain(read->list.issuer) && read->list.this_update < read->list.next_update);
    for (const RevokedX509& entry : read->list.revoked) {
        require(read->list.contains(entry.serial));
    }
    X509Certificate authority;
    authority.kind = X509Kind::authority;
    authority.subject = read->list.issuer;
    require(!verify_x509_revocation_list(*read, authority));
}

void certificate_door(Bytes input) {
    const auto read = parse_certificate(input);
    if (!read) return require(name(read.error())[0] != 0);
    require(is_plain(read->subject) && is_plain(read->issuer) && is_on_curve(read->key));
    require(!read->serial.empty() && read->serial.size() <= 20);
    (void)read->signed_by(*read);
}

void text_door(Bytes input) {
    const std::string_view text{reinterpret_cast<const char*>(input.data()), input.size()};
    const X509Certificate nobody;
    require(!read_renewal_request(text, {nobody, {}, {}}));
    (void)read_x509_revocation_lists(text);
    (void)read_certificates(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const Bytes input{data + 1, size - 1};
    switch (data[0] % 4) {
        case 0: request_door(input); break;
        case 1: list_door(input); break;
        case 2: certificate_door(input); break;
        default: text_door(input); break;
    }
    return 0;
}
