#pragma once
// What the commands of `onecard-keys certificate` share. docs/certificates.md, 6.
#include "host/keys/certificates.hpp"
#include "host/keys/program/commands.hpp"
#include "host/keys/program/context.hpp"
#include "platform/files.hpp"

namespace host::keys {

/// --city-dir or --nation-dir, with the custodians of the one named.
class AuthorityAccess {
public:
    void add_to(CLI::App& command);
    /// The store stays open as long as this object.
    [[nodiscard]] Result<Authority> open(crypto::Random& random);

private:
    std::filesystem::path city_directory_;
    std::filesystem::path nation_directory_;
    CustodianOptions custodians_;
    std::optional<City> city_;
    std::optional<Nation> nation_;
};

/// A request, a certificate, a list: nothing of ours is larger.
[[nodiscard]] Result<std::string> read_input(const std::filesystem::path& file,
                                             std::size_t size_max = 64 * 1024);
/// For everyone to read, in one step.
[[nodiscard]] Result<void> write_output(const std::filesystem::path& file,
                                        const std::string& content);

// certificate_unit.cpp, certificate_chips.cpp, certificate_list.cpp
void add_certificate_unit_commands(CLI::App& certificate, Run& run);
void add_certificate_chip_commands(CLI::App& certificate, Run& run);
void add_certificate_list_command(CLI::App& certificate, Run& run);

}  // namespace host::keys
