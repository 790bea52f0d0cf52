#include "crypto/keys/ibm3624.hpp"

#include "crypto/core/block_cipher.hpp"

namespace crypto::keys {
namespace {

bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

const char* name(Ibm3624Error error) {
    switch (error) {
        case Ibm3624Error::key_wrong: return "16 or 24 bytes expected";
        case Ibm3624Error::table_wrong: return "16 decimal digits expected";
        case Ibm3624Error::offset_wrong: return "4 to 12 decimal digits expected";
    }
    return "unknown";
}

std::expected<SecretBuffer, Ibm3624Error> ibm3624_pin(Bytes key,
                                                      const std::array<std::uint8_t, 8>& validation,
                                                      std::string_view table,
                                                      std::string_view offset) {
    if (!key_size_fits(Cipher::triple_des, key.size())) {
        return std::unexpected{Ibm3624Error::key_wrong};
    }
    if (table.size() != 16 || !all_digits(table)) {
        return std::unexpected{Ibm3624Error::table_wrong};
    }
    if (offset.size() < 4 || offset.size() > 12 || !all_digits(offset)) {
        return std::unexpected{Ibm3624Error::offset_wrong};
    }
    SecretBytes<8> block{validation};
    BlockEncryptor{Cipher::triple_des, key}.encrypt(block.bytes());
    SecretBuffer pin{offset.size()};
    for (std::size_t i = 0; i < pin.size(); ++i) {
        const unsigned byte = block.bytes()[i / 2];
        const unsigned nibble = i % 2 == 0 ? byte >> 4 : byte & 0x0F;
        const int digit = (table[nibble] - '0' + offset[i] - '0') % 10;
        pin.bytes()[i] = static_cast<std::uint8_t>('0' + digit);
    }
    return pin;
}

}  // namespace crypto::keys
