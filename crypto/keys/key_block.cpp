#include "crypto/keys/key_block.hpp"

#include <utility>

#include "crypto/core/modes.hpp"
#include "crypto/keys/key_block_header.hpp"

namespace crypto::keys {
namespace {

using Error = KeyBlockError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}
Bytes as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};  // [basic.lval]/11
}

std::string upper_hex(Bytes bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t byte : bytes) {
        out += digits[byte >> 4];
        out += digits[byte & 0x0F];
    }
    return out;
}

/// B2: capitals only, so that a block has one spelling.
KeyBlockResult<SecretBuffer> from_upper_hex(std::string_view text) {
    if (text.size() % 2 != 0) return refuse(Error::wrong_length);
    SecretBuffer out{text.size() / 2};
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'A' && c <= 'F')) return refuse(Error::not_upper_hex);
        const auto value = static_cast<unsigned>(digit ? c - '0' : c - 'A' + 10);
        out.bytes()[i / 2] = static_cast<std::uint8_t>(unsigned{out.bytes()[i / 2]} << 4 | value);
    }
    return out;
}

// ---- Keys of one block. ----

struct BlockKeys {
    SecretBuffer encryption;
    SecretBuffer mac;
};

/// A.4.1 (A, C): the protection key with a constant: E or M in every byte.
SecretBuffer variant(Bytes protection_key, std::uint8_t constant) {
    SecretBuffer out{protection_key};
    for (std::uint8_t& byte : out.bytes()) byte ^= constant;
    return out;
}

/// The algorithm and length fields of the derivation's input. A.4.2, A.4.3, table 17;
/// docs/key_blocks.md, 4.
struct DerivationFields {
    std::uint16_t algorithm;
    std::uint16_t bits;
};
DerivationFields derivation_fields(Cipher cipher, std::size_t size) {
    const auto bits = static_cast<std::uint16_t>(8 * size);
    if (cipher == Cipher::sm4) return {0x8004, bits};
    if (cipher == Cipher::triple_des) {
        return {static_cast<std::uint16_t>(size == 16 ? 0x0000 : 0x0001), bits};
    }
    return {static_cast<std::uint16_t>(size == 16 ? 0x0002 : size == 24 ? 0x0003 : 0x0004), bits};
}

/// As many CMAC blocks as the key is long: counter, purpose, 00, algorithm, length in bits.
SecretBuffer derived(Cipher cipher, Bytes protection_key, std::uint16_t purpose) {
    const DerivationFields fields = derivation_fields(cipher, protection_key.size());
    SecretBuffer out{protection_key.size()};
    MutableBytes rest = out.bytes();
    for (std::uint8_t counter = 1; !rest.empty(); ++counter) {
        std::array<std::uint8_t, 8> input{};
        protocol::ByteWriter{input}
            .put_u8(counter)
            .put_u16(purpose)
            .put_u8(0)
            .put_u16(fields.algorithm)
            .put_u16(fields.bits);
        MacBlock block = cmac(cipher, protection_key, input);
        const std::size_t taken = std::min(rest.size(), block.size());
        std::ranges::copy(std::as_const(block).bytes().first(taken), rest.begin());
        wipe(block.bytes());
        rest = rest.subspan(taken);
    }
    return out;
}

KeyBlockResult<BlockKeys> keys_of(const KeyBlockVersion& version, Bytes protection_key) {
    if (!key_size_fits(version.cipher, protection_key.size())) {
        return refuse(Error::protection_key_wrong);
    }
    if (!version.derived)
        return BlockKeys{variant(protection_key, 'E'), variant(protection_key, 'M')};
    return BlockKeys{derived(version.cipher, protection_key, 0x0000),
                     derived(version.cipher, protection_key, 0x0001)};
}

// ---- The payload. ----

/// A, C: CBC-MAC over what is sent. B, D, 4: CMAC over the header and the clear payload.
MacBlock mac_of(const KeyBlockVersion& version, Bytes key, std::string_view header, Bytes payload) {
    const std::array<Bytes, 2> pieces{as_bytes(header), payload};
    return version.derived ? cmac(version.cipher, key, pieces)
                           : cbc_mac(version.cipher, key, pieces, Padding::method_1);
}

void decrypt(const KeyBlockVersion& version, Bytes key, Bytes iv, MutableBytes payload) {
    const BlockDecryptor decryptor{version.cipher, key};
    if (!cbc_decrypt(decryptor, iv.first(decryptor.block_size()), payload)) __builtin_trap();
}

/// Deciphers `payload` in place, if `mac` is right. B1: variants first compare, derived keys
/// compare what they deciphered; either way nothing leaves before.
KeyBlockResult<void> open_payload(const KeyBlockVersion& version, const BlockKeys& keys,
                                  std::string_view header, MutableBytes payload, Bytes mac) {
    const Bytes iv = version.derived ? mac : as_bytes(header);
    if (version.derived) decrypt(version, keys.encryption.bytes(), iv, payload);
    const MacBlock computed = mac_of(version, keys.mac.bytes(), header, payload);
    if (!equal_constant_time(computed.bytes().first(version.mac_size), mac)) {
        wipe(payload);
        return refuse(Error::mac_mismatch);
    }
    if (!version.derived) decrypt(version, keys.encryption.bytes(), iv, payload);
    return {};
}

bool key_size_allowed(char algorithm, std::size_t size) {
    const auto cipher = cipher_of_key_block(algorithm);
    return cipher ? key_size_fits(*cipher, size) : size > 0;
}

/// Two bytes of length in bits, the key, padding. A.3.2. B4.
KeyBlockResult<SecretBuffer> key_inside(char algorithm, Bytes payload) {
    const std::size_t bits = static_cast<std::size_t>(payload[0]) << 8 | payload[1];
    const std::size_t size = bits / 8;
    if (bits % 8 != 0 || size > payload.size() - 2 || !key_size_allowed(algorithm, size)) {
        return refuse(Error::key_length_wrong);
    }
    return SecretBuffer{payload.subspan(2, size)};
}

/// B3: as if the key were the longest of its kind.
std::size_t hidden_size(char algorithm, std::size_t size) {
    if (algorithm == 'D' || algorithm == 'T') return std::max<std::size_t>(size, 24);
    if (algorithm == 'A' || algorithm == '4') return std::max<std::size_t>(size, 32);
    return size;
}

SecretBuffer make_payload(const KeyBlockVersion& version, char algorithm, Bytes key,
                          Random& random) {
    const std::size_t unit = block_size(version.cipher);
    const std::size_t size = (2 + hidden_size(algorithm, key.size()) + unit - 1) / unit * unit;
    SecretBuffer payload{size};
    random.fill(payload.bytes());
    protocol::ByteWriter{payload.bytes()}
        .put_u16(static_cast<std::uint16_t>(8 * key.size()))
        .put(key);
    return payload;
}

// ---- Check values inside a block. A.5.8; B6. ----

KeyBlockResult<void> check_one(const OptionalBlock& block, Cipher cipher, Bytes key) {
    const auto method = block.data.substr(0, 2);
    if (method != "00" && method != "01") return refuse(Error::optional_block_wrong);
    const auto check = method == "00" ? CheckMethod::legacy : CheckMethod::cmac;
    const std::string value = upper_hex(check_block(check, cipher, key).bytes());
    const std::string_view claimed = std::string_view{block.data}.substr(2);
    const std::size_t digits_max = 2 * check_value_size(check);
    if (claimed.size() < 4 || claimed.size() > digits_max || claimed.size() % 2 != 0 ||
        claimed != std::string_view{value}.substr(0, claimed.size())) {
        return refuse(Error::check_value_mismatch);
    }
    return {};
}

KeyBlockResult<void> check_values(const KeyBlockHeader& header, const KeyBlockVersion& version,
                                  Bytes protection_key, Bytes key) {
    const auto cipher = cipher_of_key_block(header.algorithm);
    for (const OptionalBlock& block : header.optional_blocks) {
        if (block.id == "KC" && cipher) ONECARD_CHECK(check_one(block, *cipher, key));
        if (block.id == "KP") ONECARD_CHECK(check_one(block, version.cipher, protection_key));
    }
    return {};
}

}  // namespace

const char* name(KeyBlockError error) {
    switch (error) {
        case Error::wrong_length: return "wrong_length";
        case Error::unknown_version: return "unknown_version";
        case Error::length_field_wrong: return "length_field_wrong";
        case Error::usage_unknown: return "usage_unknown";
        case Error::algorithm_unknown: return "algorithm_unknown";
        case Error::mode_not_allowed: return "mode_not_allowed";
        case Error::key_version_wrong: return "key_version_wrong";
        case Error::exportability_unknown: return "exportability_unknown";
        case Error::optional_count_wrong: return "optional_count_wrong";
        case Error::reserved_not_zero: return "reserved_not_zero";
        case Error::optional_block_wrong: return "optional_block_wrong";
        case Error::not_upper_hex: return "not_upper_hex";
        case Error::protection_key_wrong: return "protection_key_wrong";
        case Error::mac_mismatch: return "mac_mismatch";
        case Error::key_length_wrong: return "key_length_wrong";
        case Error::check_value_mismatch: return "check_value_mismatch";
        case Error::version_not_written: return "version_not_written";
        case Error::too_long: return "too_long";
    }
    return "unknown";
}

std::optional<Cipher> cipher_of_key_block(char algorithm) {
    switch (algorithm) {
        case 'D': return Cipher::des;
        case 'T': return Cipher::triple_des;
        case 'A': return Cipher::aes;
        case '4': return Cipher::sm4;
        default: return std::nullopt;
    }
}

OptionalBlock check_value_block(std::string id, CheckMethod method, Cipher cipher, Bytes key) {
    const MacBlock block = check_block(method, cipher, key);
    return {std::move(id), (method == CheckMethod::legacy ? "00" : "01") +
                               upper_hex(block.bytes().first(check_value_size(method)))};
}

KeyBlockResult<OpenedKeyBlock> unwrap_key_block(Bytes protection_key, std::string_view block) {
    if (block.size() < key_block_header_size || block.size() > key_block_size_max) {
        return refuse(Error::wrong_length);
    }
    ONECARD_TRY(read, read_header(block, block.size()));
    const KeyBlockVersion& version = *find_key_block_version(read.header.version);
    const std::size_t unit = block_size(version.cipher);
    if (block.size() % unit != 0) return refuse(Error::wrong_length);
    if (read.size % unit != 0) return refuse(Error::optional_block_wrong);
    const std::string_view header = block.substr(0, read.size);
    ONECARD_TRY(sent, from_upper_hex(block.substr(read.size)));
    if (sent.size() < unit + version.mac_size || (sent.size() - version.mac_size) % unit != 0) {
        return refuse(Error::wrong_length);
    }
    ONECARD_TRY(keys, keys_of(version, protection_key));
    const MutableBytes payload = sent.bytes().first(sent.size() - version.mac_size);
    ONECARD_CHECK(
        open_payload(version, keys, header, payload, sent.bytes().last(version.mac_size)));
    ONECARD_TRY(key, key_inside(read.header.algorithm, payload));
    ONECARD_CHECK(check_values(read.header, version, protection_key, std::as_const(key).bytes()));
    return OpenedKeyBlock{std::move(read.header), std::move(key)};
}

KeyBlockResult<std::string> wrap_key_block(Bytes protection_key, const KeyBlockHeader& header,
                                           Bytes key, Random& random) {
    ONECARD_CHECK(check_header(header));
    const KeyBlockVersion& version = *find_key_block_version(header.version);
    ONECARD_TRY(keys, keys_of(version, protection_key));
    if (!key_size_allowed(header.algorithm, key.size())) return refuse(Error::key_length_wrong);
    ONECARD_CHECK(check_values(header, version, protection_key, key));
    if (!version.derived) return refuse(Error::version_not_written);  // B5
    if (key.size() > key_block_size_max / 2) return refuse(Error::too_long);
    KeyBlockHeader full = header;
    ONECARD_TRY(blocks, padded_blocks(header.optional_blocks, version.cipher, random));
    full.optional_blocks = std::move(blocks);
    SecretBuffer payload = make_payload(version, header.algorithm, key, random);
    const std::size_t length =
        write_header(full, 0).size() + 2 * (payload.size() + version.mac_size);
    if (length > key_block_size_max) return refuse(Error::too_long);
    std::string out = write_header(full, length);
    const MacBlock mac = mac_of(version, keys.mac.bytes(), out, std::as_const(payload).bytes());
    const BlockEncryptor encryptor{version.cipher, keys.encryption.bytes()};
    if (!cbc_encrypt(encryptor, mac.bytes(), payload.bytes())) __builtin_trap();
    return out + upper_hex(std::as_const(payload).bytes()) + upper_hex(mac.bytes());
}

}  // namespace crypto::keys
