#include "firmware/boards/virtual/emulator.hpp"

#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "firmware/boards/virtual/chip_file.hpp"

namespace firmware::boards {
namespace {

constexpr int patience_ms = 10'000;

/// In one of QEMU's option lists a comma is written twice.
std::string quoted(const std::string& path) {
    std::string out;
    for (const char c : path) out.append(c == ',' ? 2 : 1, c);
    return out;
}

std::vector<std::string> arguments(const EmulatorSetup& setup, int line) {
    std::vector<std::string> out{
        setup.program,
        "-M",
        "mps2-an385,memory-backend=nvm",
        "-nodefaults",
        "-display",
        "none",
        "-object",
        "memory-backend-file,id=nvm,share=on,size=" + std::to_string(emulated_region_size) +
            ",mem-path=" + quoted(setup.nvm_path),
        "-chardev",
        "socket,id=line,fd=" + std::to_string(line),
        "-serial",
        "chardev:line",
        "-kernel",
        setup.image};
    if (setup.counts_instructions) out.insert(out.end(), {"-icount", "shift=0"});
    return out;
}

/// In the child: becomes the emulator, or dies with 127.
[[noreturn]] void become_emulator(const EmulatorSetup& setup, int line, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // no power without a reader
    if (::getppid() != parent) ::_exit(127);
    ::fcntl(line, F_SETFD, 0);
    // The terminal's signals and the lines of --control are not the emulator's business.
    ::setsid();
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    auto words = arguments(setup, line);
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execvp(argv.front(), argv.data());
    ::_exit(127);
}

}  // namespace

std::optional<Emulator> Emulator::start(const EmulatorSetup& setup) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return std::nullopt;
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become_emulator(setup, ends[1], parent);
    ::close(ends[1]);
    if (child < 0) {
        ::close(ends[0]);
        return std::nullopt;
    }
    Emulator emulator{child, ends[0]};
    const auto first = emulator.receive_frame();
    if (!first || first->kind != FrameKind::ready) return std::nullopt;
    return emulator;
}

Emulator::Emulator(Emulator&& other) noexcept
    : process_{std::exchange(other.process_, -1)}, line_{std::exchange(other.line_, -1)} {}

Emulator::~Emulator() {
    if (line_ >= 0) ::close(line_);
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

std::optional<Frame> Emulator::exchange(FrameKind kind, protocol::Bytes payload) const {
    const auto header = frame_header(kind, payload.size());
    std::vector<std::uint8_t> out{header.begin(), header.end()};
    out.insert(out.end(), payload.begin(), payload.end());
    out.push_back(frame_check(out));
    return exchange_raw(out);
}

std::optional<Frame> Emulator::exchange_raw(protocol::Bytes bytes) const {
    if (!send(bytes)) return std::nullopt;
    return receive_frame();
}

std::optional<Frame> Emulator::receive_frame() const {
    std::array<std::uint8_t, frame_header_size> answer{};
    if (!receive(answer)) return std::nullopt;
    Frame frame{static_cast<FrameKind>(answer[0]), {}};
    const std::size_t size = static_cast<std::size_t>(answer[1] << 8 | answer[2]);
    if (size > frame_payload_max) return std::nullopt;
    frame.payload.resize(size);
    std::array<std::uint8_t, 1> check{};
    if (!receive(frame.payload) || !receive(check)) return std::nullopt;
    if (check[0] != frame_check(frame.payload, frame_check(answer))) return std::nullopt;
    return frame;
}

bool Emulator::send(protocol::Bytes bytes) const {
    while (!bytes.empty()) {
        const ssize_t count = ::send(line_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

bool Emulator::receive(protocol::MutableBytes out) const {
    while (!out.empty()) {
        pollfd waiting{line_, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, patience_ms);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const ssize_t count = ::recv(line_, out.data(), out.size(), 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        out = out.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace firmware::boards
