#include "host/keys/program/context.hpp"

#include <iostream>

#include <CLI/CLI.hpp>

namespace host::keys {

void KeySourceOptions::add_to(CLI::App& command) {
    command.add_flag("--rehearsal", rehearsal,
                     "Throw-away keys; everything made from them says so");
    command.add_option("--seed", seed, "With --rehearsal: the same seed gives the same keys");
}

Result<void> KeySourceOptions::check() const {
    if (rehearsal && !seed) {
        return refuse(RefusalKind::input_wrong, "--rehearsal needs --seed N");
    }
    if (!rehearsal && seed) {
        return refuse(RefusalKind::input_wrong,
                      "--seed works with --rehearsal only: live keys come from the DRBG");
    }
    return {};
}

Result<crypto::SystemRandom> system_random() {
    auto random = crypto::SystemRandom::open();
    if (!random) return refuse(RefusalKind::random_failed, crypto::name(random.error()));
    return *std::move(random);
}

Result<KeySource> KeySource::make(const KeySourceOptions& options, std::string_view label) {
    ONECARD_CHECK(options.check());
    KeySource source;
    if (options.rehearsal) {
        source.seeded_ = std::make_unique<crypto::SeededRandom>(options.seed.value_or(0), label);
        return source;
    }
    ONECARD_TRY(random, system_random());
    source.system_ = std::make_unique<crypto::SystemRandom>(std::move(random));
    return source;
}

Result<platform::Passphrase> passphrase(const platform::PassphraseSource& source) {
    auto words = platform::read_passphrase(source);
    if (!words) {
        return refuse(RefusalKind::passphrase_missing, std::string{platform::name(words.error())} +
                                                           ": " + platform::advice(words.error()));
    }
    return *std::move(words);
}

int complain(const Refusal& refusal) {
    return platform::complain(program_name,
                              std::string{name(refusal.kind)} + ": " + refusal.detail);
}

void print(bool json, const std::string& text, const std::string& json_text) {
    std::cout << (json ? json_text : text) << std::endl;
}

}  // namespace host::keys
