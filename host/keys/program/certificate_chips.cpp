// `onecard-keys certificate card-root`, `card-issuer`, `card`, `sam`, `revoke-chip`, `chip-list`.
// docs/card_certificates.md, 4.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/chip_certificates.hpp"
#include "host/keys/program/certificate_options.hpp"
#include "host/keys/program/city_access.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

struct ChipOptions {
    std::filesystem::path nation;
    std::filesystem::path city;
    CustodianOptions custodians;
    CityAccess access;  // card-issuer: city and nation
    KeySourceOptions source;
    bool rsa = false;
    std::string rid;
    unsigned index = 1;
    std::string number;
    std::string expiry;
    std::filesystem::path key;
    std::filesystem::path static_data;
    std::string serial;
    std::filesystem::path out;
    bool new_key = false;
    bool json = false;

    [[nodiscard]] ChipFamily family() const { return rsa ? ChipFamily::rsa : ChipFamily::sm2; }
};

Result<crypto::keys::CardExpiry> expiry_of(const ChipOptions& options) {
    const auto expiry = parse_expiry(options.expiry);
    if (expiry) return *expiry;
    return refuse(RefusalKind::input_wrong, "--expiry: MMYY expected");
}

Result<ChipRoot> root_of(const ChipOptions& options) {
    const auto rid = platform::from_hex<5>(options.rid);
    if (!rid) return refuse(RefusalKind::input_wrong, "--rid: 10 hex digits expected");
    return ChipRoot{options.family(), *rid, static_cast<std::uint8_t>(options.index)};
}

Result<void> check_mark(const ChipOptions& options, const KeyStore& store) {
    if (mark_of(store) == options.source.mark()) return {};
    return refuse(RefusalKind::mark_mismatch, std::string{"the store is "} + word(mark_of(store)) +
                                                  ": use --rehearsal for rehearsals only");
}

json::object chip_json(const KnownChip& chip) {
    json::object out{{"family", name(chip.family)},
                     {"kind", name(chip.kind)},
                     {"subject", chip.subject},
                     {"signer", chip.signer},
                     {"serial", chip_serial_text(chip.serial)},
                     {"expiry", platform::to_hex(chip.expiry)},
                     {"fingerprint", chip.fingerprint}};
    if (chip.revoked) out["revoked"] = utc_text(*chip.revoked);
    return out;
}

Result<void> hand_out(const ChipOptions& options, const ChipCertificate& made) {
    ONECARD_CHECK(write_output(options.out, made.text));
    json::object out = chip_json(made.entry);
    out["repeated"] = made.repeated;
    const KnownChip& chip = made.entry;
    print(
        options.json,
        fmt::format("{} certificate {} of {} {}, signed by {}, through {} (MMYY){}\nwritten to {}",
                    name(chip.family), chip_serial_text(chip.serial), name(chip.kind), chip.subject,
                    chip.signer, platform::to_hex(chip.expiry),
                    made.repeated ? ": made before, its serial again" : "", options.out.string()),
        json::serialize(out));
    return {};
}

Result<void> run_root(ChipOptions& options) {
    ONECARD_TRY(root, root_of(options));
    ONECARD_TRY(expiry, expiry_of(options));
    ONECARD_TRY(source,
                KeySource::make(options.source, fmt::format("certificate/card-root/{}/{}",
                                                            name(root.family), options.index)));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_TRY(nation, open_nation(options.nation, custodians.people, nonces));
    ONECARD_CHECK(check_mark(options, *nation.store));
    ONECARD_TRY(
        made, certify_root(nation, root, expiry, source.random(), nonces, platform::SystemClock{}));
    return hand_out(options, made);
}

Result<void> run_issuer(ChipOptions& options) {
    ONECARD_TRY(root, root_of(options));
    ONECARD_TRY(expiry, expiry_of(options));
    ONECARD_TRY(nonces, system_random());
    ONECARD_CHECK(options.source.check());
    ONECARD_CHECK(options.access.open(nonces));
    City& city = options.access.city();
    if (options.access.nation() == nullptr) {
        return refuse(RefusalKind::nation_missing,
                      "the nation signs an issuer: --nation-dir, --nation-custodian");
    }
    ONECARD_CHECK(check_mark(options, *city.store));
    const auto key_count = city.store->list().size();  // each key its own stream
    ONECARD_TRY(source,
                KeySource::make(options.source, fmt::format("certificate/card-issuer/{}/{}/{}",
                                                            city_digits(city.identity.city),
                                                            name(root.family), key_count)));
    ONECARD_TRY(made, certify_issuer(*options.access.nation(), city,
                                     {root, options.number, expiry, options.new_key},
                                     source.random(), nonces, platform::SystemClock{}));
    return hand_out(options, made);
}

Result<std::vector<std::uint8_t>> static_data_of(const ChipOptions& options) {
    if (options.static_data.empty()) return std::vector<std::uint8_t>{};
    ONECARD_TRY(text, read_input(options.static_data));
    std::erase_if(text, [](char c) { return c == '\n' || c == '\r' || c == ' '; });
    auto bytes = platform::from_hex(text);
    if (bytes) return *std::move(bytes);
    return refuse(RefusalKind::input_wrong, "--static-data: hex digits expected");
}

Result<City> open_chip_city(ChipOptions& options, crypto::Random& random) {
    ONECARD_TRY(custodians, options.custodians.read());
    return open_city(options.city, custodians.people, random);
}

template <ChipCertificateKind kind>
Result<void> run_chip(ChipOptions& options) {
    ONECARD_TRY(expiry, expiry_of(options));
    ONECARD_TRY(text, read_input(options.key));
    ONECARD_TRY(key, parse_chip_key(options.family(), text));
    ONECARD_TRY(static_data, static_data_of(options));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(city, open_chip_city(options, nonces));
    ONECARD_TRY(made, certify_chip(city,
                                   {options.family(), kind, options.number, expiry, std::move(key),
                                    std::move(static_data)},
                                   nonces, platform::SystemClock{}));
    return hand_out(options, made);
}

/// Whose list or certificate: a city's own, or of the nation's root of --rid and --index.
struct OpenSigner {
    std::optional<City> city;
    std::optional<Nation> nation;
    ChipAuthority authority;
    [[nodiscard]] KeyStore& store() { return city ? *city->store : *nation->store; }
};
Result<OpenSigner> open_signer(ChipOptions& options, crypto::Random& random) {
    OpenSigner out;
    if (!options.city.empty()) {
        ONECARD_TRY(city, open_chip_city(options, random));
        ONECARD_TRY(authority, chip_authority(city, options.family(), random));
        out.city = std::move(city);
        out.authority = std::move(authority);
        return out;
    }
    if (options.nation.empty()) {
        return refuse(RefusalKind::input_wrong, "whose? --city-dir or --nation-dir");
    }
    ONECARD_TRY(root, root_of(options));
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_TRY(nation, open_nation(options.nation, custodians.people, random));
    out.nation = std::move(nation);
    out.authority = chip_authority(root);
    return out;
}

Result<void> run_revoke_chip(ChipOptions& options) {
    const auto serial = platform::from_hex<3>(options.serial);
    if (!serial) return refuse(RefusalKind::input_wrong, "--serial: 6 hex digits expected");
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(signer, open_signer(options, nonces));
    const auto number =
        static_cast<std::uint32_t>((*serial)[0] << 16 | (*serial)[1] << 8 | (*serial)[2]);
    ONECARD_TRY(revoked, revoke_chip(signer.store(), options.family(), signer.authority.signer,
                                     number, platform::SystemClock{}));
    print(options.json,
          fmt::format("revoked {} certificate {} of {} {}{}", name(revoked.family),
                      chip_serial_text(revoked.serial), name(revoked.kind), revoked.subject,
                      options.rsa ? "" : ": nobody knows before the next `certificate chip-list`"),
          json::serialize(chip_json(revoked)));
    return {};
}

Result<void> run_chip_list(ChipOptions& options) {
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(signer, open_signer(options, nonces));
    ONECARD_TRY(written, write_chip_list(signer.store(), signer.authority.key,
                                         signer.authority.signer, nonces, platform::SystemClock{}));
    ONECARD_CHECK(write_output(options.out, written.text));
    print(options.json,
          fmt::format("list {} of {}: {} serials\nwritten to {}", written.list.sequence,
                      signer.authority.signer, written.list.serials.size(), options.out.string()),
          json::serialize(json::object{{"sequence", written.list.sequence},
                                       {"signer", signer.authority.signer},
                                       {"entries", written.list.serials.size()}}));
    return {};
}

CLI::App* add_chip_command(CLI::App& certificate, const std::shared_ptr<ChipOptions>& options,
                           const char* name, const char* help, bool writes = true) {
    CLI::App* command = certificate.add_subcommand(name, help);
    if (writes) command->add_option("--out", options->out, "File to write, hex")->required();
    command->add_flag("--json", options->json, "Print JSON");
    return command;
}

void add_root_options(CLI::App& command, const std::shared_ptr<ChipOptions>& options,
                      bool required) {
    command.add_option("--rid", options->rid, "The scheme's registered id, 10 hex digits")
        ->required(required);
    command.add_option("--index", options->index, "Which of its roots")->check(CLI::Range(1, 254));
}
void add_kind_options(CLI::App& command, const std::shared_ptr<ChipOptions>& options) {
    command.add_flag("--rsa", options->rsa, "EMV RSA instead of SM2: for the installed base");
    command.add_option("--expiry", options->expiry, "MMYY: through the last day of that month")
        ->required();
}

void add_root(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<ChipOptions>();
    CLI::App* command =
        add_chip_command(certificate, options, "card-root",
                         "The nation's root of cards: an SM2 certificate, or with --rsa the "
                         "scheme's key as terminals load it");
    command->add_option("--nation-dir", options->nation, "The nation's directory")->required();
    options->custodians.add_to(*command, "nation");
    add_root_options(*command, options, true);
    add_kind_options(*command, options);
    options->source.add_to(*command);
    command->callback([options, &run] { run = runner(options, run_root); });
}

void add_issuer(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<ChipOptions>();
    CLI::App* command = add_chip_command(certificate, options, "card-issuer",
                                         "The nation certifies a city's key for its cards");
    options->access.add_to(*command);
    add_root_options(*command, options, true);
    add_kind_options(*command, options);
    command
        ->add_option("--number", options->number,
                     "What its cards' numbers begin with: 3 to 8 digits")
        ->required();
    command->add_flag("--new-key", options->new_key, "The city makes another key first");
    options->source.add_to(*command);
    command->callback([options, &run] { run = runner(options, run_issuer); });
}

template <ChipCertificateKind kind>
void add_chip(CLI::App& certificate, Run& run, const char* name, const char* help) {
    const auto options = std::make_shared<ChipOptions>();
    CLI::App* command = add_chip_command(certificate, options, name, help);
    command->add_option("--city-dir", options->city, "The city's directory")->required();
    options->custodians.add_to(*command, "city");
    add_kind_options(*command, options);
    command->add_option("--number", options->number, "The card's number, or the SAM's 20 digits")
        ->required();
    command
        ->add_option("--key", options->key,
                     "File with the chip's public key: \"key: HEX\" (x | y), or \"modulus: HEX\" "
                     "and \"exponent: HEX\"")
        ->required();
    command->add_option("--static-data", options->static_data,
                        "File of hex: the card's static data, which is signed and not carried");
    command->callback([options, &run] { run = runner(options, run_chip<kind>); });
}

void add_signer_options(CLI::App& command, const std::shared_ptr<ChipOptions>& options) {
    auto* city = command.add_option("--city-dir", options->city, "The city's directory");
    command
        .add_option("--nation-dir", options->nation,
                    "Or the nation's, with --rid and --index: certificates of issuers")
        ->excludes(city);
    options->custodians.add_to(command, "signer");
    add_root_options(command, options, false);
}

void add_revoke_chip(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<ChipOptions>();
    CLI::App* command =
        add_chip_command(certificate, options, "revoke-chip",
                         "Put a chip's or issuer's certificate on the next list", false);
    add_signer_options(*command, options);
    command->add_flag("--rsa", options->rsa, "An RSA one: the log keeps it, there is no list");
    command->add_option("--serial", options->serial, "6 hex digits")->required();
    command->callback([options, &run] { run = runner(options, run_revoke_chip); });
}

void add_chip_list(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<ChipOptions>();
    CLI::App* command =
        add_chip_command(certificate, options, "chip-list",
                         "Write the next revocation list of SM2 certificates inside chips");
    add_signer_options(*command, options);
    command->callback([options, &run] { run = runner(options, run_chip_list); });
}

}  // namespace

void add_certificate_chip_commands(CLI::App& certificate, Run& run) {
    add_root(certificate, run);
    add_issuer(certificate, run);
    add_chip<ChipCertificateKind::card>(certificate, run, "card", "Certify a card's key");
    add_chip<ChipCertificateKind::sam>(certificate, run, "sam", "Certify a SAM's key");
    add_revoke_chip(certificate, run);
    add_chip_list(certificate, run);
}

}  // namespace host::keys
