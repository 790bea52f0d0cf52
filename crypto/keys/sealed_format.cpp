#include "crypto/keys/sealed_format.hpp"

#include <set>

#include "crypto/core/sm3.hpp"

namespace crypto::keys {
namespace {

using protocol::ByteReader;
using protocol::ByteWriter;

constexpr std::array<std::uint8_t, 8> magic{'O', 'n', 'e', 'C', 'a', 'r', 'd', 'K'};
constexpr std::uint16_t format_version = 1;
constexpr std::uint8_t derivation_argon2id = 1;
constexpr std::size_t frame_size = header_size + tag_size + sm3_digest_size;
constexpr std::size_t entry_fixed_size = 1 + 4 + 2;  // label size; use .. state; secret size
static_assert(8 + 2 + 1 + 1 + 12 + salt_size + 8 + nonce_size + 4 == header_size);

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
    header.salt = *in.take_array<salt_size>();
    header.generation = *in.take_u64();
    header.nonce = *in.take_array<nonce_size>();
    header.sealed_size = *in.take_u32();
    if (purpose != static_cast<std::uint8_t>(Purpose::production) &&
        purpose != static_cast<std::uint8_t>(Purpose::rehearsal)) {
        return refuse(KeyError::malformed);
    }
    header.purpose = static_cast<Purpose>(purpose);
    if (derivation != derivation_argon2id) return refuse(KeyError::malformed);
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

protocol::Parsed<Entry> parse_entry(ByteReader& in, MutableBytes opened) {
    Entry entry;
    ONECARD_TRY(label_size, in.take_u8());
    ONECARD_TRY(label, in.take(label_size));
    entry.name.label.assign(label.begin(), label.end());
    ONECARD_TRY(use, in.take_u8());
    ONECARD_TRY(algorithm, in.take_u8());
    ONECARD_TRY(version, in.take_u8());
    ONECARD_TRY(state, in.take_u8());
    ONECARD_TRY(secret_size, in.take_u16());
    const std::size_t at = opened.size() - in.size();
    ONECARD_CHECK(in.take(secret_size));
    entry.secret = opened.subspan(at, secret_size);
    const bool known = label_fits(entry.name.label) && use_known(use) &&
                       algorithm_known(algorithm) && state_known(state);
    if (!known) return protocol::refuse(protocol::ParseError::wrong_value);
    entry.name.use = static_cast<KeyUse>(use);
    entry.name.algorithm = static_cast<KeyAlgorithm>(algorithm);
    entry.name.version = protocol::KeyVersion{version};
    entry.state = static_cast<KeyState>(state);
    const bool size_right = entry.state == KeyState::destroyed
                                ? entry.secret.empty()
                                : secret_size_fits(entry.name.algorithm, entry.secret.size());
    if (!size_right) return protocol::refuse(protocol::ParseError::wrong_length);
    return entry;
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
        .put(salt)
        .put_u64(generation)
        .put(nonce)
        .put_u32(sealed_size);
    return out;
}

KeyResult<SealedParts> parse_sealed(Bytes file) {  // in the order of docs/key_store.md
    ByteReader in{file};
    const auto kind = in.take_array<magic.size()>();
    if (!kind) return refuse(KeyError::truncated);
    if (*kind != magic) return refuse(KeyError::wrong_magic);
    const auto version = in.take_u16();
    if (!version) return refuse(KeyError::truncated);
    if (*version != format_version) return refuse(KeyError::unknown_version);
    if (file.size() < frame_size) return refuse(KeyError::truncated);
    ONECARD_TRY(header, parse_header(in));
    const std::size_t promised = frame_size + std::size_t{header.sealed_size};
    if (file.size() < promised) return refuse(KeyError::truncated);
    if (file.size() > promised) return refuse(KeyError::malformed);
    const Bytes digest = file.last(sm3_digest_size);
    if (!equal_constant_time(sm3(file.first(file.size() - sm3_digest_size)), digest)) {
        return refuse(KeyError::damaged);
    }
    return SealedParts{header, file.first(header_size),
                       file.subspan(header_size, header.sealed_size),
                       file.subspan(header_size + header.sealed_size, tag_size), digest};
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

bool secret_size_fits(KeyAlgorithm algorithm, std::size_t size) {
    switch (algorithm) {
        case KeyAlgorithm::triple_des: return size == 16 || size == 24;
        case KeyAlgorithm::sm4: return size == 16;
        case KeyAlgorithm::aes: return size == 16 || size == 24 || size == 32;
        case KeyAlgorithm::sm2_private:
        case KeyAlgorithm::p256_private: return size == 32;
        case KeyAlgorithm::hmac_sm3: return size >= 16 && size <= 64;
    }
    return false;
}

}  // namespace crypto::keys
