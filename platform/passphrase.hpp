#pragma once
// Where a passphrase may come from: a file descriptor, a credential file, a terminal. Never the
// command line or the environment, which other processes can read (proc(5): cmdline, environ).
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "crypto/core/secret.hpp"

namespace platform {

constexpr std::size_t passphrase_size_max = 1024;

/// Wipes itself. Without the line's end.
class Passphrase {
public:
    Passphrase() = default;
    explicit Passphrase(crypto::Bytes bytes);
    Passphrase(Passphrase&& other) noexcept;
    Passphrase& operator=(Passphrase&& other) noexcept;
    Passphrase(const Passphrase&) = delete;
    Passphrase& operator=(const Passphrase&) = delete;
    ~Passphrase();
    [[nodiscard]] crypto::Bytes bytes() const { return crypto::Bytes{bytes_}.first(size_); }

private:
    friend struct PassphraseReader;
    std::array<std::uint8_t, passphrase_size_max> bytes_{};
    std::size_t size_ = 0;
};

enum class PassphraseError : std::uint8_t {
    source_missing,    ///< no option given and no terminal to ask on
    sources_conflict,  ///< more than one option given
    unreadable,        ///< the descriptor or file cannot be read
    file_not_private,  ///< group or others may read the file: chmod 600
    file_not_ours,     ///< owned by another user than root or the one who runs the program
    empty,
    too_long,
    mismatch,  ///< typed twice, differently
};
[[nodiscard]] const char* name(PassphraseError error);
/// One sentence: what is wrong and what to do about it.
[[nodiscard]] const char* advice(PassphraseError error);

/// The options `--passphrase-fd N` and `--passphrase-file FILE`; with neither, a prompt on the
/// terminal. systemd: LoadCredential= gives a file that passes the checks.
struct PassphraseSource {
    std::optional<int> descriptor;  ///< read to the end of a line or of the stream, left open
    std::filesystem::path file;
    std::string prompt = "Passphrase: ";
    bool confirm = false;  ///< a new passphrase: a prompt asks twice
};
[[nodiscard]] std::expected<Passphrase, PassphraseError> read_passphrase(
    const PassphraseSource& source);

/// A secret of several lines from a file or a descriptor, read to its end, with a passphrase's
/// checks. Empty lines are left out; more than `count_max` others are too_long, none is empty.
[[nodiscard]] std::expected<std::vector<Passphrase>, PassphraseError> read_secret_lines(
    const PassphraseSource& source, std::size_t count_max);

/// For the eyes of whoever sits at the terminal: standard output may go to a file.
/// `source_missing` without a terminal.
[[nodiscard]] std::expected<void, PassphraseError> show_on_terminal(crypto::Bytes text);

}  // namespace platform
