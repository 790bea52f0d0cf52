#pragma once
// What the commands of `onecard-keys issuing` share. docs/keys.md, 5; docs/issuing.md.
#include "host/keys/deployment.hpp"
#include "host/keys/issue_store.hpp"
#include "host/keys/program/city_access.hpp"

namespace host::keys {

struct IssuingOptions {
    std::filesystem::path deployment;
    std::filesystem::path state;
    std::filesystem::path lines;
    std::filesystem::path registry;
    std::string address = "127.0.0.1";
    std::uint16_t port = 8444;
    std::string host_address;
    std::uint16_t host_port = 8443;
    std::string kind = "card";
    std::string number;
    std::string reason;  ///< empty: the step's usual one
    std::string since;   ///< YYYYMMDDhhmmss; empty: now
    std::string by;      ///< who says so; empty: the account's name
    std::string only_kind, only_state;
    std::uint8_t key_version = 0;  ///< 0: any
    bool unmasked = false;
    platform::PassphraseSource passphrase{.descriptor = {},
                                          .file = {},
                                          .prompt = "Passphrase of the issuer's store: ",
                                          .confirm = false};
    CityApproval approval;  ///< of SAM lines
    bool json = false;
};

/// The issuer's own deployment.json.
[[nodiscard]] Result<Deployment> read_issuer(const std::filesystem::path& directory);
[[nodiscard]] Result<std::string> read_text(const std::filesystem::path& path,
                                            std::size_t size_max);
/// The state of this deployment, to be read; it must have been begun.
[[nodiscard]] Result<IssueStore> open_state(const IssuingOptions& options);
/// The issuer's key store, open: it signs the state's log, so every change needs its passphrase.
struct Issuer {
    Deployment deployment;
    std::unique_ptr<crypto::SystemRandom> random;  // outlives the store
    std::unique_ptr<KeyStore> keys;
};
[[nodiscard]] Result<Issuer> open_issuer(const IssuingOptions& options);
/// The same state, to be changed. `issuer` outlives it.
[[nodiscard]] Result<IssueStore> open_state(const IssuingOptions& options, const Issuer& issuer);
[[nodiscard]] Result<void> write_registry(IssueStore& state, const std::filesystem::path& file);

// issuing_serve.cpp, issuing_life.cpp
[[nodiscard]] Result<void> run_serve(const IssuingOptions& options);
[[nodiscard]] Result<void> run_release(const IssuingOptions& options);
[[nodiscard]] Result<void> run_history(const IssuingOptions& options);
[[nodiscard]] Result<void> run_inventory(const IssuingOptions& options);
[[nodiscard]] Result<void> run_step(const IssuingOptions& options, ChipStep step);
[[nodiscard]] Actor person(const IssuingOptions& options);

}  // namespace host::keys
