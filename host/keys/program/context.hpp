#pragma once
// What every command of onecard-keys shares: options, random source, passphrases, output.
#include <map>
#include <memory>
#include <optional>

#include "crypto/random/seeded_random.hpp"
#include "crypto/random/system_random.hpp"
#include "host/keys/stores.hpp"
#include "platform/command_line.hpp"
#include "platform/files.hpp"
#include "platform/peer_identity.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace host::keys {

constexpr const char* program_name = "onecard-keys";

/// A unit's roles as the command line calls them.
[[nodiscard]] const std::map<std::string, platform::PeerRole>& role_options();

/// `--rehearsal --seed N`, or live keys from the DRBG.
struct KeySourceOptions {
    bool rehearsal = false;
    std::optional<std::uint64_t> seed;

    void add_to(CLI::App& command);
    [[nodiscard]] Mark mark() const { return rehearsal ? Mark::rehearsal : Mark::live; }
    /// `input_wrong` when the two options do not go together.
    [[nodiscard]] Result<void> check() const;
};

/// Where new keys come from; the label keeps the streams of different commands apart.
class KeySource {
public:
    [[nodiscard]] static Result<KeySource> make(const KeySourceOptions& options,
                                                std::string_view label);
    [[nodiscard]] crypto::Random& random() {
        if (seeded_) return *seeded_;
        return *system_;
    }

private:
    std::unique_ptr<crypto::SeededRandom> seeded_;
    std::unique_ptr<crypto::SystemRandom> system_;
};

/// `--hsm-token`, `--hsm-pin`: a token for a new store.
class TokenOptions {
public:
    void add_to(CLI::App& command);
    /// Nothing when no token was named. The result refers to this object.
    [[nodiscard]] Result<std::optional<crypto::keys::TokenPlan>> read();

private:
    std::string token_;
    platform::PassphraseSource source_{
        .descriptor = {}, .file = {}, .prompt = "PIN of the token: ", .confirm = false};
    platform::Passphrase pin_;
};

/// Who opens a store, from the command line: `--custodian NAME[=FILE]` with a passphrase, or
/// `NAME=token:LABEL[,FILE]` with the PIN of their own token; once for each. Passphrase and PIN
/// come from a file, which only its owner may read, or are asked for on the terminal.
class CustodianOptions {
public:
    /// `store`: what a prompt calls it ("nation"). `prefix`: of the option, for a second store
    /// ("nation-").
    void add_to(CLI::App& command, const std::string& store, const std::string& prefix = {});
    /// The same for a store that not every call needs.
    void add_optional_to(CLI::App& command, const std::string& store, const std::string& prefix);
    /// The same for a store to be made: with `--quorum K`, asked twice on a terminal.
    void add_new_to(CLI::App& command, const std::string& store, const std::string& prefix = {});
    /// `--hsm-token`, `--hsm-pin`: where a store to be made keeps its secrets.
    void add_token_to(CLI::App& command) { token_.add_to(command); }
    /// The same for a store of one person.
    void add_one_new_to(CLI::App& command, const std::string& store);
    /// Of the one who was named; before any passphrase is read.
    [[nodiscard]] std::string name() const {
        return words_.front().substr(0, words_.front().find('='));
    }
    [[nodiscard]] bool given() const { return !words_.empty(); }
    /// Without `--quorum`: as many as this.
    void default_quorum(unsigned quorum) { quorum_default_ = quorum; }
    /// Whether the one who was named brings a token.
    [[nodiscard]] bool with_token() const;
    /// Reads every passphrase. The result refers to this object.
    [[nodiscard]] Result<Custodians> read();

private:
    [[nodiscard]] Result<Custodian> read_one(const std::string& word);
    CLI::Option* add_words(CLI::App& command, const std::string& store, const std::string& prefix);
    std::vector<std::string> words_;
    std::string store_;
    std::optional<unsigned> quorum_;
    unsigned quorum_default_ = 2;
    bool confirm_ = false;
    std::vector<platform::Passphrase> secrets_;  ///< passphrases and PINs
    TokenOptions token_;
};

/// Any store: with its custodians, or with the passphrase of the one program that opens it.
class StoreAccess {
public:
    void add_to(CLI::App& command);
    [[nodiscard]] Result<std::unique_ptr<KeyStore>> open(const std::filesystem::path& file,
                                                         crypto::Random& random);

private:
    CustodianOptions custodians_;
    platform::PassphraseSource passphrase_;
};

[[nodiscard]] Result<crypto::SystemRandom> system_random();
[[nodiscard]] Result<platform::Passphrase> passphrase(const platform::PassphraseSource& source);
/// A new file; nothing is overwritten: `target_exists`.
[[nodiscard]] Result<void> write_new_file(const std::filesystem::path& path,
                                          std::string_view content,
                                          platform::FileMode mode = platform::FileMode::owner_only);

/// Prints the refusal in one line on standard error; the exit status.
int complain(const Refusal& refusal);
/// 0, or the refusal told and its status.
[[nodiscard]] int status_of(const Result<void>& done);
/// A command that was chosen.
template <class Options, class Function>
[[nodiscard]] auto runner(const std::shared_ptr<Options>& options, Function function) {
    return [options, function] { return status_of(function(*options)); };
}
/// Text for people, JSON for machines.
void print(bool json, const std::string& text, const std::string& json_text);

}  // namespace host::keys
