#pragma once
// What every calculation shares: options in hex, refusals, output. docs/calculator.md, 1.
#include <expected>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/core/block_cipher.hpp"
#include "crypto/keys/secret_buffer.hpp"
#include "platform/command_line.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace host::keys::calc {

using crypto::Bytes;
using crypto::MutableBytes;
using crypto::keys::SecretBuffer;

/// A mistake in the command line (exit status 2), or a computation that says no (1). `text` names
/// the option and never holds a value.
struct Complaint {
    platform::ExitCode code = platform::ExitCode::usage;
    std::string text;
};
template <class T>
using Answer = std::expected<T, Complaint>;
[[nodiscard]] std::unexpected<Complaint> mistake(std::string text);
[[nodiscard]] std::unexpected<Complaint> refused(std::string text);

/// How many bytes a value may have: some sizes, or a range.
class Sizes {
public:
    constexpr Sizes(std::initializer_list<std::size_t> allowed);  // NOLINT: reads as a list
    [[nodiscard]] static constexpr Sizes any() { return between(0, SIZE_MAX); }
    [[nodiscard]] static constexpr Sizes between(std::size_t low, std::size_t high);
    [[nodiscard]] bool allow(std::size_t size) const;
    /// "16 or 24 bytes", "1 to 255 bytes".
    [[nodiscard]] std::string text() const;

private:
    Sizes() = default;
    std::array<std::size_t, 4> allowed_{};
    std::size_t count_ = 0;
    std::size_t low_ = 1;
    std::size_t high_ = 0;
};

enum class Need : bool { optional, required };

/// A command while it is described. Everything behind it is free of the command line library, whose
/// header costs more to compile than all the calculations.
class Command {
public:
    explicit Command(CLI::App& app) : app_{&app} {}
    /// A command below this one.
    [[nodiscard]] Command add(const std::string& name, const std::string& help) const;
    /// The same, of which one command below must be chosen.
    [[nodiscard]] Command group(const std::string& name, const std::string& help) const;
    /// An option with some words to choose from.
    void choice(const std::string& name, std::string& target, const std::vector<std::string>& words,
                const std::string& help, Need need) const;
    void flag(const std::string& name, bool& target, const std::string& help) const;
    /// A value (`resolve` reads it) that may be repeated.
    void list(const std::string& name, std::vector<std::string>& target, const std::string& help,
              Need need) const;
    [[nodiscard]] CLI::App& app() const { return *app_; }

private:
    CLI::App* app_;
};

/// One option's value: hex or characters, from the command line, a file (`@FILE`) or the next line
/// of standard input (`-`). Lines are taken in the order in which a command adds its options: that
/// of its help. Stays where it is after `add_to`.
class Value {
public:
    Value() = default;
    Value(const Value&) = delete;
    Value& operator=(const Value&) = delete;
    void add_to(const Command& command, const std::string& name, const std::string& help,
                Need need = Need::required);
    [[nodiscard]] bool given() const;
    [[nodiscard]] const std::string& name() const { return name_; }

    [[nodiscard]] Answer<SecretBuffer> bytes(const Sizes& sizes) const;
    /// Exactly `size` bytes.
    template <std::size_t size>
    [[nodiscard]] Answer<crypto::SecretBytes<size>> array() const;
    /// The value, or nothing when the option was not given.
    [[nodiscard]] Answer<std::optional<SecretBuffer>> optional_bytes(const Sizes& sizes) const;
    /// Characters without blanks at the ends.
    [[nodiscard]] Answer<SecretBuffer> characters() const;

private:
    [[nodiscard]] Answer<SecretBuffer> text() const;
    std::string name_;
    std::string text_;
    std::optional<SecretBuffer> line_;  ///< of standard input, when the text is -
    CLI::Option* option_ = nullptr;
};
/// The option's bytes when they are no secret: a counter, a date.
template <std::size_t size>
[[nodiscard]] Answer<std::array<std::uint8_t, size>> public_array(const Value& value);
/// What `Value::characters` answered, to read.
[[nodiscard]] std::string_view view(const SecretBuffer& characters);
/// Hex digits in pairs; blanks between them do not count. `name` is for the complaint.
[[nodiscard]] Answer<SecretBuffer> bytes_of_hex(const std::string& name, Bytes text,
                                                const Sizes& sizes);
/// Where a text that begins with @, or is -, leads to.
[[nodiscard]] Answer<SecretBuffer> resolve(const std::string& name, const std::string& text);

/// What a calculation prints: `name: value` lines, or one JSON object with the same names.
class Output {
public:
    Output& add(std::string name, Bytes value);
    Output& add_text(std::string name, std::string value);
    /// A result that is a word of its own line: VALID, INVALID.
    Output& add_verdict(bool valid);
    /// Replaces everything by text and JSON made elsewhere: a tree.
    Output& set_document(std::string text, std::string json);
    Output& set_code(platform::ExitCode code);

    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string json() const;
    [[nodiscard]] platform::ExitCode code() const { return code_; }

private:
    struct Line {
        std::string name;
        std::string value;
        bool bare = false;
    };
    std::vector<Line> lines_;
    std::optional<std::pair<std::string, std::string>> document_;
    platform::ExitCode code_ = platform::ExitCode::ok;
};

using Run = std::function<int()>;
/// Adds --json, and sets `run` to: compute, print, status.
void run_when_chosen(const Command& command, Run& run, std::function<Answer<Output>()> compute);

[[nodiscard]] Answer<crypto::Cipher> cipher_named(const std::string& name);
/// The key's option, whose size must fit the cipher.
[[nodiscard]] Answer<SecretBuffer> key_for(crypto::Cipher cipher, const Value& key);

// ---- Inline parts. ----

constexpr Sizes::Sizes(std::initializer_list<std::size_t> allowed) {
    for (const std::size_t size : allowed) allowed_[count_++] = size;
}
constexpr Sizes Sizes::between(std::size_t low, std::size_t high) {
    Sizes sizes;
    sizes.low_ = low;
    sizes.high_ = high;
    return sizes;
}
template <std::size_t size>
Answer<crypto::SecretBytes<size>> Value::array() const {
    ONECARD_TRY(read, bytes({size}));
    return crypto::SecretBytes<size>{std::as_const(read).bytes().template first<size>()};
}

template <std::size_t size>
Answer<std::array<std::uint8_t, size>> public_array(const Value& value) {
    ONECARD_TRY(read, value.array<size>());
    std::array<std::uint8_t, size> out{};
    std::ranges::copy(read.bytes(), out.begin());
    return out;
}

}  // namespace host::keys::calc
