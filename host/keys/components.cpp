#include "host/keys/components.hpp"

#include "crypto/keys/check_value.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

constexpr std::size_t component_size = crypto::purse::key_size;
constexpr std::size_t check_size = 3;
constexpr std::string_view blanks = " \t";
constexpr std::uint8_t key_bits = 0xFE;  // of a byte, without DES's parity

/// Exactly `out.size()` bytes of hex; blanks between digits do not count. Not platform::from_hex,
/// which leaves a copy behind.
bool read_hex(std::string_view digits, crypto::MutableBytes out) {
    std::size_t count = 0;
    for (const char digit : digits) {
        if (blanks.contains(digit)) continue;
        const int lower = digit | 0x20;
        const bool decimal = digit >= '0' && digit <= '9';
        if (count == 2 * out.size() || (!decimal && (lower < 'a' || lower > 'f'))) return false;
        const int value = decimal ? digit - '0' : lower - 'a' + 10;
        std::uint8_t& byte = out[count / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | value);
        ++count;
    }
    return count == 2 * out.size();
}

void append_hex(std::string& out, crypto::Bytes bytes) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0 && i % 4 == 0) out += ' ';
        out += digits[bytes[i] >> 4];
        out += digits[bytes[i] & 0x0F];
    }
}

std::array<std::uint8_t, check_size> check_value(const Component& component) {
    const auto cipher =
        component.suite == Suite::sm4 ? crypto::Cipher::sm4 : crypto::Cipher::triple_des;
    return crypto::keys::check_block(crypto::keys::CheckMethod::legacy, cipher,
                                     component.value.bytes())
        .first<check_size>();
}

std::unexpected<Refusal> malformed(const RootName& root, const char* what) {
    return refuse(RefusalKind::component_malformed, text(root) + ": " + what);
}

std::string_view trim(std::string_view text) {
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The line's root, when it begins with one; what follows the name stays in `line`.
std::optional<std::size_t> take_root(std::string_view& line) {
    for (std::size_t i = 0; i < root_count; ++i) {
        const std::string root = text(root_at(i)) + " ";
        if (!line.starts_with(root)) continue;
        line = trim(line.substr(root.size()));
        return i;
    }
    return std::nullopt;
}

}  // namespace

std::string check_value_text(const Component& component) {
    return platform::to_hex(check_value(component));
}

Result<Component> parse_component(const RootName& root, std::string_view digits,
                                  std::string_view check) {
    Component component{root.use, root.suite, {}};
    if (!read_hex(digits, component.value.bytes())) {
        return malformed(root, "32 hex digits expected");
    }
    std::array<std::uint8_t, check_size> typed{};
    if (!read_hex(check, typed)) return malformed(root, "a check value of 6 hex digits expected");
    if (!crypto::equal_constant_time(typed, check_value(component))) {
        return malformed(root,
                         "the check value does not fit the component: one of them is mistyped");
    }
    return component;
}

Result<std::vector<Component>> parse_components(std::span<const std::string_view> lines) {
    std::array<std::optional<Component>, root_count> found;
    for (std::size_t number = 1; number <= lines.size(); ++number) {
        std::string_view line = trim(lines[number - 1]);
        if (line.empty() || line.starts_with('#')) continue;
        const auto root = take_root(line);
        if (!root) {
            return refuse(RefusalKind::component_malformed,
                          "line " + std::to_string(number) +
                              ": begins with no root: purchase or application_lock, sm4 or 3des");
        }
        if (found[*root]) return malformed(root_at(*root), "is there twice");
        const auto before_check = line.find_last_of(blanks);
        if (before_check == std::string_view::npos) {
            return malformed(root_at(*root), "component and check value expected");
        }
        ONECARD_TRY(component, parse_component(root_at(*root), line.substr(0, before_check),
                                               line.substr(before_check + 1)));
        found[*root] = std::move(component);
    }
    std::vector<Component> components;
    for (std::size_t i = 0; i < root_count; ++i) {
        if (!found[i]) return malformed(root_at(i), "is missing");
        components.push_back(*std::move(found[i]));
    }
    return components;
}

crypto::keys::SecretBuffer component_sheet(const Ceremony& ceremony, std::string_view custodian,
                                           std::span<const Component> components) {
    constexpr std::size_t sheet_size_max = 4096;
    std::string out;
    out.reserve(sheet_size_max);  // never moved: nothing of it stays behind
    out += "# OneCard component sheet: secret, for one person's envelope\n";
    if (ceremony.mark == Mark::rehearsal) out += "# REHEARSAL: throw-away keys\n";
    out += "# ceremony " + platform::to_hex(ceremony.id) + "\n# custodian ";
    out += custodian;
    out += "\n# root, component, check value\n";
    for (const Component& component : components) {
        out += text(RootName{component.use, component.suite});
        out += ' ';
        append_hex(out, component.value.bytes());
        out += ' ';
        out += check_value_text(component);
        out += '\n';
    }
    const crypto::MutableBytes bytes{reinterpret_cast<std::uint8_t*>(out.data()), out.size()};
    crypto::keys::SecretBuffer sheet{crypto::Bytes{bytes}};
    crypto::wipe(bytes);
    return sheet;
}

bool is_weak(const Component& component) {
    const auto bytes = component.value.bytes();
    unsigned difference = 0;
    for (std::size_t i = 0; i < component_size / 2; ++i) {
        difference |= static_cast<unsigned>(bytes[i] ^ bytes[i + component_size / 2]);
    }
    return (difference & key_bits) == 0;
}

Result<void> check_components(std::span<const Component> components) {
    if (components.size() != root_count) {
        return refuse(RefusalKind::component_malformed,
                      std::to_string(root_count) + " components expected");
    }
    for (std::size_t i = 0; i < root_count; ++i) {
        const RootName root{components[i].use, components[i].suite};
        if (root != root_at(i)) return malformed(root, "is not in its place");
        if (is_weak(components[i])) {
            return refuse(RefusalKind::component_weak,
                          text(root) + ": both halves are equal: draw another component");
        }
    }
    return {};
}

crypto::Sm3Digest component_digest(const Ceremony& ceremony, const Component& component) {
    crypto::SecretBytes<component_size> stripped{component.value.bytes()};
    for (std::uint8_t& byte : stripped.bytes()) byte &= key_bits;
    return crypto::hmac_sm3(ceremony.salt, stripped.bytes());
}

}  // namespace host::keys
