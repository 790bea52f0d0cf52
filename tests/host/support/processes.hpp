#pragma once
// Real onecard-host and onecard-keys processes for a test: founded cities in a temporary directory,
// hosts that are started, stopped and killed, clients with the certificates that were deployed.
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/http_client.hpp"
#include "tests/host/support/town.hpp"

namespace host_test {

/// Runs a program to its end. Its standard output; fails the test unless it ended with `expected`.
std::string run_program(const std::vector<std::string>& command, int expected = 0);

/// A rehearsal nation under one directory, made by onecard-keys; the passphrase is everywhere the
/// same.
class Nation {
public:
    explicit Nation(const std::filesystem::path& directory, unsigned seed = 1);
    void found_city(std::uint16_t code) const;
    void deploy_host(std::uint16_t code) const;
    /// A terminal, or with another role a desk; answers its directory.
    std::filesystem::path deploy_terminal(const TestDevice& device) const;
    std::filesystem::path deploy_desk(std::uint16_t code) const;
    /// With the nation's roots: it issues SAMs as well.
    std::filesystem::path deploy_issuer(std::uint16_t code) const;
    [[nodiscard]] std::filesystem::path at(const std::string& name) const { return root_ / name; }
    [[nodiscard]] std::filesystem::path passphrase_file() const { return at("passphrase"); }
    [[nodiscard]] std::filesystem::path second_file() const { return at("second-passphrase"); }
    /// The custodians of nation and cities, as the command line names them.
    [[nodiscard]] std::string first() const { return "first=" + passphrase_file().string(); }
    [[nodiscard]] std::string second() const { return "second=" + second_file().string(); }
    /// The options of a command that a city's custodians give.
    [[nodiscard]] std::vector<std::string> city_with_custodians(std::uint16_t code) const;

private:
    void keys(std::vector<std::string> arguments) const;
    std::filesystem::path root_;
    std::string seed_;
};

/// What a deployed directory lets its owner show and say over TLS.
[[nodiscard]] platform::TlsMaterial material_of(const std::filesystem::path& deployment);
/// A list of that city's authority, naming the first certificate of each PEM, good for a day.
[[nodiscard]] std::string revocation_list(const Nation& nation, std::uint16_t code,
                                          std::uint64_t number,
                                          const std::vector<std::string>& certificates);
/// The keys of a deployed host: cards made with them carry TACs that it knows.
[[nodiscard]] std::unique_ptr<host::Keys> keys_of(const std::filesystem::path& deployment,
                                                  CityCode city);
/// Today, by the machine's clock: real hosts refuse what is from the past or the future.
[[nodiscard]] DateTime now();

/// A city's onecard-host. Port, store and log are its own; the last outlives a kill.
class HostProcess {
public:
    HostProcess(const Nation& nation, std::uint16_t code);
    ~HostProcess();
    HostProcess(const HostProcess&) = delete;
    HostProcess& operator=(const HostProcess&) = delete;

    /// Writes host.toml; `peers` are the other cities' hosts.
    void configure(const std::vector<const HostProcess*>& peers);
    /// Imports register lines, whether it runs or not.
    void register_lines(const std::string& lines) const;
    void register_device(const TestDevice& device) const;
    void register_card(const TestCard& card) const;
    /// Returns when it serves.
    void start();
    void kill();                ///< SIGKILL, and waits for the end
    void stop();                ///< SIGTERM; it must end with status 0
    [[nodiscard]] bool runs();  ///< false: it has ended by itself
    /// An onecard-host command about this city, with --json.
    [[nodiscard]] std::string command(std::vector<std::string> arguments, int expected = 0) const;

    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] std::string log() const;
    /// Waits for a line that has all of `words`; false when it does not come.
    [[nodiscard]] bool logs(const std::vector<std::string>& words) const;
    [[nodiscard]] platform::HttpClientOptions address() const;

private:
    [[nodiscard]] std::vector<std::string> arguments(std::vector<std::string> command) const;
    [[nodiscard]] std::filesystem::path file(const char* suffix) const;

    const Nation& nation_;
    std::uint16_t code_;
    std::uint16_t port_;
    pid_t process_ = -1;
    std::size_t log_seen_ = 0;  ///< where the running process's part begins
};

/// A city's `onecard-keys issuing serve`. Port, state and log are its own.
class IssuerProcess {
public:
    /// Deploys it. `host`: told of every chip; may be nothing.
    IssuerProcess(const Nation& nation, std::uint16_t code, const HostProcess* host = nullptr);
    ~IssuerProcess();
    IssuerProcess(const IssuerProcess&) = delete;
    IssuerProcess& operator=(const IssuerProcess&) = delete;

    void start();  ///< returns when it serves
    void kill();   ///< SIGKILL, and waits for the end
    /// `onecard-keys issuing ...` on the same state, with --json.
    [[nodiscard]] std::string command(std::vector<std::string> arguments, int expected = 0) const;
    [[nodiscard]] pid_t process() const { return process_; }
    [[nodiscard]] const std::filesystem::path& deployment() const { return deployment_; }
    [[nodiscard]] platform::HttpClientOptions address() const;

private:
    [[nodiscard]] std::vector<std::string> arguments(std::vector<std::string> command) const;
    const Nation& nation_;
    std::uint16_t code_;
    const HostProcess* host_;
    std::filesystem::path deployment_;
    std::uint16_t port_;
    pid_t process_ = -1;
};

}  // namespace host_test
