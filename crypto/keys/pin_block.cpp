#include "crypto/keys/pin_block.hpp"

#include "crypto/core/block_cipher.hpp"

namespace crypto::keys {
namespace {

using Error = PinBlockError;

std::unexpected<Error> refuse(Error error) {
    return std::unexpected{error};
}

constexpr std::size_t pin_size_min = 4;
constexpr std::size_t pin_size_max = 12;

bool all_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}
bool is_pin(std::string_view pin) {
    return pin.size() >= pin_size_min && pin.size() <= pin_size_max && all_digits(pin);
}

std::uint8_t nibble_at(Bytes bytes, std::size_t index) {
    const std::uint8_t byte = bytes[index / 2];
    return index % 2 == 0 ? static_cast<std::uint8_t>(byte >> 4)
                          : static_cast<std::uint8_t>(byte & 0x0F);
}
void set_nibble(MutableBytes bytes, std::size_t index, unsigned value) {
    std::uint8_t& byte = bytes[index / 2];
    byte = index % 2 == 0 ? static_cast<std::uint8_t>((byte & 0x0F) | value << 4)
                          : static_cast<std::uint8_t>((byte & 0xF0) | value);
}

/// Format digit, length digit, the PIN. Answers where the filler begins.
std::size_t put_pin(MutableBytes block, PinFormat format, std::string_view pin) {
    set_nibble(block, 0, static_cast<unsigned>(format));
    set_nibble(block, 1, static_cast<unsigned>(pin.size()));
    std::size_t at = 2;
    for (const char digit : pin) set_nibble(block, at++, static_cast<unsigned>(digit - '0'));
    return at;
}

/// 9.3.2.3, 9.3.5.3: 0000, then the right twelve digits without the check digit.
PinBlockResult<PinBlock8> account_field(std::string_view pan) {
    if (pan.size() < 13 || pan.size() > 19 || !all_digits(pan)) return refuse(Error::pan_wrong);
    const std::string_view digits = pan.substr(pan.size() - 13, 12);
    PinBlock8 out;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        set_nibble(out.bytes(), 4 + i, static_cast<unsigned>(digits[i] - '0'));
    }
    return out;
}

bool uses_account(PinFormat format) {
    return format == PinFormat::f0 || format == PinFormat::f3;
}

/// 9.3.2.2 to 9.3.5.2: F; anything; F; A to F.
std::uint8_t filler(PinFormat format, Random& random) {
    if (format == PinFormat::f0 || format == PinFormat::f2) return 0x0F;
    std::array<std::uint8_t, 1> drawn{};
    do {  // no value is likelier than another
        random.fill(drawn);
    } while (format == PinFormat::f3 && drawn[0] >= 252);
    return static_cast<std::uint8_t>(format == PinFormat::f1 ? drawn[0] & 0x0F : 10 + drawn[0] % 6);
}
bool is_filler(PinFormat format, std::uint8_t nibble) {
    switch (format) {
        case PinFormat::f0:
        case PinFormat::f2: return nibble == 0x0F;
        case PinFormat::f1: return true;
        case PinFormat::f3: return nibble >= 0x0A;
        case PinFormat::f4: return nibble == 0x0A;
    }
    return false;
}

/// The PIN of a clear block or field of 16 characters.
PinBlockResult<SecretBuffer> pin_inside(PinFormat format, Bytes block) {
    if (nibble_at(block, 0) != static_cast<unsigned>(format)) return refuse(Error::wrong_format);
    const std::size_t size = nibble_at(block, 1);
    if (size < pin_size_min || size > pin_size_max) return refuse(Error::pin_length);
    SecretBuffer pin{size};
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint8_t digit = nibble_at(block, 2 + i);
        if (digit > 9) return refuse(Error::digits_wrong);
        pin.bytes()[i] = static_cast<std::uint8_t>('0' + digit);
    }
    for (std::size_t i = 2 + size; i < 16; ++i) {
        if (!is_filler(format, nibble_at(block, i))) return refuse(Error::filler_wrong);
    }
    return pin;
}

void xor_into(MutableBytes target, Bytes other) {
    for (std::size_t i = 0; i < target.size(); ++i) target[i] ^= other[i];
}

}  // namespace

const char* name(PinBlockError error) {
    switch (error) {
        case Error::pin_wrong: return "pin_wrong";
        case Error::pan_wrong: return "pan_wrong";
        case Error::wrong_length: return "wrong_length";
        case Error::wrong_format: return "wrong_format";
        case Error::pin_length: return "pin_length";
        case Error::digits_wrong: return "digits_wrong";
        case Error::filler_wrong: return "filler_wrong";
        case Error::key_wrong: return "key_wrong";
    }
    return "unknown";
}

PinBlockResult<PinBlock8> make_pin_block(PinFormat format, std::string_view pin,
                                         std::string_view pan, Random& random) {
    if (format == PinFormat::f4) return refuse(Error::wrong_format);
    if (!is_pin(pin)) return refuse(Error::pin_wrong);
    PinBlock8 block;
    for (std::size_t i = put_pin(block.bytes(), format, pin); i < 16; ++i) {
        set_nibble(block.bytes(), i, filler(format, random));
    }
    if (!uses_account(format)) return block;
    ONECARD_TRY(account, account_field(pan));
    xor_into(block.bytes(), account.bytes());
    return block;
}

PinBlockResult<SecretBuffer> read_pin_block(PinFormat format, Bytes block, std::string_view pan) {
    if (format == PinFormat::f4) return refuse(Error::wrong_format);
    if (block.size() != PinBlock8::size) return refuse(Error::wrong_length);
    PinBlock8 clear{block.first<8>()};
    if (uses_account(format)) {
        ONECARD_TRY(account, account_field(pan));
        xor_into(clear.bytes(), account.bytes());
    }
    return pin_inside(format, clear.bytes());
}

PinBlockResult<PinBlock16> make_pin_field(std::string_view pin, Random& random) {
    if (!is_pin(pin)) return refuse(Error::pin_wrong);
    PinBlock16 field;
    random.fill(field.bytes().last(8));
    for (std::size_t i = put_pin(field.bytes(), PinFormat::f4, pin); i < 16; ++i) {
        set_nibble(field.bytes(), i, 0x0A);
    }
    return field;
}

PinBlockResult<PinBlock16> make_pan_field(std::string_view pan) {
    if (pan.empty() || pan.size() > 19 || !all_digits(pan)) return refuse(Error::pan_wrong);
    PinBlock16 field;
    const std::size_t missing = pan.size() < 12 ? 12 - pan.size() : 0;  // zeros on the left
    set_nibble(field.bytes(), 0, static_cast<unsigned>(pan.size() + missing - 12));
    for (std::size_t i = 0; i < pan.size(); ++i) {
        set_nibble(field.bytes(), 1 + missing + i, static_cast<unsigned>(pan[i] - '0'));
    }
    return field;
}

PinBlockResult<PinBlock16> encipher_pin_field(Bytes key, const PinBlock16& pin_field,
                                              const PinBlock16& pan_field) {
    if (!key_size_fits(Cipher::aes, key.size())) return refuse(Error::key_wrong);
    const BlockEncryptor encryptor{Cipher::aes, key};
    PinBlock16 block = pin_field.duplicate();
    encryptor.encrypt(block.bytes());
    xor_into(block.bytes(), pan_field.bytes());
    encryptor.encrypt(block.bytes());
    return block;
}

PinBlockResult<SecretBuffer> read_format_4(Bytes key, Bytes block, std::string_view pan) {
    if (!key_size_fits(Cipher::aes, key.size())) return refuse(Error::key_wrong);
    if (block.size() != PinBlock16::size) return refuse(Error::wrong_length);
    ONECARD_TRY(pan_field, make_pan_field(pan));
    const BlockDecryptor decryptor{Cipher::aes, key};
    PinBlock16 clear{block.first<16>()};
    decryptor.decrypt(clear.bytes());
    xor_into(clear.bytes(), pan_field.bytes());
    decryptor.decrypt(clear.bytes());
    return pin_inside(PinFormat::f4, clear.bytes());
}

}  // namespace crypto::keys
