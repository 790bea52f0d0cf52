// `onecard-keys certificate`: what an authority does. docs/certificates.md, 6.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/program/certificate_options.hpp"
#include "platform/mask.hpp"

namespace host::keys {

void AuthorityAccess::add_to(CLI::App& command) {
    auto* city = command.add_option("--city-dir", city_directory_, "The city's directory");
    command
        .add_option("--nation-dir", nation_directory_,
                    "The nation's directory: its root signs the cities' authorities")
        ->excludes(city);
    custodians_.add_to(command, "authority");
}

Result<Authority> AuthorityAccess::open(crypto::Random& random) {
    if (city_directory_.empty() && nation_directory_.empty()) {
        return refuse(RefusalKind::input_wrong, "whose? --city-dir or --nation-dir");
    }
    ONECARD_TRY(custodians, custodians_.read());
    if (!city_directory_.empty()) {
        ONECARD_TRY(city, open_city(city_directory_, custodians.people, random));
        return authority_of(city_.emplace(std::move(city)));
    }
    ONECARD_TRY(nation, open_nation(nation_directory_, custodians.people, random));
    return authority_of(nation_.emplace(std::move(nation)));
}

Result<std::string> read_input(const std::filesystem::path& file, std::size_t size_max) {
    auto content = platform::read_text_file(file, size_max);
    if (!content) return refuse(RefusalKind::file_failed, content.error().detail);
    return *std::move(content);
}

namespace {

/// What a file of ours begins with: of PEM the same for all, since a request is followed by a
/// renewal; else "certificate", "list".
std::string_view kind_of(std::string_view content) {
    constexpr std::string_view pem = "-----BEGIN ";
    if (content.starts_with(pem)) return pem;
    return content.substr(0, content.find_first_of(":\n"));
}

}  // namespace

/// A newer one takes the place of an older one, and of nothing else: a slip of the tongue must not
/// cost a key store.
Result<void> write_output(const std::filesystem::path& file, const std::string& content) {
    constexpr std::size_t replaced_size_max = std::size_t{16} * 1024 * 1024;
    const auto present = platform::read_text_file(file, replaced_size_max);
    const bool absent = !present && present.error().error == platform::FileError::not_found;
    if (!absent && (!present || kind_of(*present) != kind_of(content))) {
        return refuse(RefusalKind::target_exists,
                      file.string() + " is there already, and is no older one of these");
    }
    const auto written =
        platform::replace_file(file, std::string_view{content}, platform::FileMode::everyone);
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    return {};
}

namespace {

namespace json = boost::json;

struct IssueOptions {
    std::filesystem::path city;
    CustodianOptions custodians;
    KeySourceOptions source;
    std::filesystem::path request;
    std::filesystem::path out;
    std::string role;
    std::string unit;
    std::string operator_id;
    std::string device;
    std::string fingerprint;
    unsigned days = certificate_days;
    bool json = false;
};

Result<City> open_marked_city(IssueOptions& options, crypto::Random& random) {
    ONECARD_CHECK(options.source.check());
    ONECARD_TRY(custodians, options.custodians.read());
    ONECARD_TRY(city, open_city(options.city, custodians.people, random));
    if (city.identity.mark == options.source.mark()) return std::move(city);
    return refuse(RefusalKind::mark_mismatch, options.city.string() + " is " +
                                                  word(city.identity.mark) +
                                                  ": use --rehearsal for rehearsals only");
}

Result<std::string> sixteen_digits(const std::string& text, const char* option) {
    const auto id = platform::from_hex<8>(text);
    if (id) return platform::to_hex(*id);
    return refuse(RefusalKind::input_wrong, std::string{option} + ": 16 hex digits expected");
}

/// Whose certificate it becomes is said here, not in the request.
Result<UnitOrder> order_of(const IssueOptions& options, const City& city) {
    UnitOrder order{role_options().at(options.role), city_digits(city.identity.city), options.unit,
                    options.days, options.fingerprint};
    const bool terminal = order.role == platform::PeerRole::terminal;
    if (terminal || order.role == platform::PeerRole::operator_admin) {
        ONECARD_TRY(operator_id, sixteen_digits(options.operator_id, "--operator"));
        order.organisation = std::move(operator_id);
    }
    if (terminal) {
        ONECARD_TRY(device, sixteen_digits(options.device, "--device"));
        order.unit = std::move(device);
    }
    if (order.unit.empty()) {
        return refuse(RefusalKind::input_wrong, "a name for the unit is missing: --unit");
    }
    return order;
}

void print_issued(const IssueOptions& options, const IssuedCertificate& issued) {
    const KnownCertificate& entry = issued.entry;
    print(options.json,
          fmt::format("certificate {} of {}, until {}{}\nwritten to {}: for the unit, `certificate "
                      "install`",
                      entry.serial, entry.subject, utc_text(entry.not_after),
                      issued.repeated ? ": this request had it already, the same again" : "",
                      options.out.string()),
          json::serialize(json::object{{"serial", entry.serial},
                                       {"subject", entry.subject},
                                       {"not_before", utc_text(entry.not_before)},
                                       {"not_after", utc_text(entry.not_after)},
                                       {"fingerprint", entry.fingerprint},
                                       {"repeated", issued.repeated}}));
}

Result<void> run_issue(IssueOptions& options) {
    ONECARD_TRY(request, read_input(options.request));
    ONECARD_TRY(source, KeySource::make(options.source, "certificate/issue"));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(city, open_marked_city(options, nonces));
    ONECARD_TRY(order, order_of(options, city));
    ONECARD_TRY(issued,
                issue_certificate(city, request, order, source.random(), platform::SystemClock{}));
    ONECARD_CHECK(write_output(options.out, issued.pem));
    print_issued(options, issued);
    return {};
}

Result<void> run_renew(IssueOptions& options) {
    ONECARD_TRY(request, read_input(options.request));
    ONECARD_TRY(source, KeySource::make(options.source, "certificate/renew"));
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(city, open_marked_city(options, nonces));
    ONECARD_TRY(issued, renew_certificate(city, request, options.days, source.random(),
                                          platform::SystemClock{}));
    ONECARD_CHECK(write_output(options.out, issued.pem));
    print_issued(options, issued);
    return {};
}

struct RevokeOptions {
    AuthorityAccess access;
    std::string serial;
    std::filesystem::path certificate;
    std::string reason = "unspecified";
    bool json = false;
};

Result<void> run_revoke(RevokeOptions& options) {
    RevocationTarget target{options.serial, {}};
    if (!options.certificate.empty()) {
        ONECARD_TRY(pem, read_input(options.certificate));
        target.certificate_pem = std::move(pem);
    }
    const auto reason = crypto::keys::parse_revocation_reason(options.reason);
    if (!reason) {
        return refuse(RefusalKind::input_wrong,
                      "--reason: keyCompromise, cACompromise, affiliationChanged, superseded, "
                      "cessationOfOperation, privilegeWithdrawn or unspecified");
    }
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(authority, options.access.open(nonces));
    ONECARD_TRY(revoked, revoke_certificate(authority, target, *reason, platform::SystemClock{}));
    const KnownCertificate& entry = revoked.certificate;
    std::string text = fmt::format(
        "revoked {} of {}, {}: nobody knows before the next `certificate "
        "crl` is where the programs are",
        entry.serial, entry.subject, entry.reason);
    for (const std::string& serial : revoked.renewed) {
        text += fmt::format("\nits renewal {} is still good: revoke it too if its key was theirs",
                            serial);
    }
    print(options.json, text,
          json::serialize(json::object{
              {"serial", entry.serial},
              {"subject", entry.subject},
              {"reason", entry.reason},
              {"revoked", utc_text(*entry.revoked)},
              {"renewed", json::array(revoked.renewed.begin(), revoked.renewed.end())}}));
    return {};
}

struct ListOptions {
    AuthorityAccess access;
    std::filesystem::path out;
    unsigned days = 7;
    bool json = false;
};

Result<void> run_crl(ListOptions& options) {
    ONECARD_TRY(nonces, system_random());
    ONECARD_TRY(authority, options.access.open(nonces));
    ONECARD_TRY(written, write_list(authority, options.days, platform::SystemClock{}));
    ONECARD_CHECK(write_output(options.out, written.pem));
    const auto& list = written.list;
    print(
        options.json,
        fmt::format("list {} of {}: {} entries, next update before {}\nwritten to {}: `certificate "
                    "install-crl` puts it into a unit's directory",
                    list.number, text(list.issuer), list.revoked.size(), utc_text(list.next_update),
                    options.out.string()),
        json::serialize(json::object{{"number", list.number},
                                     {"issuer", text(list.issuer)},
                                     {"entries", list.revoked.size()},
                                     {"this_update", utc_text(list.this_update)},
                                     {"next_update", utc_text(list.next_update)}}));
    return {};
}

CLI::App* add_signing(CLI::App& certificate, const std::shared_ptr<IssueOptions>& options,
                      const char* name, const char* help) {
    CLI::App* command = certificate.add_subcommand(name, help);
    command->add_option("--city-dir", options->city, "The city's directory")->required();
    options->custodians.add_to(*command, "city");
    command->add_option("--request", options->request, "The unit's file")->required();
    command->add_option("--out", options->out, "File to write: certificate.pem")->required();
    command->add_option("--days", options->days, "How long the certificate is good")
        ->check(CLI::Range(1U, certificate_days_max));
    options->source.add_to(*command);
    command->add_flag("--json", options->json, "Print JSON");
    return command;
}

void add_issue(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<IssueOptions>();
    CLI::App* command =
        add_signing(certificate, options, "issue", "Certify the key of a unit's request");
    command->add_option("--role", options->role, "host, terminal, desk, issuer or operator-admin")
        ->required()
        ->check(CLI::IsMember(role_options()));
    command->add_option("--unit", options->unit, "Name of a host, desk, service or person");
    command->add_option("--operator", options->operator_id, "Operator id, 16 hex digits");
    command->add_option("--device", options->device, "Device id of a terminal, 16 hex digits");
    command
        ->add_option("--fingerprint", options->fingerprint,
                     "The key's fingerprint, as somebody at the unit read it out")
        ->required();
    command->callback([options, &run] { run = runner(options, run_issue); });
}

void add_renew(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<IssueOptions>();
    CLI::App* command = add_signing(certificate, options, "renew",
                                    "Certify a unit's new key, for which its old one vouches");
    command->callback([options, &run] { run = runner(options, run_renew); });
}

void add_revoke(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<RevokeOptions>();
    CLI::App* command =
        certificate.add_subcommand("revoke", "Put a certificate on its authority's next list");
    options->access.add_to(*command);
    auto* serial = command->add_option("--serial", options->serial, "Its serial number, hex");
    command->add_option("--certificate", options->certificate, "Or its file")->excludes(serial);
    command->add_option("--reason", options->reason,
                        "As RFC 5280, 5.3.1 spells it: keyCompromise, superseded, ...");
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &run] { run = runner(options, run_revoke); });
}

void add_crl(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<ListOptions>();
    CLI::App* command =
        certificate.add_subcommand("crl", "Write the authority's next revocation list");
    options->access.add_to(*command);
    command->add_option("--out", options->out, "File to write, PEM")->required();
    command
        ->add_option("--days", options->days,
                     "After so many days programs refuse it: publish the next one well before")
        ->check(CLI::Range(1, 366));
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &run] { run = runner(options, run_crl); });
}

}  // namespace

void add_certificate_commands(CLI::App& app, Run& run) {
    CLI::App* certificate = app.add_subcommand(
        "certificate",
        "Certificates of units and of chips: request, issue, renew, revoke, list "
        "(docs/certificates.md, docs/card_certificates.md)");
    certificate->require_subcommand(1);
    add_certificate_unit_commands(*certificate, run);
    add_issue(*certificate, run);
    add_renew(*certificate, run);
    add_revoke(*certificate, run);
    add_crl(*certificate, run);
    add_certificate_chip_commands(*certificate, run);
    add_certificate_list_command(*certificate, run);
}

}  // namespace host::keys
