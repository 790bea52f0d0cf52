// Clock, files, masks, passphrases, processes, logs and configuration.
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/clock.hpp"
#include "platform/config.hpp"
#include "platform/files.hpp"
#include "platform/log.hpp"
#include "platform/mask.hpp"
#include "platform/passphrase.hpp"
#include "platform/process.hpp"

using platform::Config;
using platform::ConfigError;
using platform::FileError;
using platform::PassphraseError;

namespace {

struct Directory {
    std::filesystem::path path;
    Directory() {
        std::string pattern = std::filesystem::temp_directory_path() / "onecard-XXXXXX";
        path = ::mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
};

protocol::Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
std::string text_of(protocol::Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

// ---- Clock

TEST_CASE("Clock: the epoch is eight in the morning in China") {
    const auto epoch = platform::local_date_time(0);
    CHECK(epoch.date == *protocol::Date::make(1970, 1, 1));
    CHECK(epoch.time == *protocol::Time::make(8, 0, 0));
}

TEST_CASE("Clock: there and back at many instants") {
    for (std::int64_t seconds = 0; seconds < 4'102'444'800; seconds += 86'399 * 137) {
        CHECK(platform::unix_ms_of(platform::local_date_time(seconds * 1000)) == seconds * 1000);
    }
}

TEST_CASE("Clock: times that no card can hold are clamped") {
    CHECK(platform::local_date_time(INT64_MIN, 0).date == *protocol::Date::make(1970, 1, 1));
    CHECK(platform::local_date_time(INT64_MAX, 0).date == *protocol::Date::make(9999, 12, 31));
}

TEST_CASE("Clock: a manual one moves only when told") {
    platform::ManualClock clock{
        protocol::DateTime{*protocol::Date::make(2024, 2, 28), *protocol::Time::make(23, 59, 59)}};
    CHECK(clock.now().date.day() == 28);
    clock.advance_ms(999);
    CHECK(clock.now().date.day() == 28);
    clock.advance_ms(1);
    CHECK(clock.now().date.day() == 29);
}

// ---- Masks and hex

TEST_CASE("mask: six and four of nineteen digits, never more") {
    const protocol::CardNumber card{{0x03, 0x10, 0x48, 0x20, 0x00, 0x00, 0x00, 0x01, 0x23, 0x45}};
    CHECK(platform::mask(card) == "310482*********2345");
}

TEST_CASE("hex: only even counts of hex digits are read") {
    CHECK(platform::to_hex(std::array<std::uint8_t, 3>{0x00, 0xAB, 0xFF}) == "00ABFF");
    CHECK(platform::from_hex("00abFF") == std::vector<std::uint8_t>{0x00, 0xAB, 0xFF});
    CHECK(platform::from_hex("")->empty());
    for (const char* wrong : {"0", "0G", "0x", " 00", "00 ", "-1", "\xFF\xFF"}) {
        CHECK_FALSE(platform::from_hex(wrong).has_value());
    }
    CHECK_FALSE(platform::from_hex<2>("00").has_value());
    CHECK(platform::from_hex<1>("7f") == std::array<std::uint8_t, 1>{0x7F});
}

// ---- Files

TEST_CASE("files: what cannot be read has a name and a path") {
    const Directory directory;
    const auto error = [](const auto& result) {
        REQUIRE_FALSE(result.has_value());
        CHECK(result.error().detail.find('/') != std::string::npos);
        return result.error().error;
    };
    CHECK(error(platform::read_file(directory.path / "none", 10)) == FileError::not_found);
    CHECK(error(platform::read_file(directory.path, 10)) == FileError::not_a_file);
    std::ofstream{directory.path / "ten"} << "0123456789";
    CHECK(error(platform::read_file(directory.path / "ten", 9)) == FileError::too_large);
    CHECK(platform::read_text_file(directory.path / "ten", 10) == "0123456789");
    CHECK(error(platform::read_file("/proc/self/status", 10)) == FileError::too_large);
    REQUIRE(::mkfifo((directory.path / "pipe").c_str(), 0600) == 0);
    CHECK(error(platform::read_file(directory.path / "pipe", 10)) == FileError::not_a_file);
}

TEST_CASE("files: replacing leaves the new content, private, and no neighbour") {
    const Directory directory;
    const auto path = directory.path / "file";
    REQUIRE(platform::replace_file(path, "old").has_value());
    REQUIRE(platform::replace_file(path, "new").has_value());
    CHECK(platform::read_text_file(path, 100) == "new");
    CHECK(std::filesystem::status(path).permissions() ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK(std::distance(std::filesystem::directory_iterator{directory.path}, {}) == 1);
}

TEST_CASE("files: a replacement that fails leaves the old content and no neighbour") {
    const Directory directory;
    const auto path = directory.path / "file";
    REQUIRE(platform::replace_file(path, "old").has_value());
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{1000, 1000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const auto replaced = platform::replace_file(path, std::string(5000, 'x'));
        ::_exit(!replaced && replaced.error().error == FileError::too_large ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
    CHECK(platform::read_text_file(path, 100) == "old");
    CHECK(std::distance(std::filesystem::directory_iterator{directory.path}, {}) == 1);
    CHECK(platform::replace_file(directory.path / "no" / "file", "x").error().error ==
          FileError::not_found);
}

TEST_CASE("files: creating never overwrites") {
    const Directory directory;
    const auto path = directory.path / "file";
    REQUIRE(platform::create_file(path, bytes_of("first")).has_value());
    const auto second = platform::create_file(path, bytes_of("second"));
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().error == FileError::already_exists);
    CHECK(platform::read_text_file(path, 100) == "first");
    CHECK(std::distance(std::filesystem::directory_iterator{directory.path}, {}) == 1);
}

TEST_CASE("files: erasing overwrites before it unlinks and follows no link") {
    const Directory directory;
    const auto path = directory.path / "file";
    REQUIRE(platform::replace_file(path, "sealed bytes").has_value());
    const auto second_name = directory.path / "held";  // what the disk blocks hold afterwards
    std::filesystem::create_hard_link(path, second_name);
    CHECK(platform::erase_file(path).has_value());
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(platform::read_text_file(second_name, 100) == std::string(12, '\0'));
    CHECK(platform::erase_file(path).has_value());  // not there: nothing to do
    CHECK(platform::erase_file(directory.path).error().error == FileError::not_a_file);
    REQUIRE(platform::replace_file(path, "another's").has_value());
    std::filesystem::create_symlink(path, directory.path / "link");
    CHECK_FALSE(platform::erase_file(directory.path / "link").has_value());
    CHECK(platform::read_text_file(path, 100) == "another's");
}

// ---- Passphrases

namespace {

std::expected<platform::Passphrase, PassphraseError> through_pipe(std::string_view text) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    REQUIRE(::write(pipe[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(pipe[1]);
    platform::PassphraseSource source;
    source.descriptor = pipe[0];
    auto result = platform::read_passphrase(source);
    ::close(pipe[0]);
    return result;
}

}  // namespace

TEST_CASE("passphrase: from a descriptor, without the line's end") {
    CHECK(text_of(through_pipe("secret words\n")->bytes()) == "secret words");
    CHECK(text_of(through_pipe("secret words\r\n")->bytes()) == "secret words");
    CHECK(text_of(through_pipe("secret words")->bytes()) == "secret words");
    CHECK(through_pipe("").error() == PassphraseError::empty);
    CHECK(through_pipe("\n").error() == PassphraseError::empty);
    CHECK(text_of(through_pipe(std::string(1024, 'x'))->bytes()).size() == 1024);
    CHECK(through_pipe(std::string(1025, 'x')).error() == PassphraseError::too_long);
}

TEST_CASE("passphrase: two lines of one descriptor are two passphrases") {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe(pipe.data()) == 0);
    REQUIRE(::write(pipe[1], "one\ntwo\n", 8) == 8);
    platform::PassphraseSource source;
    source.descriptor = pipe[0];
    CHECK(text_of(platform::read_passphrase(source)->bytes()) == "one");
    CHECK(text_of(platform::read_passphrase(source)->bytes()) == "two");
    ::close(pipe[0]);
    ::close(pipe[1]);
}

TEST_CASE("passphrase: a file that others can read is refused") {
    const Directory directory;
    platform::PassphraseSource source;
    source.file = directory.path / "pass";
    CHECK(platform::read_passphrase(source).error() == PassphraseError::unreadable);
    std::ofstream{source.file} << "words\n";
    for (const auto& [mode, right] :
         {std::pair{0640, false}, {0604, false}, {0600, true}, {0400, true}}) {
        REQUIRE(::chmod(source.file.c_str(), static_cast<mode_t>(mode)) == 0);
        const auto read = platform::read_passphrase(source);
        CHECK(read.has_value() == right);
        if (!right) CHECK(read.error() == PassphraseError::file_not_private);
    }
    if (::geteuid() == 0) {
        REQUIRE(::chown(source.file.c_str(), 65534, 65534) == 0);
        CHECK(platform::read_passphrase(source).error() == PassphraseError::file_not_ours);
    }
}

TEST_CASE("secret lines: to the end of the source and not more than asked for") {
    const Directory directory;
    platform::PassphraseSource source;
    source.file = directory.path / "sheet";
    const auto read = [&](std::string_view text, std::size_t count_max) {
        REQUIRE(platform::replace_file(source.file, text).has_value());
        return platform::read_secret_lines(source, count_max);
    };
    const auto lines = read("one\r\n\n two \nthree", 3);
    REQUIRE(lines.has_value());
    REQUIRE(lines->size() == 3);
    CHECK(text_of((*lines)[0].bytes()) == "one");
    CHECK(text_of((*lines)[1].bytes()) == " two ");
    CHECK(text_of((*lines)[2].bytes()) == "three");
    CHECK(read("one\ntwo\nthree", 2).error() == PassphraseError::too_long);
    CHECK(read(std::string(1025, 'x'), 2).error() == PassphraseError::too_long);
    CHECK(read("", 2).error() == PassphraseError::empty);
    CHECK(read("\n\n", 2).error() == PassphraseError::empty);
    REQUIRE(::chmod(source.file.c_str(), 0640) == 0);
    CHECK(platform::read_secret_lines(source, 2).error() == PassphraseError::file_not_private);
    source.descriptor = 0;
    CHECK(platform::read_secret_lines(source, 2).error() == PassphraseError::sources_conflict);
    source.file.clear();
    source.descriptor = 999;
    CHECK(platform::read_secret_lines(source, 2).error() == PassphraseError::unreadable);
}

TEST_CASE("passphrase: sources that conflict or are not there") {
    platform::PassphraseSource source;
    source.descriptor = 0;
    source.file = "/x";
    CHECK(platform::read_passphrase(source).error() == PassphraseError::sources_conflict);
    source.file.clear();
    source.descriptor = 999;
    CHECK(platform::read_passphrase(source).error() == PassphraseError::unreadable);
}

TEST_CASE("passphrase: without a terminal nobody is asked") {
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();  // no controlling terminal any more
        const auto read = platform::read_passphrase({});
        ::_exit(!read && read.error() == PassphraseError::source_missing ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("passphrase: moving wipes what it leaves behind") {
    platform::Passphrase first{bytes_of("words")};
    const platform::Passphrase second{std::move(first)};
    CHECK(text_of(second.bytes()) == "words");
    CHECK(first.bytes().empty());  // NOLINT: the point of the test
}

// ---- Process

TEST_CASE("process: SIGTERM becomes a value") {
    const pid_t child = ::fork();
    if (child == 0) {
        platform::StopSignal stop;
        if (stop.wait_for(std::chrono::milliseconds{1})) ::_exit(1);
        ::kill(::getpid(), SIGTERM);
        ::_exit(stop.wait_for(std::chrono::seconds{10}) ? 0 : 2);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("process: a SIGTERM that was heard does not kill the program on its way out") {
    const pid_t child = ::fork();
    if (child == 0) {
        {
            platform::StopSignal stop;
            ::kill(::getpid(), SIGTERM);
            stop.wait();
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
}

TEST_CASE("process: a stop may be asked for by another thread") {
    platform::StopSignal stop;
    std::thread other{[&] { stop.request(); }};
    stop.wait();
    other.join();
    CHECK(stop.wait_for(std::chrono::milliseconds{0}));  // it stays asked for
}

TEST_CASE("process: no core dump, no debugger by the same user") {
    const pid_t child = ::fork();
    if (child == 0) {
        const auto done = platform::harden_process(false);
        rlimit core{};
        ::getrlimit(RLIMIT_CORE, &core);
        ::_exit(done.core_dumps_off && done.not_dumpable && core.rlim_max == 0 ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
}

// ---- Log

TEST_CASE("log: one line, whatever is in the fields") {
    using platform::format_log_line;
    using platform::LogFormat;
    using platform::LogLevel;
    CHECK(format_log_line(LogFormat::text, LogLevel::info, "batch_stored",
                          {{"device", "0001"}, {"records", 7}, {"again", true}}) ==
          "info    batch_stored device=0001 records=7 again=true");
    CHECK(format_log_line(LogFormat::text, LogLevel::error, "x", {{"why", "two words"}}) ==
          "error   x why=\"two words\"");
    CHECK(format_log_line(LogFormat::text, LogLevel::error, "x", {{"why", "a\nerror forged"}}) ==
          "error   x why=\"a\\u000aerror forged\"");
    CHECK(format_log_line(LogFormat::json, LogLevel::warning, "x",
                          {{"q", "say \"hi\"\\"}, {"n", -1}, {"b", false}}) ==
          R"("level":"warning","event":"x","q":"say \"hi\"\\","n":-1,"b":false)");
}

// ---- Configuration

namespace {

Config parse(std::string_view text) {
    auto config = Config::parse(text, "test.toml");
    REQUIRE(config.has_value());
    return *std::move(config);
}
template <class T>
std::string why(const platform::ConfigResult<T>& result) {
    return result.has_value() ? "accepted" : result.error().text();
}

}  // namespace

TEST_CASE("config: values are read by dotted keys") {
    const Config config = parse(
        "name = 'gate'\n[listen]\nport = 8443\nopen = true\nids = ['a', 'b']\nnumbers = [1, 2]\n"
        "id = '00ff'\n[[line]]\ncode = 1\n[[line]]\ncode = 2\n");
    CHECK(config.text("name") == "gate");
    CHECK(config.integer("listen.port", 1, 65535) == 8443);
    CHECK(config.boolean_or("listen.open", false) == true);
    CHECK(config.boolean_or("listen.closed", true) == true);
    CHECK(config.texts("listen.ids") == std::vector<std::string>{"a", "b"});
    CHECK(config.integers("listen.numbers") == std::vector<std::int64_t>{1, 2});
    CHECK(config.hex("listen.id", 2) == std::vector<std::uint8_t>{0x00, 0xFF});
    CHECK(config.text_or("nothing", "else") == "else");
    CHECK(config.integer_or("nothing", 5, 0, 9) == 5);
    const auto lines = config.tables("line");
    REQUIRE(lines.has_value());
    REQUIRE(lines->size() == 2);
    CHECK((*lines)[1].integer("code", 0, 9) == 2);
    CHECK((*lines)[0].integer("code", 0, 9) == 1);
    CHECK(config.finish().has_value());
}

TEST_CASE("config: every failure names file, line and key") {
    const Config config = parse("name = 'gate'\n[listen]\nport = 0\nids = ['a', 2]\nid = '0'\n");
    CHECK(why(config.text("missing")) == "test.toml:1: missing: key_missing: text");
    CHECK(why(config.integer("listen.port", 1, 65535)) ==
          "test.toml:3: listen.port: out_of_range: 1..65535 expected");
    CHECK(why(config.integer("name", 0, 9)) ==
          "test.toml:1: name: wrong_type: a whole number expected");
    CHECK(why(config.text("listen.port")) == "test.toml:3: listen.port: wrong_type: text expected");
    CHECK(why(config.texts("listen.ids")) ==
          "test.toml:4: listen.ids: wrong_type: an array of texts expected");
    CHECK(why(config.hex("listen.id", 8)) ==
          "test.toml:5: listen.id: wrong_value: 16 hex digits expected");
    CHECK(why(config.table("name")) == "test.toml:1: name: wrong_type: a table expected");
    CHECK(why(config.text("name.inner")) == "test.toml:1: name.inner: key_missing: text");
    CHECK(why(config.table("listen")->text("host")) ==
          "test.toml:2: listen.host: key_missing: text");
}

TEST_CASE("config: a key that nobody asked for is refused") {
    const Config config = parse("name = 'gate'\n[listen]\nport = 1\nprot = 2\n");
    CHECK(config.text("name").has_value());
    CHECK(config.integer("listen.port", 1, 9).has_value());
    CHECK(why(config.finish()) ==
          "test.toml:4: listen.prot: key_unknown: this program does not know it");
}

TEST_CASE("config: what is no TOML is refused with its line") {
    const auto broken = Config::parse("a = 1\nb = = 2\n", "broken.toml");
    REQUIRE_FALSE(broken.has_value());
    CHECK(broken.error().error == ConfigError::syntax);
    CHECK(broken.error().line == 2);
    CHECK_FALSE(Config::parse("a = 1\na = 2\n", "twice.toml").has_value());
    CHECK_FALSE(Config::parse("\xFF\xFE", "bytes.toml").has_value());
    CHECK(Config::load("/no/such/file.toml").error().error == ConfigError::file_unreadable);
}

TEST_CASE("config: a relative path counts from the file's directory") {
    const Directory directory;
    std::ofstream{directory.path / "c.toml"} << "a = 'x/y'\nb = '/z'\nc = ''\n";
    const auto config = Config::load(directory.path / "c.toml");
    REQUIRE(config.has_value());
    CHECK(config->path("a") == directory.path / "x/y");
    CHECK(config->path("b") == "/z");
    CHECK(config->path("c").error().error == ConfigError::wrong_value);
}
