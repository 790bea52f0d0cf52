#include "platform/passphrase.hpp"

#include <cerrno>
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

struct PassphraseReader {
    /// One byte at a time, so that nothing behind the line's end is taken from the stream.
    static Read from_descriptor(int descriptor) {
        Passphrase passphrase;
        for (;;) {
            std::uint8_t byte = 0;
            const ssize_t count = ::read(descriptor, &byte, 1);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0) return std::unexpected{PassphraseError::unreadable};
            if (count == 0 || byte == '\n') break;
            if (passphrase.size_ == passphrase_size_max) {
                return std::unexpected{PassphraseError::too_long};
            }
            passphrase.bytes_[passphrase.size_++] = byte;
        }
        if (passphrase.size_ > 0 && passphrase.bytes_[passphrase.size_ - 1] == '\r') {
            --passphrase.size_;
        }
        if (passphrase.size_ == 0) return std::unexpected{PassphraseError::empty};
        return passphrase;
    }
};

namespace {

Read from_file(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return std::unexpected{PassphraseError::unreadable};
    struct stat status{};
    Read result = std::unexpected{PassphraseError::unreadable};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        result = std::unexpected{PassphraseError::unreadable};
    } else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        result = std::unexpected{PassphraseError::file_not_private};
    } else if (status.st_uid != 0 && status.st_uid != ::geteuid()) {
        result = std::unexpected{PassphraseError::file_not_ours};
    } else {
        result = PassphraseReader::from_descriptor(descriptor);
    }
    ::close(descriptor);
    return result;
}

/// Echo is off while it lives.
class QuietTerminal {
public:
    explicit QuietTerminal(int terminal) : terminal_{terminal} {
        valid_ = ::tcgetattr(terminal_, &before_) == 0;
        if (!valid_) return;
        termios quiet = before_;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        quiet.c_lflag |= static_cast<tcflag_t>(ECHONL | ICANON);
        valid_ = ::tcsetattr(terminal_, TCSAFLUSH, &quiet) == 0;
    }
    ~QuietTerminal() {
        if (valid_) ::tcsetattr(terminal_, TCSAFLUSH, &before_);
    }
    QuietTerminal(const QuietTerminal&) = delete;
    QuietTerminal& operator=(const QuietTerminal&) = delete;
    [[nodiscard]] bool valid() const { return valid_; }

private:
    int terminal_;
    termios before_{};
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
