#pragma once
// Reads vector files: `Name = value` lines, a vector ends at an empty line, `#` starts a comment.
// Values are hex unless a test asks for text. A file that is missing, empty or misread fails the
// test at once.
#include <array>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

[[nodiscard]] inline std::vector<std::uint8_t> from_hex(std::string_view text) {
    std::vector<std::uint8_t> out;
    std::string digits;
    for (const char c : text) {
        if (c != ' ') digits.push_back(c);
    }
    if (digits.size() % 2 != 0) throw std::runtime_error("odd hex: " + digits);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        std::uint8_t byte = 0;
        const auto [end, error] = std::from_chars(&digits[i], &digits[i] + 2, byte, 16);
        if (error != std::errc{} || end != &digits[i] + 2) {
            throw std::runtime_error("not hex: " + digits);
        }
        out.push_back(byte);
    }
    return out;
}

template <std::size_t size>
[[nodiscard]] std::array<std::uint8_t, size> from_hex(std::string_view text) {
    const auto bytes = from_hex(text);
    if (bytes.size() != size) throw std::runtime_error("wrong size: " + std::string{text});
    std::array<std::uint8_t, size> out{};
    std::copy(bytes.begin(), bytes.end(), out.begin());
    return out;
}

[[nodiscard]] inline std::string to_hex(std::span<const std::uint8_t> bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const std::uint8_t byte : bytes) {
        out.push_back(digits[byte >> 4]);
        out.push_back(digits[byte & 15]);
    }
    return out;
}

class Vector {
public:
    Vector(std::map<std::string, std::string> fields, std::string place)
        : fields_{std::move(fields)}, place_{std::move(place)} {}
    [[nodiscard]] bool has(const std::string& name) const { return fields_.contains(name); }
    /// File and line, for INFO.
    [[nodiscard]] const std::string& place() const { return place_; }
    [[nodiscard]] const std::string& text(const std::string& name) const {
        const auto field = fields_.find(name);
        if (field == fields_.end()) throw std::runtime_error(place_ + ": no field " + name);
        return field->second;
    }
    [[nodiscard]] std::vector<std::uint8_t> bytes(const std::string& name) const {
        return from_hex(text(name));
    }
    template <std::size_t size>
    [[nodiscard]] std::array<std::uint8_t, size> bytes(const std::string& name) const {
        return from_hex<size>(text(name));
    }
    [[nodiscard]] unsigned long number(const std::string& name) const {  // in hex
        return std::stoul(text(name), nullptr, 16);
    }

private:
    std::map<std::string, std::string> fields_;
    std::string place_;
};

/// `path` is below tests/data.
[[nodiscard]] inline std::vector<Vector> read_vectors(const std::string& path) {
    std::ifstream in{std::string{ONECARD_TEST_DATA "/"} + path};
    if (!in) throw std::runtime_error("cannot read " + path);
    std::vector<Vector> out;
    std::map<std::string, std::string> fields;
    int line_number = 0;
    int start = 1;
    const auto finish = [&] {
        if (!fields.empty()) {
            out.emplace_back(std::move(fields), path + ":" + std::to_string(start));
        }
        fields.clear();
    };
    for (std::string line; std::getline(in, line);) {
        ++line_number;
        if (line.empty()) finish();
        if (line.empty() || line.front() == '#') continue;
        const auto separator = line.find(" =");
        if (separator == std::string::npos) throw std::runtime_error(path + ": " + line);
        if (fields.empty()) start = line_number;
        const auto value = line.find_first_not_of(' ', separator + 2);
        fields[line.substr(0, separator)] = value == std::string::npos ? "" : line.substr(value);
    }
    finish();
    if (out.empty()) throw std::runtime_error("no vectors in " + path);
    return out;
}

}  // namespace tests
