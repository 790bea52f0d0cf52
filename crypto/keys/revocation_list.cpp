#include "crypto/keys/revocation_list.hpp"

namespace crypto::keys {
namespace {

using Error = RevocationListError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::uint8_t format = 0x19;
constexpr std::size_t serials_max = 0xFFFF;

/// format, subject's size, subject, sequence, date, count, serials. The reader is at the signature
/// afterwards.
protocol::Parsed<RevocationList> read_fields(protocol::ByteReader& in,
                                             std::array<std::uint8_t, 4>& date) {
    RevocationList out;
    ONECARD_TRY(subject_size, in.take_u8());
    ONECARD_TRY(subject, in.take(subject_size));
    ONECARD_TRY(sequence, in.take_u32());
    ONECARD_TRY(issued, in.take_array<4>());
    ONECARD_TRY(count, in.take_u16());
    for (unsigned i = 0; i < count; ++i) {
        ONECARD_TRY(serial, in.take_array<3>());
        out.serials.push_back(serial);
    }
    out.signer.assign(subject.begin(), subject.end());
    out.sequence = sequence;
    date = issued;
    return out;
}

bool rising(const std::vector<CertificateSerial>& serials) {
    return std::ranges::adjacent_find(serials, std::ranges::greater_equal{}) == serials.end();
}

bool signs_certificates(const Sm2Certificate& signer) {
    return signer.kind == Sm2CertificateKind::root || signer.kind == Sm2CertificateKind::issuer;
}

}  // namespace

const char* name(RevocationListError error) {
    switch (error) {
        case Error::wrong_length: return "wrong_length";
        case Error::unknown_format: return "unknown_format";
        case Error::wrong_date: return "wrong_date";
        case Error::not_sorted: return "not_sorted";
        case Error::wrong_signer: return "wrong_signer";
        case Error::signature_mismatch: return "signature_mismatch";
        case Error::out_of_date: return "out_of_date";
        case Error::too_many: return "too_many";
        case Error::signer_failed: return "signer_failed";
    }
    return "unknown";
}

bool RevocationList::contains(const CertificateSerial& serial) const {
    return std::ranges::binary_search(serials, serial);
}

std::vector<RevokedSerial> RevocationList::entries() const {
    std::vector<RevokedSerial> out;
    for (const CertificateSerial& serial : serials) out.push_back({signer, serial});
    return out;
}

RevocationListResult<RevocationList> open_revocation_list(Bytes list, const Sm2Certificate& signer,
                                                          std::uint32_t known_sequence) {
    protocol::ByteReader in{list};
    const auto first = in.take_u8();
    if (!first) return refuse(Error::wrong_length);
    if (*first != format) return refuse(Error::unknown_format);
    std::array<std::uint8_t, 4> date{};
    auto fields = read_fields(in, date);
    if (!fields || in.size() != sm2::signature_size) return refuse(Error::wrong_length);
    const auto issued = protocol::Date::parse(date);
    if (!issued) return refuse(Error::wrong_date);
    fields->issued = *issued;
    if (!rising(fields->serials)) return refuse(Error::not_sorted);
    if (!signs_certificates(signer) || fields->signer != signer.subject) {
        return refuse(Error::wrong_signer);
    }
    const Bytes signed_part = list.first(list.size() - sm2::signature_size);
    if (!sm2::verify(signer.key, sm2::default_id, signed_part, in.rest())) {
        return refuse(Error::signature_mismatch);
    }
    if (fields->sequence < known_sequence) return refuse(Error::out_of_date);
    return *std::move(fields);
}

RevocationListResult<std::vector<std::uint8_t>> write_revocation_list(RevocationList list,
                                                                      const Sm2Signer& signer) {
    std::ranges::sort(list.serials);
    const auto repeated = std::ranges::unique(list.serials);
    list.serials.erase(repeated.begin(), repeated.end());
    if (list.serials.size() > serials_max) return refuse(Error::too_many);
    if (list.signer.size() > 0xFF) return refuse(Error::wrong_signer);
    std::vector<std::uint8_t> out(12 + list.signer.size() + 3 * list.serials.size());
    protocol::ByteWriter writer{out};
    writer.put_u8(format)
        .put_u8(static_cast<std::uint8_t>(list.signer.size()))
        .put(list.signer)
        .put_u32(list.sequence)
        .put(list.issued.bcd())
        .put_u16(static_cast<std::uint16_t>(list.serials.size()));
    for (const CertificateSerial& serial : list.serials) writer.put(serial);
    const auto signature = sign_verified(signer, out);
    if (!signature) {
        return refuse(signature.error() == Sm2CertificateError::signer_failed
                          ? Error::signer_failed
                          : Error::signature_mismatch);
    }
    out.insert(out.end(), signature->begin(), signature->end());
    return out;
}

RevocationListResult<std::vector<std::uint8_t>> write_revocation_list(RevocationList list,
                                                                      const sm2::PrivateKey& signer,
                                                                      Random& random) {
    return write_revocation_list(std::move(list), software_signer(signer, random));
}

}  // namespace crypto::keys
