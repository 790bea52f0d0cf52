#include "crypto/keys/sealed_format.hpp"

#include <set>

#include "crypto/core/sm3.hpp"
#include "crypto/keys/shamir.hpp"

namespace crypto::keys {
namespace {

using protocol::ByteReader;
using protocol::ByteWriter;

constexpr std::array<std::uint8_t, 8> magic{'O', 'n', 'e', 'C', 'a', 'r', 'd', 'K'};
constexpr std::uint16_t format_version = 2;
constexpr std::uint8_t derivation_argon2id = 1;
constexpr std::size_t reserved_size = 3;
constexpr std::size_t trailer_size = tag_size + sm2::signature_size + sm3_digest_size;
constexpr std::size_t entry_fixed_size =
    1 + 5 + 2 + 3 + 2;  // label size; use .. place; size; check; secret size
static_assert(8 + 2 + 1 + 1 + 12 + sizeof(LogOwner) + 8 + nonce_size + 1 + reserved_size +
                  sm2::public_key_size + 4 * 4 ==
              header_size);

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

/// The fields after magic and version. `in` holds at least a header.
KeyResult<SealedHeader> parse_header(ByteReader in) {
    SealedHeader header;
    const std::uint8_t purpose = *in.take_u8();
    const std::uint8_t derivation = *in.take_u8();
    header.cost.memory_kib = *in.take_u32();
    header.cost.passes = *in.take_u32();
    header.cost.lanes = *in.take_u32();
    header.store_id = *in.take_array<sizeof(LogOwner)>();
    header.generation = *in.take_u64();
    header.nonce = *in.take_array<nonce_size>();
    header.quorum = *in.take_u8();
    const auto reserved = *in.take_array<reserved_size>();
    header.audit_key = *in.take_array<sm2::public_key_size>();
    header.custodians_size = *in.take_u32();
    header.log_count = *in.take_u32();
    header.log_size = *in.take_u32();
    header.sealed_size = *in.take_u32();
    if (purpose != static_cast<std::uint8_t>(Purpose::production) &&
        purpose != static_cast<std::uint8_t>(Purpose::rehearsal)) {
        return refuse(KeyError::malformed);
    }
    header.purpose = static_cast<Purpose>(purpose);
    if (derivation != derivation_argon2id ||
        reserved != std::array<std::uint8_t, reserved_size>{}) {
        return refuse(KeyError::malformed);
    }
    if (!cost_accepted(header.cost)) return refuse(KeyError::limits_exceeded);
    return header;
}

bool use_known(std::uint8_t use) {
    return use >= static_cast<std::uint8_t>(KeyUse::purchase) &&
           use <= static_cast<std::uint8_t>(key_use_last);
}
bool algorithm_known(std::uint8_t algorithm) {
    return algorithm >= static_cast<std::uint8_t>(KeyAlgorithm::triple_des) &&
           algorithm <= static_cast<std::uint8_t>(key_algorithm_last);
}
bool state_known(std::uint8_t state) {
    return state >= static_cast<std::uint8_t>(KeyState::planned) &&
           state <= static_cast<std::uint8_t>(KeyState::destroyed);
}

/// The secret's size fits its algorithm; a destroyed key has none.
bool sizes_fit(const Entry& entry) {
    if (entry.state == KeyState::destroyed) return entry.size == 0 && entry.secret.empty();
    if (!secret_size_fits(entry.name.algorithm, entry.size)) return false;
    return entry.place == KeyPlace::here ? entry.secret.size() == entry.size
                                         : !entry.secret.empty();
}

protocol::Parsed<Entry> parse_entry(ByteReader& in, MutableBytes opened) {
    Entry entry;
    ONECARD_TRY(label_size, in.take_u8());
    ONECARD_TRY(label, in.take(label_size));
    entry.name.label.assign(label.begin(), label.end());
    ONECARD_TRY(use, in.take_u8());
    ONECARD_TRY(algorithm, in.take_u8());
    ONECARD_TRY(version, in.take_u8());
    ONECARD_TRY(state, in.take_u8());
    ONECARD_TRY(place, in.take_u8());
    ONECARD_TRY(size, in.take_u16());
    ONECARD_TRY(check, in.take_array<sizeof(CheckValue)>());
    ONECARD_TRY(secret_size, in.take_u16());
    const std::size_t at = opened.size() - in.size();
    ONECARD_CHECK(in.take(secret_size));
    entry.secret = opened.subspan(at, secret_size);
    const bool known = label_fits(entry.name.label) && use_known(use) &&
                       algorithm_known(algorithm) && state_known(state) &&
                       place <= static_cast<std::uint8_t>(key_place_last);
    if (!known) return protocol::refuse(protocol::ParseError::wrong_value);
    entry.name.use = static_cast<KeyUse>(use);
    entry.name.algorithm = static_cast<KeyAlgorithm>(algorithm);
    entry.name.version = protocol::KeyVersion{version};
    entry.state = static_cast<KeyState>(state);
    entry.place = static_cast<KeyPlace>(place);
    entry.size = size;
    entry.check = check;
    if (!sizes_fit(entry)) return protocol::refuse(protocol::ParseError::wrong_length);
    return entry;
}

protocol::Parsed<CustodianSlot> parse_custodian(ByteReader& in) {
    CustodianSlot slot;
    ONECARD_TRY(name_size, in.take_u8());
    ONECARD_TRY(name, in.take(name_size));
    slot.name.assign(name.begin(), name.end());
    ONECARD_TRY(kind, in.take_u8());
    ONECARD_TRY(size, in.take_u16());
    ONECARD_TRY(sealed, in.take(size));
    slot.sealed_share.assign(sealed.begin(), sealed.end());
    const bool known = custodian_name_fits(slot.name) &&
                       (kind == static_cast<std::uint8_t>(CustodianKind::passphrase) ||
                        kind == static_cast<std::uint8_t>(CustodianKind::token));
    if (!known) return protocol::refuse(protocol::ParseError::wrong_value);
    slot.kind = static_cast<CustodianKind>(kind);
    return slot;
}

/// Where each part lies, once the header is known to be right.
SealedParts cut(Bytes file, const SealedHeader& header) {
    ByteReader in{file};
    SealedParts parts;
    parts.header = header;
    (void)*in.take(header_size);
    const auto custodians = parse_custodians(*in.take(header.custodians_size));
    parts.custodians_malformed =
        !custodians || header.quorum < 1 || custodians->size() < header.quorum;
    if (!parts.custodians_malformed) parts.custodians = *custodians;
    parts.log = *in.take(header.log_size);
    parts.additional = file.first(file.size() - in.size());
    parts.sealed = *in.take(header.sealed_size);
    parts.tag = *in.take(tag_size);
    parts.state = file.first(file.size() - in.size());
    parts.signature = *in.take_array<sm2::signature_size>();
    parts.digest = *in.take(sm3_digest_size);
    return parts;
}

enum class Strictness : bool { shape_only, all };

KeyResult<SealedParts> parse_file(Bytes file, Strictness check) {  // docs/key_store.md, "Reading"
    ByteReader in{file};
    const auto kind = in.take_array<magic.size()>();
    if (!kind) return refuse(KeyError::truncated);
    if (*kind != magic) return refuse(KeyError::wrong_magic);
    const auto version = in.take_u16();
    if (!version) return refuse(KeyError::truncated);
    if (*version != format_version) return refuse(KeyError::unknown_version);
    if (file.size() < header_size + trailer_size) return refuse(KeyError::truncated);
    ONECARD_TRY(header, parse_header(in));
    const std::size_t promised = header_size + std::size_t{header.custodians_size} +
                                 header.log_size + header.sealed_size + trailer_size;
    if (file.size() < promised) return refuse(KeyError::truncated);
    if (file.size() > promised) return refuse(KeyError::malformed);
    const Bytes digest = file.last(sm3_digest_size);
    const bool right = equal_constant_time(sm3(file.first(file.size() - sm3_digest_size)), digest);
    if (check == Strictness::all && !right) return refuse(KeyError::damaged);
    SealedParts parts = cut(file, header);
    if (check == Strictness::all && parts.custodians_malformed) return refuse(KeyError::malformed);
    return parts;
}

}  // namespace

std::array<std::uint8_t, header_size> SealedHeader::bytes() const {
    std::array<std::uint8_t, header_size> out{};
    ByteWriter{out}
        .put(magic)
        .put_u16(format_version)
        .put_u8(static_cast<std::uint8_t>(purpose))
        .put_u8(derivation_argon2id)
        .put_u32(cost.memory_kib)
        .put_u32(cost.passes)
        .put_u32(cost.lanes)
        .put(store_id)
        .put_u64(generation)
        .put(nonce)
        .put_u8(quorum)
        .fill(reserved_size)
        .put(audit_key)
        .put_u32(custodians_size)
        .put_u32(log_count)
        .put_u32(log_size)
        .put_u32(sealed_size);
    return out;
}

KeyResult<SealedParts> parse_sealed(Bytes file) {
    return parse_file(file, Strictness::all);
}

KeyResult<SealedParts> parse_sealed_shape(Bytes file) {
    return parse_file(file, Strictness::shape_only);
}

std::vector<std::uint8_t> custodian_bytes(const std::vector<CustodianSlot>& custodians) {
    std::vector<std::uint8_t> out;
    for (const CustodianSlot& slot : custodians) {
        out.push_back(static_cast<std::uint8_t>(slot.name.size()));
        out.insert(out.end(), slot.name.begin(), slot.name.end());
        out.push_back(static_cast<std::uint8_t>(slot.kind));
        out.push_back(static_cast<std::uint8_t>(slot.sealed_share.size() >> 8));
        out.push_back(static_cast<std::uint8_t>(slot.sealed_share.size()));
        out.insert(out.end(), slot.sealed_share.begin(), slot.sealed_share.end());
    }
    return out;
}

KeyResult<std::vector<CustodianSlot>> parse_custodians(Bytes bytes) {
    ByteReader in{bytes};
    std::vector<CustodianSlot> out;
    std::set<std::string> names;
    while (!in.empty()) {
        auto slot = parse_custodian(in);
        if (!slot || !names.insert(slot->name).second || out.size() == share_count_max) {
            return refuse(KeyError::malformed);
        }
        out.push_back(std::move(*slot));
    }
    return out;
}

void append_log_entry(std::vector<std::uint8_t>& out, const LogEntry& entry) {
    std::array<std::uint8_t, 4> size{};
    ByteWriter{size}.put_u32(static_cast<std::uint32_t>(entry.line.size()));
    out.insert(out.end(), size.begin(), size.end());
    out.insert(out.end(), entry.line.begin(), entry.line.end());
    out.insert(out.end(), entry.signature.begin(), entry.signature.end());
}

KeyResult<LogEntry> take_log_entry(ByteReader& in) {
    const auto size = in.take_u32();
    const auto line = size ? in.take(*size) : std::unexpected{size.error()};
    const auto signature =
        line ? in.take_array<sm2::signature_size>() : std::unexpected{line.error()};
    if (!signature) return refuse(KeyError::truncated);
    return LogEntry{{line->begin(), line->end()}, *signature};
}

KeyResult<std::vector<Entry>> parse_entries(MutableBytes opened) {
    ByteReader in{opened};
    const auto count = in.take_u16();
    if (!count) return refuse(KeyError::malformed);
    std::vector<Entry> entries;
    std::set<KeyName> names;
    for (std::size_t i = 0; i < *count; ++i) {
        auto entry = parse_entry(in, opened);
        if (!entry || !names.insert(entry->name).second) return refuse(KeyError::malformed);
        entries.push_back(std::move(*entry));
    }
    if (!in.empty()) return refuse(KeyError::malformed);
    return entries;
}

std::size_t entries_size(const std::vector<Entry>& entries) {
    std::size_t size = 2;
    for (const Entry& entry : entries) {
        size += entry_fixed_size + entry.name.label.size() + entry.secret.size();
    }
    return size;
}

void write_entries(const std::vector<Entry>& entries, MutableBytes out) {
    ByteWriter writer{out};
    writer.put_u16(static_cast<std::uint16_t>(entries.size()));
    for (const Entry& entry : entries) {
        writer.put_u8(static_cast<std::uint8_t>(entry.name.label.size()));
        for (const char c : entry.name.label) writer.put_u8(static_cast<std::uint8_t>(c));
        writer.put_u8(static_cast<std::uint8_t>(entry.name.use))
            .put_u8(static_cast<std::uint8_t>(entry.name.algorithm))
            .put_u8(entry.name.version.value())
            .put_u8(static_cast<std::uint8_t>(entry.state))
            .put_u8(static_cast<std::uint8_t>(entry.place))
            .put_u16(entry.size)
            .put(entry.check)
            .put_u16(static_cast<std::uint16_t>(entry.secret.size()))
            .put(entry.secret);
    }
    if (!writer.ok() || writer.size() != out.size()) __builtin_trap();
}

bool cost_accepted(const DerivationCost& cost) {  // Argon2's own floor: RFC 9106, 3.1
    return cost.lanes >= 1 && cost.lanes <= lanes_max && cost.passes >= 1 &&
           cost.passes <= passes_max && cost.memory_kib >= 8 * cost.lanes &&
           cost.memory_kib <= memory_kib_max;
}

bool label_fits(std::string_view label) {
    return !label.empty() && label.size() <= label_size_max &&
           std::ranges::all_of(label, [](char c) { return c >= ' ' && c <= '~'; });
}

bool custodian_name_fits(std::string_view name) {
    return !name.empty() && name.size() <= custodian_name_size_max &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                      c == '_';
           });
}

bool secret_size_fits(KeyAlgorithm algorithm, std::size_t size) {
    switch (algorithm) {
        case KeyAlgorithm::triple_des: return size == 16 || size == 24;
        case KeyAlgorithm::sm4: return size == 16;
        case KeyAlgorithm::aes: return size == 16 || size == 24 || size == 32;
        case KeyAlgorithm::sm2_private:
        case KeyAlgorithm::p256_private: return size == 32;
        case KeyAlgorithm::hmac_sm3: return size >= 16 && size <= 64;
        case KeyAlgorithm::rsa_private: return size >= 256 && size <= 2048;
        case KeyAlgorithm::passphrase: return size >= 4 && size <= 255;
    }
    return false;
}

}  // namespace crypto::keys
