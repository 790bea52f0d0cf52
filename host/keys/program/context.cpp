#include "host/keys/program/context.hpp"

#include <iostream>

#include <CLI/CLI.hpp>

namespace host::keys {
namespace {

constexpr std::string_view token_prefix = "token:";

struct CustodianWord {
    std::string name;
    std::optional<std::string> token;  ///< label or serial number; otherwise a passphrase
    std::string file;                  ///< with the passphrase or PIN; empty: asked for
};
/// NAME, NAME=FILE, NAME=token:LABEL, NAME=token:LABEL,FILE.
CustodianWord parse_word(const std::string& word) {
    const auto equals = word.find('=');
    CustodianWord out{word.substr(0, equals), {}, {}};
    if (equals == std::string::npos) return out;
    const std::string what = word.substr(equals + 1);
    if (!what.starts_with(token_prefix)) {
        out.file = what;
        return out;
    }
    const auto comma = what.find(',');
    out.token = what.substr(0, comma).substr(token_prefix.size());
    if (comma != std::string::npos) out.file = what.substr(comma + 1);
    return out;
}

}  // namespace

const std::map<std::string, platform::PeerRole>& role_options() {
    using platform::PeerRole;
    static const std::map<std::string, PeerRole> roles{
        {"host", PeerRole::city_host},
        {"terminal", PeerRole::terminal},
        {"desk", PeerRole::desk},
        {"issuer", PeerRole::issuer},
        {"operator-admin", PeerRole::operator_admin}};
    return roles;
}

void KeySourceOptions::add_to(CLI::App& command) {
    command.add_flag("--rehearsal", rehearsal,
                     "Throw-away keys; everything made from them says so");
    command.add_option("--seed", seed, "With --rehearsal: the same seed gives the same keys")
        ->check(CLI::Validator{[](const std::string& text) {
                                   return std::string{text.starts_with('-') ? "a number from 0 on"
                                                                            : ""};
                               },
                               ""});
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

void TokenOptions::add_to(CLI::App& command) {
    auto* token = command.add_option("--hsm-token", token_,
                                     "Keep the new store's secrets in the PKCS#11 token of this "
                                     "label or serial number (--hsm-module)");
    command.add_option("--hsm-pin", source_.file, "The token's PIN, from this file")->needs(token);
}

Result<std::optional<crypto::keys::TokenPlan>> TokenOptions::read() {
    if (token_.empty()) return std::nullopt;
    ONECARD_TRY(pin, passphrase(source_));
    pin_ = std::move(pin);
    ONECARD_TRY(plan, plan_token(token_, pin_.bytes()));
    return std::optional{std::move(plan)};
}

CLI::Option* CustodianOptions::add_words(CLI::App& command, const std::string& store,
                                         const std::string& prefix) {
    store_ = store;
    return command
        .add_option("--" + prefix + "custodian", words_,
                    "Who opens it (" + store +
                        "), once for each custodian: NAME or NAME=FILE with the "
                        "passphrase, or NAME=token:LABEL[,FILE] with the PIN of their own PKCS#11 "
                        "token (--hsm-module)")
        ->type_name("NAME[=FILE]")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
}

void CustodianOptions::add_to(CLI::App& command, const std::string& store,
                              const std::string& prefix) {
    add_words(command, store, prefix)->required();
}

void CustodianOptions::add_optional_to(CLI::App& command, const std::string& store,
                                       const std::string& prefix) {
    add_words(command, store, prefix);
}

void CustodianOptions::add_new_to(CLI::App& command, const std::string& store,
                                  const std::string& prefix) {
    add_to(command, store, prefix);
    confirm_ = true;
    command
        .add_option("--" + prefix + "quorum", quorum_,
                    "How many custodians open the new store together")
        ->check(CLI::Range(1, 16));
}

void CustodianOptions::add_one_new_to(CLI::App& command, const std::string& store) {
    add_words(command, store, {})
        ->required()
        ->multi_option_policy(CLI::MultiOptionPolicy::Throw)
        ->description("Who you are, NAME or NAME=FILE with the passphrase for the " + store +
                      ", or NAME=token:LABEL[,FILE]");
    quorum_ = 1;
    confirm_ = true;
}

bool CustodianOptions::with_token() const {
    return parse_word(words_.front()).token.has_value();
}

Result<Custodian> CustodianOptions::read_one(const std::string& word) {
    const CustodianWord parts = parse_word(word);
    if (parts.token == "") {
        return refuse(RefusalKind::input_wrong, word + ": name the token, " + parts.name +
                                                    "=token:LABEL or " + parts.name +
                                                    "=token:LABEL,FILE");
    }
    platform::PassphraseSource source{.descriptor = {}, .file = {}, .prompt = {}, .confirm = false};
    source.prompt = parts.name + (parts.token ? ", PIN of the token " + *parts.token + ": "
                                              : ", passphrase for the " + store_ + ": ");
    source.confirm = confirm_ && !parts.token;  // a PIN is not chosen here
    source.file = parts.file;
    auto secret = passphrase(source);
    if (!secret) return refuse(secret.error().kind, parts.name + ": " + secret.error().detail);
    secrets_.push_back(*std::move(secret));
    if (!parts.token) return Custodian{parts.name, secrets_.back().bytes()};
    ONECARD_TRY(token, custodian_token(*parts.token, secrets_.back().bytes()));
    return Custodian{parts.name, {}, std::move(token)};
}

Result<Custodians> CustodianOptions::read() {
    Custodians out{{}, quorum_.value_or(quorum_default_), std::nullopt};
    secrets_.clear();
    secrets_.reserve(words_.size());  // spans refer to its elements
    for (const std::string& word : words_) {
        ONECARD_TRY(custodian, read_one(word));
        out.people.push_back(std::move(custodian));
    }
    ONECARD_TRY(token, token_.read());
    out.token = std::move(token);
    return out;
}

void StoreAccess::add_to(CLI::App& command) {
    custodians_.add_optional_to(command, "store", "");
    platform::add_passphrase_options(command, passphrase_);
}

Result<std::unique_ptr<KeyStore>> StoreAccess::open(const std::filesystem::path& file,
                                                    crypto::Random& random) {
    if (custodians_.given()) {
        ONECARD_TRY(custodians, custodians_.read());
        return open_store(file, custodians.people, random);
    }
    ONECARD_TRY(words, passphrase(passphrase_));
    return open_store(file, words.bytes(), random);
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
    if (words) return *std::move(words);
    const std::string where = source.file.empty() ? "" : source.file.string() + ": ";
    return refuse(RefusalKind::passphrase_missing,
                  where + platform::name(words.error()) + ": " + platform::advice(words.error()));
}

Result<void> write_new_file(const std::filesystem::path& path, std::string_view content,
                            platform::FileMode mode) {
    const auto written = platform::create_file(
        path, {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()}, mode);
    if (written) return {};
    return refuse(written.error().error == platform::FileError::already_exists
                      ? RefusalKind::target_exists
                      : RefusalKind::file_failed,
                  written.error().detail);
}

int complain(const Refusal& refusal) {
    return platform::complain(program_name,
                              std::string{name(refusal.kind)} + ": " + refusal.detail);
}

int status_of(const Result<void>& done) {
    return done ? platform::exit_status(platform::ExitCode::ok) : complain(done.error());
}

void print(bool json, const std::string& text, const std::string& json_text) {
    std::cout << (json ? json_text : text) << std::endl;
}

}  // namespace host::keys
