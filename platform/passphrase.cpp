#include "platform/passphrase.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

namespace platform {

Passphrase::Passphrase(crypto::Bytes bytes) : size_{std::min(bytes.size(), bytes_.size())} {
    std::ranges::copy(bytes.first(size_), bytes_.begin());
}
Passphrase::Passphrase(Passphrase&& other) noexcept
    : bytes_{other.bytes_}, size_{std::exchange(other.size_, 0)} {
    crypto::wipe(other.bytes_);
}
Passphrase& Passphrase::operator=(Passphrase&& other) noexcept {
    if (this != &other) {
        bytes_ = other.bytes_;
        size_ = std::exchange(other.size_, 0);
        crypto::wipe(other.bytes_);
    }
    return *this;
}
Passphrase::~Passphrase() {
    crypto::wipe(bytes_);
}

using Read = std::expected<Passphrase, PassphraseError>;

namespace {
/// That came while a terminal's echo was off.
volatile std::sig_atomic_t stop_signal = 0;
}  // namespace

struct PassphraseReader {
    /// One byte at a time, so that nothing behind the line's end is taken from the stream. Answers
    /// whether the line had an end: the stream may have more.
    static std::expected<bool, PassphraseError> line(int descriptor, Passphrase& passphrase) {
        bool ended = false;
        while (!ended) {
            std::uint8_t byte = 0;
            const ssize_t count = ::read(descriptor, &byte, 1);
            if (count < 0 && errno == EINTR && stop_signal == 0) continue;
            if (count < 0) return std::unexpected{PassphraseError::unreadable};
            if (count == 0) break;
            ended = byte == '\n';
            if (ended) break;
            if (passphrase.size_ == passphrase_size_max) {
                return std::unexpected{PassphraseError::too_long};
            }
            passphrase.bytes_[passphrase.size_++] = byte;
        }
        if (passphrase.size_ > 0 && passphrase.bytes_[passphrase.size_ - 1] == '\r') {
            --passphrase.size_;
        }
        return ended;
    }
    static Read from_descriptor(int descriptor) {
        Passphrase passphrase;
        const auto ended = line(descriptor, passphrase);
        if (!ended) return std::unexpected{ended.error()};
        if (passphrase.size_ == 0) return std::unexpected{PassphraseError::empty};
        return passphrase;
    }
};

namespace {

/// A file that only its owner may read; closes itself.
class PrivateFile {
public:
    explicit PrivateFile(const std::filesystem::path& path)
        : descriptor_{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)} {}
    ~PrivateFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    PrivateFile(const PrivateFile&) = delete;
    PrivateFile& operator=(const PrivateFile&) = delete;

    [[nodiscard]] std::expected<int, PassphraseError> descriptor() const {
        struct stat status{};
        if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
            return std::unexpected{PassphraseError::unreadable};
        }
        if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
            return std::unexpected{PassphraseError::file_not_private};
        }
        if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
            return std::unexpected{PassphraseError::file_not_ours};
        }
        return descriptor_;
    }

private:
    int descriptor_;
};

Read from_file(const std::filesystem::path& path) {
    const PrivateFile file{path};
    ONECARD_TRY(descriptor, file.descriptor());
    return PassphraseReader::from_descriptor(descriptor);
}

std::expected<std::vector<Passphrase>, PassphraseError> lines_from(int descriptor,
                                                                   std::size_t count_max) {
    std::vector<Passphrase> lines;
    for (bool more = true; more;) {
        Passphrase passphrase;
        ONECARD_TRY(ended, PassphraseReader::line(descriptor, passphrase));
        more = ended;
        if (passphrase.bytes().empty()) continue;
        if (lines.size() == count_max) return std::unexpected{PassphraseError::too_long};
        lines.push_back(std::move(passphrase));
    }
    if (lines.empty()) return std::unexpected{PassphraseError::empty};
    return lines;
}

/// Echo is off while it lives. A signal that ends us ends us after the echo is back.
class QuietTerminal {
public:
    explicit QuietTerminal(int terminal) : terminal_{terminal} {
        valid_ = ::tcgetattr(terminal_, &before_) == 0;
        if (!valid_) return;
        struct sigaction remember{};  // without SA_RESTART: the read comes back
        remember.sa_handler = [](int number) { stop_signal = number; };
        for (std::size_t i = 0; i < signals.size(); ++i) {
            ::sigaction(signals.at(i), &remember, &handlers_.at(i));
        }
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        quiet.c_lflag |= static_cast<tcflag_t>(ECHONL | ICANON);
        valid_ = ::tcsetattr(terminal_, TCSAFLUSH, &quiet) == 0;
    }
    ~QuietTerminal() {
        if (!valid_) return;
        ::tcsetattr(terminal_, TCSAFLUSH, &before_);
        for (std::size_t i = 0; i < signals.size(); ++i) {
            ::sigaction(signals.at(i), &handlers_.at(i), nullptr);
        }
        const int number = std::exchange(stop_signal, 0);
        if (number != 0) ::raise(number);
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;
    [[nodiscard]] bool valid() const { return valid_; }

private:
    static constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    int terminal_;
    termios before_{};
    std::array<struct sigaction, signals.size()> handlers_{};
    bool valid_ = false;
};

Read ask_once(int terminal, const std::string& prompt) {
    const QuietTerminal quiet{terminal};
    if (!quiet.valid()) return std::unexpected{PassphraseError::source_missing};
    if (::write(terminal, prompt.data(), prompt.size()) < 0) {
        return std::unexpected{PassphraseError::unreadable};
    }
    return PassphraseReader::from_descriptor(terminal);
}

Read ask(const std::string& prompt, bool confirm) {
    const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) return std::unexpected{PassphraseError::source_missing};
    Read first = ask_once(terminal, prompt);
    if (first && confirm) {
        const Read second = ask_once(terminal, "The same again: ");
        if (!second) {
            first = std::unexpected{second.error()};
        } else if (!crypto::equal_constant_time(first->bytes(), second->bytes())) {
            first = std::unexpected{PassphraseError::mismatch};
        }
    }
    ::close(terminal);
    return first;
}

}  // namespace

Read read_passphrase(const PassphraseSource& source) {
    if (source.descriptor && !source.file.empty()) {
        return std::unexpected{PassphraseError::sources_conflict};
    }
    if (source.descriptor) return PassphraseReader::from_descriptor(*source.descriptor);
    if (!source.file.empty()) return from_file(source.file);
    return ask(source.prompt, source.confirm);
}

std::expected<std::vector<Passphrase>, PassphraseError> read_secret_lines(
    const PassphraseSource& source, std::size_t count_max) {
    if (source.descriptor && !source.file.empty()) {
        return std::unexpected{PassphraseError::sources_conflict};
    }
    if (source.descriptor) return lines_from(*source.descriptor, count_max);
    const PrivateFile file{source.file};
    ONECARD_TRY(descriptor, file.descriptor());
    return lines_from(descriptor, count_max);
}

std::expected<void, PassphraseError> show_on_terminal(crypto::Bytes text) {
    const int terminal = ::open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (terminal < 0) return std::unexpected{PassphraseError::source_missing};
    while (!text.empty()) {
        const ssize_t count = ::write(terminal, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        text = text.subspan(static_cast<std::size_t>(count));
    }
    ::close(terminal);
    if (!text.empty()) return std::unexpected{PassphraseError::unreadable};
    return {};
}

const char* name(PassphraseError error) {
    switch (error) {
        case PassphraseError::source_missing: return "source_missing";
        case PassphraseError::sources_conflict: return "sources_conflict";
        case PassphraseError::unreadable: return "unreadable";
        case PassphraseError::file_not_private: return "file_not_private";
        case PassphraseError::file_not_ours: return "file_not_ours";
        case PassphraseError::empty: return "empty";
        case PassphraseError::too_long: return "too_long";
        case PassphraseError::mismatch: return "mismatch";
    }
    return "unknown";
}

const char* advice(PassphraseError error) {
    switch (error) {
        case PassphraseError::source_missing:
            return "no passphrase: give --passphrase-fd or --passphrase-file, or run on a terminal";
        case PassphraseError::sources_conflict:
            return "give one of --passphrase-fd and --passphrase-file, not both";
        case PassphraseError::unreadable:
            return "the passphrase's descriptor or file cannot be read: check that it exists and "
                   "is open";
        case PassphraseError::file_not_private:
            return "others may read the passphrase file: chmod 600 it";
        case PassphraseError::file_not_ours:
            return "the passphrase file belongs to another user: chown it to the one who runs this";
        case PassphraseError::empty:
            return "the passphrase is empty: its first line is what counts";
        case PassphraseError::too_long: return "the passphrase has more than 1024 bytes";
        case PassphraseError::mismatch: return "the two passphrases differ: start again";
    }
    return "unknown";
}

}  // namespace platform
