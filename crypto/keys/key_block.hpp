#pragma once
// Key blocks: ASC X9.143-2021 (TR-31:2018), versions A, B, C and D, and our version 4 for SM4.
// docs/key_blocks.md. Clause numbers are of TR-31:2018 unless the line says otherwise.
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/core/random.hpp"
#include "crypto/keys/check_value.hpp"
#include "crypto/keys/secret_buffer.hpp"

namespace crypto::keys {

/// Why a key block was refused. Checks are made, and refusals given, in this order.
enum class KeyBlockError : std::uint8_t {
    wrong_length,        ///< shorter than any block, longer than 9999, or not whole cipher blocks
    unknown_version,     ///< not A, B, C, D or 4
    length_field_wrong,  ///< not four digits, or not the block's length
    usage_unknown,       ///< not in X9.143's table, and not two digits
    algorithm_unknown,   ///< not in the table, or not for that usage
    mode_not_allowed,    ///< not for that usage
    key_version_wrong,   ///< not two digits or capitals, or a c and one of them
    exportability_unknown,  ///< not E, N or S
    optional_count_wrong,   ///< not two digits
    reserved_not_zero,      ///< the header's last two characters
    optional_block_wrong,   ///< an optional block's id, length or characters; not whole blocks
    not_upper_hex,          ///< the encrypted key or MAC is not in capital hex digits
    protection_key_wrong,   ///< the protection key's size does not fit the version
    mac_mismatch,           ///< another protection key, or a changed character
    key_length_wrong,       ///< the size inside does not fit the algorithm, or exceeds the payload
    check_value_mismatch,   ///< KC or KP says otherwise
    version_not_written,    ///< A and C are read only
    too_long,               ///< would exceed 9999 characters or 99 optional blocks
};
[[nodiscard]] const char* name(KeyBlockError error);
template <class T>
using KeyBlockResult = std::expected<T, KeyBlockError>;

/// A.5.6. `data` is kept as it came, character by character.
struct OptionalBlock {
    std::string id;  ///< two characters
    std::string data;
    friend bool operator==(const OptionalBlock&, const OptionalBlock&) = default;
};

/// What a block says about its key. A.2, table 4.
struct KeyBlockHeader {
    char version = 'D';
    std::string usage;  ///< two characters: "P0", "K0", ...
    char algorithm = 'A';
    char mode = 'N';
    std::string key_version = "00";
    char exportability = 'N';
    std::vector<OptionalBlock> optional_blocks;  ///< PB included when it came with one
    friend bool operator==(const KeyBlockHeader&, const KeyBlockHeader&) = default;
};

struct OpenedKeyBlock {
    KeyBlockHeader header;
    SecretBuffer key;
};

constexpr std::size_t key_block_header_size = 16;
constexpr std::size_t key_block_size_max = 9999;

/// Reads a header of 16 characters and its optional blocks; the length field is four digits that
/// are not compared with anything. What a person types to wrap a key.
[[nodiscard]] KeyBlockResult<KeyBlockHeader> parse_key_block_header(std::string_view text);

/// `protection_key`: A, B, C: 16 or 24 bytes of 3DES; D: 16, 24 or 32 of AES; 4: 16 of SM4.
/// Nothing is deciphered into the answer unless the MAC is right.
[[nodiscard]] KeyBlockResult<OpenedKeyBlock> unwrap_key_block(Bytes protection_key,
                                                              std::string_view block);

/// Versions B, D and 4. Random padding hides the key's length. Adds PB when the optional blocks do
/// not fill whole cipher blocks. The header's KC and KP, if any, must be true.
[[nodiscard]] KeyBlockResult<std::string> wrap_key_block(Bytes protection_key,
                                                         const KeyBlockHeader& header, Bytes key,
                                                         Random& random);

/// The optional block that records a check value and its method: KC of the key, KP of the
/// protection key. A.5.8. `cipher` is the key's.
[[nodiscard]] OptionalBlock check_value_block(std::string id, CheckMethod method, Cipher cipher,
                                              Bytes key);
/// The cipher of an algorithm letter, where it is one: D, T, A, 4.
[[nodiscard]] std::optional<Cipher> cipher_of_key_block(char algorithm);

}  // namespace crypto::keys
