#include "crypto/keys/key_block_header.hpp"

namespace crypto::keys {
namespace {

using Error = KeyBlockError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::array versions{
    KeyBlockVersion{'A', Cipher::triple_des, 4, false},
    KeyBlockVersion{'B', Cipher::triple_des, 8, true},
    KeyBlockVersion{'C', Cipher::triple_des, 4, false},
    KeyBlockVersion{'D', Cipher::aes, 16, true},
    KeyBlockVersion{'4', Cipher::sm4, 16, true},  // ours: docs/key_blocks.md, 4
};

/// X9.143-2021, 6.3.1, table 2, with the modes of table 4. N, "no special restrictions", always
/// goes.
struct Usage {
    std::string_view code;
    std::string_view algorithms;
    std::string_view modes;
};
constexpr std::string_view ciphers = "ADT4";
constexpr std::string_view asymmetric = "ERS";
constexpr std::array usages{
    Usage{"B0", ciphers, "X"},       // base derivation key
    Usage{"B1", ciphers, "X"},       // initial DUKPT key
    Usage{"B2", ciphers, "XY"},      // base key variant key
    Usage{"B3", "ADHT4", "X"},       // key derivation key, not X9.24
    Usage{"C0", ciphers, "CGV"},     // card verification key
    Usage{"D0", ciphers, "BDE"},     // symmetric data encryption
    Usage{"D1", asymmetric, "BDE"},  // asymmetric data encryption
    Usage{"D2", ciphers, "BDE"},     // decimalisation table encryption
    Usage{"D3", ciphers, "BDE"},     // data encryption for sensitive data
    Usage{"E0", ciphers, "X"},       // EMV issuer master: application cryptograms
    Usage{"E1", ciphers, "X"},       // secure messaging, confidentiality
    Usage{"E2", ciphers, "X"},       // secure messaging, integrity
    Usage{"E3", ciphers, "X"},       // data authentication code
    Usage{"E4", ciphers, "X"},       // dynamic numbers
    Usage{"E5", ciphers, "X"},       // card personalisation
    Usage{"E6", ciphers, "X"},       // other
    Usage{"E7", asymmetric, "BDE"},  // EMV key pair for PIN encryption
    Usage{"I0", ciphers, ""},        // initialisation vector
    Usage{"K0", ciphers, "BDE"},     // key encryption
    Usage{"K1", ciphers, "BDE"},     // key block protection key
    Usage{"K2", asymmetric, "BDE"},  // asymmetric key encryption
    Usage{"K3", "EHR", "X"},         // key agreement
    Usage{"K4", ciphers, "BDE"},     // ISO 20038 protection key
    Usage{"M0", "T", "CGV"},         // ISO 16609, algorithm 1
    Usage{"M1", ciphers, "CGV"},     // ISO/IEC 9797-1, algorithm 1
    Usage{"M2", ciphers, "CGV"},    Usage{"M3", ciphers, "CGV"}, Usage{"M4", ciphers, "CGV"},
    Usage{"M5", ciphers, "CGV"},    Usage{"M6", ciphers, "CGV"},  // CMAC
    Usage{"M7", "H", "CGV"},                                      // HMAC
    Usage{"M8", ciphers, "CGV"},     // ISO/IEC 9797-1:2011, algorithm 6
    Usage{"P0", ciphers, "BDE"},     // PIN encryption
    Usage{"P1", ciphers, "CGV"},     // PIN generation
    Usage{"S0", asymmetric, "STV"},  // digital signature
    Usage{"S1", asymmetric, "STV"},  // certification authority
    Usage{"S2", asymmetric, "STV"},  // other asymmetric use
    Usage{"V0", ciphers, "CGV"},     // PIN verification, other
    Usage{"V1", ciphers, "CGV"},     // IBM 3624
    Usage{"V2", ciphers, "CGV"},     // Visa PVV
    Usage{"V3", ciphers, "CGV"},     // X9.132, algorithm 1
    Usage{"V4", ciphers, "CGV"},     // X9.132, algorithm 2
    Usage{"V5", ciphers, "CGV"},     // X9.132, algorithm 3
};
constexpr std::string_view all_algorithms = "ADEHRST4";
constexpr std::string_view all_modes = "BCDEGNSTVXY";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_capital(char c) {
    return c >= 'A' && c <= 'Z';
}
bool is_printable(char c) {
    return c >= 0x20 && c <= 0x7E;
}
bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, is_digit);
}

std::size_t decimal(std::string_view digits) {
    std::size_t value = 0;
    for (const char c : digits) value = 10 * value + static_cast<std::size_t>(c - '0');
    return value;
}

/// A.5.1-A.5.5 of what the header says about the key.
KeyBlockResult<void> check_fields(const KeyBlockHeader& header) {
    if (header.usage.size() != 2) return refuse(Error::usage_unknown);
    const auto usage = std::ranges::find(usages, header.usage, &Usage::code);
    const bool known = usage != usages.end();
    if (!known && !all_digits(header.usage)) return refuse(Error::usage_unknown);
    if (!(known ? usage->algorithms : all_algorithms).contains(header.algorithm)) {
        return refuse(Error::algorithm_unknown);
    }
    if (header.mode != 'N' && !(known ? usage->modes : all_modes).contains(header.mode)) {
        return refuse(Error::mode_not_allowed);
    }
    const auto& version = header.key_version;
    if (version.size() != 2 ||
        !(version[0] == 'c' || is_digit(version[0]) || is_capital(version[0])) ||
        !(is_digit(version[1]) || is_capital(version[1]))) {
        return refuse(Error::key_version_wrong);
    }
    if (!std::string_view{"ENS"}.contains(header.exportability)) {
        return refuse(Error::exportability_unknown);
    }
    return {};
}

/// A length in capital hex digits.
std::optional<std::size_t> hex_number(std::string_view text) {
    std::size_t value = 0;
    for (const char c : text) {
        if (!is_digit(c) && !(c >= 'A' && c <= 'F')) return std::nullopt;
        value = 16 * value + static_cast<std::size_t>(is_digit(c) ? c - '0' : c - 'A' + 10);
    }
    return value;
}

constexpr std::size_t short_head = 4;      // id, length
constexpr std::size_t extended_head = 10;  // id, 00, 02, length. X9.143-2021, 6.3.6

/// One optional block; advances `rest`. One spelling only: the short form up to FF.
KeyBlockResult<OptionalBlock> take_optional(std::string_view& rest) {
    if (rest.size() < short_head || !is_capital(rest[0]) ||
        !(is_capital(rest[1]) || is_digit(rest[1]))) {
        return refuse(Error::optional_block_wrong);
    }
    auto length = hex_number(rest.substr(2, 2));
    std::size_t head = short_head;
    if (length == 0) {
        if (rest.size() < extended_head || rest.substr(4, 2) != "02") {
            return refuse(Error::optional_block_wrong);
        }
        length = hex_number(rest.substr(6, 4));
        head = extended_head;
        if (!length || *length <= 0xFF) return refuse(Error::optional_block_wrong);
    }
    if (!length || *length < head || *length > rest.size() ||
        !std::ranges::all_of(rest.substr(0, *length), is_printable)) {
        return refuse(Error::optional_block_wrong);
    }
    OptionalBlock block{std::string{rest.substr(0, 2)},
                        std::string{rest.substr(head, *length - head)}};
    rest.remove_prefix(*length);
    return block;
}

std::string hex_text(std::size_t value, std::size_t digits) {
    std::string out(digits, '0');
    for (std::size_t i = digits; i > 0; --i, value /= 16)
        out[i - 1] = "0123456789ABCDEF"[value % 16];
    return out;
}
std::string decimal_text(std::size_t value, std::size_t digits) {
    std::string out(digits, '0');
    for (std::size_t i = digits; i > 0; --i, value /= 10) {
        out[i - 1] = static_cast<char>('0' + value % 10);
    }
    return out;
}

std::string text_of(const OptionalBlock& block) {
    const std::size_t size = short_head + block.data.size();
    if (size <= 0xFF) return block.id + hex_text(size, 2) + block.data;
    return block.id + "0002" + hex_text(extended_head + block.data.size(), 4) + block.data;
}
std::size_t text_size(const std::vector<OptionalBlock>& blocks) {
    std::size_t size = 0;
    for (const OptionalBlock& block : blocks) size += text_of(block).size();
    return size;
}

}  // namespace

const KeyBlockVersion* find_key_block_version(char letter) {
    const auto found = std::ranges::find(versions, letter, &KeyBlockVersion::letter);
    return found == versions.end() ? nullptr : &*found;
}

KeyBlockResult<HeaderText> read_header(std::string_view text,
                                       std::optional<std::size_t> block_length) {
    if (text.size() < key_block_header_size) return refuse(Error::wrong_length);
    const KeyBlockVersion* version = find_key_block_version(text[0]);
    if (!version) return refuse(Error::unknown_version);
    const auto length = text.substr(1, 4);
    if (!all_digits(length) || (block_length && decimal(length) != *block_length)) {
        return refuse(Error::length_field_wrong);
    }
    HeaderText out{{text[0],
                    std::string{text.substr(5, 2)},
                    text[7],
                    text[8],
                    std::string{text.substr(9, 2)},
                    text[11],
                    {}},
                   0};
    ONECARD_CHECK(check_fields(out.header));
    const auto count = text.substr(12, 2);
    if (!all_digits(count)) return refuse(Error::optional_count_wrong);
    if (text.substr(14, 2) != "00") return refuse(Error::reserved_not_zero);
    std::string_view rest = text.substr(key_block_header_size);
    for (std::size_t i = 0; i < decimal(count); ++i) {
        ONECARD_TRY(block, take_optional(rest));
        out.header.optional_blocks.push_back(std::move(block));
    }
    out.size = text.size() - rest.size();
    return out;
}

KeyBlockResult<KeyBlockHeader> parse_key_block_header(std::string_view text) {
    ONECARD_TRY(read, read_header(text, std::nullopt));
    if (read.size != text.size()) return refuse(Error::optional_count_wrong);
    return std::move(read.header);
}

KeyBlockResult<void> check_header(const KeyBlockHeader& header) {
    if (!find_key_block_version(header.version)) return refuse(Error::unknown_version);
    ONECARD_CHECK(check_fields(header));
    for (const OptionalBlock& block : header.optional_blocks) {
        const std::string text = text_of(block);
        std::string_view rest{text};
        const auto again = take_optional(rest);
        if (!again || *again != block || !rest.empty()) return refuse(Error::optional_block_wrong);
    }
    return {};
}

std::string write_header(const KeyBlockHeader& header, std::size_t block_length) {
    std::string out{header.version};
    out += decimal_text(block_length, 4) + header.usage + header.algorithm + header.mode +
           header.key_version + header.exportability +
           decimal_text(header.optional_blocks.size(), 2) + "00";
    for (const OptionalBlock& block : header.optional_blocks) out += text_of(block);
    return out;
}

/// A.5.6: PB fills with printable characters; ours are hex digits, which everyone accepts.
KeyBlockResult<std::vector<OptionalBlock>> padded_blocks(std::vector<OptionalBlock> blocks,
                                                         Cipher cipher, Random& random) {
    const std::size_t unit = block_size(cipher);
    const std::size_t over = text_size(blocks) % unit;
    if (over != 0) {
        std::size_t size = unit - over;
        if (size < short_head) size += unit;
        std::vector<std::uint8_t> drawn(size - short_head);
        random.fill(drawn);
        OptionalBlock padding{"PB", {}};
        for (const std::uint8_t byte : drawn) padding.data += "0123456789ABCDEF"[byte % 16];
        blocks.push_back(std::move(padding));
    }
    if (blocks.size() > 99) return refuse(Error::too_long);
    return blocks;
}

}  // namespace crypto::keys
