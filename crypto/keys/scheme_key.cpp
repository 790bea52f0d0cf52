#include "crypto/keys/scheme_key.hpp"

#include <algorithm>

#include "crypto/keys/sha.hpp"
#include "protocol/tlv.hpp"

namespace crypto::keys {
namespace {

using Error = SchemeKeyError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

enum class Tag : std::uint32_t {  // docs/card_certificates.md, 2
    rid = 0x9F06,
    index = 0x9F22,
    expiry = 0xDF05,  // YYYYMMDD: 4 bytes BCD, or 8 of ASCII in older files
    hash_algorithm = 0xDF06,
    key_algorithm = 0xDF07,
    modulus = 0xDF02,
    exponent = 0xDF04,
    checksum = 0xDF03,
};
constexpr std::array tags{Tag::rid,           Tag::index,   Tag::expiry,   Tag::hash_algorithm,
                          Tag::key_algorithm, Tag::modulus, Tag::exponent, Tag::checksum};
constexpr std::array<std::uint8_t, 1> algorithm{0x01};  // B2: SHA-1; RSA
constexpr std::size_t modulus_size_min = 64;
constexpr std::size_t modulus_size_max = 248;

/// Each field once, in any order, nothing else.
using Fields = std::array<std::optional<Bytes>, tags.size()>;
std::optional<Fields> read_fields(Bytes record) {
    Fields out;
    protocol::ByteReader in{record};
    while (!in.empty()) {
        const auto object = protocol::read_tlv(in);
        if (!object) return std::nullopt;
        const auto* tag = std::ranges::find(tags, static_cast<Tag>(object->tag));
        if (tag == tags.end()) return std::nullopt;
        auto& field = out[static_cast<std::size_t>(tag - tags.begin())];
        if (field) return std::nullopt;
        field = object->value;
    }
    const bool complete =
        std::ranges::all_of(out, [](const auto& field) { return field.has_value(); });
    return complete ? std::optional{out} : std::nullopt;
}

Bytes field(const Fields& fields, Tag tag) {
    return *fields[static_cast<std::size_t>(std::ranges::find(tags, tag) - tags.begin())];
}

std::optional<protocol::Date> date_of(Bytes text) {
    std::array<std::uint8_t, 4> bcd{};
    if (text.size() == bcd.size()) {
        std::ranges::copy(text, bcd.begin());
    } else if (text.size() == 2 * bcd.size()) {
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] < '0' || text[i] > '9') return std::nullopt;
            const unsigned digit = text[i] - unsigned{'0'};
            bcd[i / 2] = static_cast<std::uint8_t>(i % 2 == 0 ? digit << 4 : bcd[i / 2] | digit);
        }
    } else {
        return std::nullopt;
    }
    const auto date = protocol::Date::parse(bcd);
    return date ? std::optional{*date} : std::nullopt;
}

std::expected<void, Error> check_key(const RsaPublicKey& key) {
    const auto& n = key.modulus;
    if (n.size() < modulus_size_min || n.size() > modulus_size_max || n[0] == 0 ||
        n.back() % 2 == 0) {
        return refuse(Error::wrong_length);
    }
    const std::vector<std::uint8_t> three{0x03};
    const std::vector<std::uint8_t> fermat{0x01, 0x00, 0x01};
    if (key.exponent != three && key.exponent != fermat) return refuse(Error::wrong_exponent);
    return {};
}

}  // namespace

const char* name(SchemeKeyError error) {
    switch (error) {
        case Error::malformed: return "malformed";
        case Error::wrong_expiry: return "wrong_expiry";
        case Error::unknown_algorithm: return "unknown_algorithm";
        case Error::wrong_length: return "wrong_length";
        case Error::wrong_exponent: return "wrong_exponent";
        case Error::checksum_mismatch: return "checksum_mismatch";
    }
    return "unknown";
}

std::array<std::uint8_t, 20> checksum(const SchemeKey& key) {
    std::vector<std::uint8_t> text{key.rid.begin(), key.rid.end()};
    text.push_back(key.index);
    text.insert(text.end(), key.key.modulus.begin(), key.key.modulus.end());
    text.insert(text.end(), key.key.exponent.begin(), key.key.exponent.end());
    return sha1(text);
}

std::expected<SchemeKey, SchemeKeyError> read_scheme_key(Bytes record) {
    const auto fields = read_fields(record);
    if (!fields || field(*fields, Tag::rid).size() != 5 || field(*fields, Tag::index).size() != 1) {
        return refuse(Error::malformed);
    }
    SchemeKey out;
    std::ranges::copy(field(*fields, Tag::rid), out.rid.begin());
    out.index = field(*fields, Tag::index)[0];
    const auto expiry = date_of(field(*fields, Tag::expiry));
    if (!expiry) return refuse(Error::wrong_expiry);
    out.expiry = *expiry;
    if (!std::ranges::equal(field(*fields, Tag::hash_algorithm), algorithm) ||
        !std::ranges::equal(field(*fields, Tag::key_algorithm), algorithm)) {
        return refuse(Error::unknown_algorithm);
    }
    const Bytes modulus = field(*fields, Tag::modulus);
    const Bytes exponent = field(*fields, Tag::exponent);
    out.key = {{modulus.begin(), modulus.end()}, {exponent.begin(), exponent.end()}};
    ONECARD_CHECK(check_key(out.key));
    if (!std::ranges::equal(field(*fields, Tag::checksum), checksum(out))) {
        return refuse(Error::checksum_mismatch);
    }
    return out;
}

std::expected<std::vector<std::uint8_t>, SchemeKeyError> write_scheme_key(const SchemeKey& key) {
    if (key.expiry == protocol::Date{}) return refuse(Error::wrong_expiry);
    ONECARD_CHECK(check_key(key.key));
    std::vector<std::uint8_t> out(400);
    protocol::ByteWriter writer{out};
    const auto put = [&](Tag tag, Bytes value) {
        protocol::put_tlv(writer, static_cast<std::uint32_t>(tag), value);
    };
    put(Tag::rid, key.rid);
    put(Tag::index, std::array{key.index});
    put(Tag::expiry, key.expiry.bcd());
    put(Tag::hash_algorithm, algorithm);
    put(Tag::key_algorithm, algorithm);
    put(Tag::modulus, key.key.modulus);
    put(Tag::exponent, key.key.exponent);
    put(Tag::checksum, checksum(key));
    out.resize(writer.size());
    return out;
}

}  // namespace crypto::keys
