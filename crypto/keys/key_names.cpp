#include "crypto/keys/key_names.hpp"

namespace crypto::keys {
namespace {

constexpr std::string_view digits = "0123456789ABCDEF";

void append_hex(std::string& text, std::uint8_t byte) {
    text += digits[byte >> 4];
    text += digits[byte & 0x0F];
}

}  // namespace

std::string city_label(protocol::CityCode city) {
    std::string text = "city/";  // the code is BCD: its hex digits are its digits
    append_hex(text, static_cast<std::uint8_t>(city.value() >> 8));
    append_hex(text, static_cast<std::uint8_t>(city.value()));
    return text;
}

std::string device_label(const protocol::DeviceId& device) {
    std::string text = "device/";
    for (const std::uint8_t byte : device.value()) append_hex(text, byte);
    return text;
}

}  // namespace crypto::keys
