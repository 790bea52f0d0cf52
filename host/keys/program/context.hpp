#pragma once
// What every command of onecard-keys shares: options, random source, passphrases, output.
#include <memory>
#include <optional>

#include "crypto/random/seeded_random.hpp"
#include "crypto/random/system_random.hpp"
#include "host/keys/stores.hpp"
#include "platform/command_line.hpp"

namespace CLI {
class App;
}

namespace host::keys {

constexpr const char* program_name = "onecard-keys";

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

[[nodiscard]] Result<crypto::SystemRandom> system_random();
[[nodiscard]] Result<platform::Passphrase> passphrase(const platform::PassphraseSource& source);

/// Prints the refusal in one line on standard error; the exit status.
int complain(const Refusal& refusal);
/// Text for people, JSON for machines.
void print(bool json, const std::string& text, const std::string& json_text);

}  // namespace host::keys
