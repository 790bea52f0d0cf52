#include "tests/host/support/processes.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/keys/x509_revocation.hpp"
#include "crypto/random/system_random.hpp"
#include "host/keys/founding.hpp"
#include "host/service/key_store_keys.hpp"
#include "platform/mask.hpp"

namespace host_test {
namespace {

using namespace std::literals;

constexpr std::string_view passphrase = "a rehearsal's passphrase";
constexpr auto patience = 60s;

crypto::SystemRandom& system_random() {
    static crypto::SystemRandom random = crypto::SystemRandom::open().value();
    return random;
}

std::string read_all(const std::filesystem::path& path) {
    std::ifstream in{path};
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

// The child's standard output goes into `out_fd`, its standard input is empty.
pid_t spawn(const std::vector<std::string>& command, int out_fd) {
    std::vector<char*> argv;
    for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error{"fork"};
    if (child == 0) {
        (void)::dup2(::open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
        (void)::dup2(out_fd, STDOUT_FILENO);
        (void)::close_range(3, ~0U, 0);  // sockets of the test's own clients
        ::execv(argv[0], argv.data());
        ::_exit(127);
    }
    return child;
}

// A port that was free a moment ago; the next one from the system is another.
std::uint16_t free_port() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool bound =
        ::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    ::close(socket);
    if (!bound) throw std::runtime_error{"no free port"};
    return ntohs(address.sin_port);
}

std::string digits(std::uint16_t code) {
    return fmt::format("{:04}", code);
}

}  // namespace

std::string run_program(const std::vector<std::string>& command, int expected) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw std::runtime_error{"pipe"};
    const pid_t child = spawn(command, pipe[1]);
    ::close(pipe[1]);
    std::string out;
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::read(pipe[0], part.data(), part.size())) > 0;) {
        out.append(part.data(), static_cast<std::size_t>(n));
    }
    ::close(pipe[0]);
    int status = 0;
    (void)::waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != expected) {
        std::string text;
        for (const auto& word : command) text += word + " ";
        throw std::runtime_error{fmt::format("{}: wait status {:#x}: {}", text, status, out)};
    }
    return out;
}

DateTime now() {
    return platform::SystemClock{}.now();
}

Nation::Nation(const std::filesystem::path& directory, unsigned seed)
    : root_{directory}, seed_{std::to_string(seed)} {
    std::filesystem::create_directories(root_);
    std::ofstream{passphrase_file()} << passphrase << '\n';
    std::filesystem::permissions(passphrase_file(), std::filesystem::perms::owner_read |
                                                        std::filesystem::perms::owner_write);
    std::ofstream{second_file()} << passphrase << " of the second custodian\n";
    std::filesystem::permissions(
        second_file(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    keys({"found-nation", "--dir", at("nation"), "--custodian", first(), "--custodian", second()});
}

void Nation::keys(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), ONECARD_KEYS_PROGRAM);
    for (const char* const more : {"--rehearsal", "--seed"}) arguments.emplace_back(more);
    arguments.push_back(seed_);
    (void)run_program(arguments);
}

void Nation::found_city(std::uint16_t code) const {
    keys({"found-city", "--dir", at("city-" + digits(code)), "--city", digits(code), "--issuer",
          platform::to_hex(issuer_id(code).value()), "--nation", at("nation"), "--nation-custodian",
          first(), "--nation-custodian", second(), "--custodian", first(), "--custodian",
          second()});
}

void Nation::deploy_host(std::uint16_t code) const {
    keys({"deploy", "host", "--city-dir", at("city-" + digits(code)), "--out",
          at("host-" + digits(code)), "--unit", "host", "--custodian", first(), "--custodian",
          second(), "--passphrase-file", passphrase_file()});
}

std::filesystem::path Nation::deploy_terminal(const TestDevice& device) const {
    const auto unit = platform::to_hex(device.id.value());
    const auto out = at("terminal-" + unit);
    keys({"deploy", "terminal", "--city-dir", at(fmt::format("city-{:04X}", device.city.value())),
          "--out", out, "--operator", platform::to_hex(device.owner.value()), "--device", unit,
          "--custodian", first(), "--custodian", second(), "--passphrase-file", passphrase_file()});
    return out;
}

std::filesystem::path Nation::deploy_desk(std::uint16_t code) const {
    const auto out = at("desk-" + digits(code));
    keys({"deploy", "desk", "--city-dir", at("city-" + digits(code)), "--out", out, "--unit",
          "desk", "--custodian", first(), "--custodian", second(), "--passphrase-file",
          passphrase_file()});
    return out;
}

std::filesystem::path Nation::deploy_issuer(std::uint16_t code) const {
    const auto out = at("issuer-" + digits(code));
    keys({"deploy",
          "issuer",
          "--city-dir",
          at("city-" + digits(code)),
          "--out",
          out,
          "--unit",
          "issuing",
          "--custodian",
          first(),
          "--custodian",
          second(),
          "--nation",
          at("nation"),
          "--nation-custodian",
          first(),
          "--nation-custodian",
          second(),
          "--passphrase-file",
          passphrase_file()});
    return out;
}

platform::TlsMaterial material_of(const std::filesystem::path& deployment) {
    const auto store = host::keys::open_store(
        deployment / host::keys::store_file,
        {reinterpret_cast<const std::uint8_t*>(passphrase.data()), passphrase.size()},
        system_random());
    platform::TlsMaterial out;
    out.certificate_pem = read_all(deployment / host::keys::certificate_file);
    out.trusted_pem = read_all(deployment / host::keys::root_file);
    out.private_key = host::keys::reveal_tls(*store.value(), crypto::keys::tls_identity()).value();
    return out;
}

std::string revocation_list(const Nation& nation, std::uint16_t code, std::uint64_t number,
                            const std::vector<std::string>& certificates) {
    namespace keys = crypto::keys;
    const std::string second = std::string{passphrase} + " of the second custodian";
    const auto bytes = [](std::string_view words) {
        return crypto::Bytes{reinterpret_cast<const std::uint8_t*>(words.data()), words.size()};
    };
    const std::array people{host::keys::Custodian{"first", bytes(passphrase)},
                            host::keys::Custodian{"second", bytes(second)}};
    const auto store = host::keys::open_store(
        nation.at("city-" + digits(code)) / host::keys::store_file, people, system_random());
    const CityCode city{static_cast<std::uint16_t>(std::stoi(digits(code), nullptr, 16))};
    const auto secret = host::keys::reveal_tls(*store.value(), keys::city_authority(city)).value();
    const auto days_from_now = [](std::int64_t days) {
        return platform::local_date_time(platform::SystemClock{}.unix_ms() + days * 86'400'000, 0);
    };
    keys::X509RevocationList list{host::keys::authority_subject(city, host::keys::Mark::rehearsal),
                                  number,
                                  days_from_now(-1),
                                  days_from_now(1),
                                  {}};
    for (const std::string& pem : certificates) {
        list.revoked.push_back({keys::read_certificates(pem).value().front().serial,
                                list.this_update, keys::RevocationReason::key_compromise});
    }
    const auto open = keys::public_key_of(secret, system_random()).value();
    return keys::write_x509_revocation_list(list,
                                            {open, keys::software_signer(secret, system_random())})
        .value();
}

std::vector<std::string> Nation::city_with_custodians(std::uint16_t code) const {
    return {"--city-dir", at("city-" + digits(code)), "--custodian", first(), "--custodian",
            second()};
}

std::unique_ptr<host::Keys> keys_of(const std::filesystem::path& deployment, CityCode city) {
    // The keys refer to their store for as long as the test lives.
    static std::vector<std::unique_ptr<crypto::keys::KeyStore>> stores;
    stores.push_back(
        host::keys::open_store(
            deployment / host::keys::store_file,
            {reinterpret_cast<const std::uint8_t*>(passphrase.data()), passphrase.size()},
            system_random())
            .value());
    const auto decimal = static_cast<std::uint16_t>(std::stoi(fmt::format("{:04X}", city.value())));
    return host::keys_from(*stores.back(), city, issuer_id(decimal), system_random()).value();
}

HostProcess::HostProcess(const Nation& nation, std::uint16_t code)
    : nation_{nation}, code_{code}, port_{free_port()} {}

HostProcess::~HostProcess() {
    if (process_ > 0) kill();
}

std::filesystem::path HostProcess::file(const char* suffix) const {
    return nation_.at("host-" + digits(code_) + suffix);
}

void HostProcess::configure(const std::vector<const HostProcess*>& peers) {
    std::ofstream out{file(".toml")};
    out << "deployment = " << file("") << "\nstore = " << file(".db")
        << "\n[listen]\nport = " << port_
        << "\n[exchange]\nretry_ms_min = 20\nretry_ms_max = 100\n";
    for (const HostProcess* peer : peers) {
        out << "[[peer]]\ndeployment = " << (peer->file("") / "deployment.json")
            << "\naddress = \"127.0.0.1\"\nport = " << peer->port_ << '\n';
    }
}

std::vector<std::string> HostProcess::arguments(std::vector<std::string> command) const {
    command.insert(command.begin(), ONECARD_HOST_PROGRAM);
    for (const std::string& more :
         {std::string{"--config"}, file(".toml").string(), std::string{"--rehearsal"},
          std::string{"--passphrase-file"}, nation_.passphrase_file().string()}) {
        command.push_back(more);
    }
    return command;
}

std::string HostProcess::command(std::vector<std::string> words, int expected) const {
    auto all = arguments(std::move(words));
    for (const char* const more : {"--json", "--log-file"}) all.emplace_back(more);
    all.push_back(file(".commands.log"));
    return run_program(all, expected);
}

void HostProcess::register_lines(const std::string& lines) const {
    const auto path = file(".register");
    std::ofstream{path} << lines;
    (void)command({"register", path});
}

void HostProcess::register_device(const TestDevice& device) const {
    const auto owner = platform::to_hex(device.owner.value());
    const auto terminal = platform::to_hex(device.terminal.value());
    const auto city = digits(code_);
    register_lines(
        fmt::format(R"({{"role":"terminal","mark":"rehearsal","city":"{}","organisation":"{}",)",
                    city, owner) +
        fmt::format(R"("unit":"{}","batch_key":"{}"}})", platform::to_hex(device.id.value()),
                    platform::to_hex(device.public_key())) +
        fmt::format("\n"
                    R"({{"kind":"sam","mark":"rehearsal","city":"{}",)",
                    city) +
        fmt::format(R"("number":"00000000{0}","terminal":"{0}","operator":"{1}"}})", terminal,
                    owner));
}

void HostProcess::register_card(const TestCard& card) const {
    register_lines(fmt::format(
        R"({{"kind":"card","mark":"rehearsal","city":"{}","number":"{}","issuer":"{}"}})",
        digits(code_), platform::to_hex(card.number.value()),
        platform::to_hex(issuer_id(code_).value())));
}

void HostProcess::start() {
    log_seen_ = read_all(file(".log")).size();
    auto all = arguments({"serve"});
    all.emplace_back("--log-file");
    all.push_back(file(".log"));
    process_ = spawn(all, STDERR_FILENO);
    if (!logs({" serving "})) throw std::runtime_error{"the host does not serve:\n" + log()};
}

void HostProcess::kill() {
    (void)::kill(process_, SIGKILL);
    (void)::waitpid(process_, nullptr, 0);
    process_ = -1;
}

void HostProcess::stop() {
    (void)::kill(process_, SIGTERM);
    int status = 0;
    (void)::waitpid(process_, &status, 0);
    process_ = -1;
    if (status != 0) throw std::runtime_error{fmt::format("wait status {:#x}\n{}", status, log())};
}

bool HostProcess::runs() {
    int status = 0;
    return ::waitpid(process_, &status, WNOHANG) == 0;
}

std::string HostProcess::log() const {
    return read_all(file(".log")).substr(log_seen_);
}

bool HostProcess::logs(const std::vector<std::string>& words) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        std::istringstream lines{log()};
        for (std::string line; std::getline(lines, line);) {
            if (std::ranges::all_of(words, [&](const std::string& word) {
                    return line.find(word) != std::string::npos;
                })) {
                return true;
            }
        }
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

platform::HttpClientOptions HostProcess::address() const {
    platform::HttpClientOptions out;
    out.host = "127.0.0.1";
    out.port = port_;
    out.peer_organisation = digits(code_);
    return out;
}

IssuerProcess::IssuerProcess(const Nation& nation, std::uint16_t code, const HostProcess* host)
    : nation_{nation},
      code_{code},
      host_{host},
      deployment_{nation.deploy_issuer(code)},
      port_{free_port()} {}

IssuerProcess::~IssuerProcess() {
    if (process_ > 0) kill();
}

std::vector<std::string> IssuerProcess::arguments(std::vector<std::string> command) const {
    const std::vector<std::string> before{ONECARD_KEYS_PROGRAM, "issuing"};
    command.insert(command.begin(), before.begin(), before.end());
    for (const std::string& more :
         {std::string{"--deployment"}, deployment_.string(), std::string{"--state"},
          nation_.at("issuing-" + digits(code_) + ".db").string(), std::string{"--json"}}) {
        command.push_back(more);
    }
    return command;
}

std::string IssuerProcess::command(std::vector<std::string> words, int expected) const {
    constexpr std::array reading{"status", "registry", "history", "inventory"};
    if (std::ranges::find(reading, words.front()) == reading.end()) {
        words.emplace_back("--passphrase-file");
        words.push_back(nation_.passphrase_file());
    }
    return run_program(arguments(std::move(words)), expected);
}

void IssuerProcess::start() {
    auto all = arguments({"serve", "--port", std::to_string(port_), "--passphrase-file",
                          nation_.passphrase_file().string()});
    if (host_ != nullptr) {
        for (const std::string& more :
             {std::string{"--host"}, std::string{"127.0.0.1"}, std::string{"--host-port"},
              std::to_string(host_->port())}) {
            all.push_back(more);
        }
    }
    process_ = spawn(all, STDERR_FILENO);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_port = htons(port_);
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const bool serves =
            ::connect(socket, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
        ::close(socket);
        if (serves) return;
        std::this_thread::sleep_for(5ms);
    }
    throw std::runtime_error{"the issuer does not serve"};
}

void IssuerProcess::kill() {
    (void)::kill(process_, SIGKILL);
    (void)::waitpid(process_, nullptr, 0);
    process_ = -1;
}

platform::HttpClientOptions IssuerProcess::address() const {
    platform::HttpClientOptions out;
    out.host = "127.0.0.1";
    out.port = port_;
    out.peer_role = platform::PeerRole::issuer;
    out.peer_organisation = digits(code_);
    return out;
}

}  // namespace host_test
