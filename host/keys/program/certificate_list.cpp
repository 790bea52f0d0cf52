// `onecard-keys certificate list`: from a store's log or from files, without a passphrase.
#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "host/keys/chip_register.hpp"
#include "host/keys/program/certificate_options.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;

struct ListingOptions {
    std::filesystem::path city;
    std::filesystem::path nation;
    std::vector<std::filesystem::path> files;
    std::optional<unsigned> expiring;
    bool json = false;
};
constexpr unsigned renewal_due_days = 60;  // docs/certificates.md, 3

std::vector<KnownCertificate> entries_of(const std::vector<crypto::keys::X509Certificate>& read) {
    std::vector<KnownCertificate> out;
    for (const auto& each : read) {
        const char* const kind = each.kind == crypto::keys::X509Kind::unit        ? "unit"
                                 : each.kind == crypto::keys::X509Kind::authority ? "authority"
                                                                                  : "root";
        out.push_back({kind,
                       text(each.subject),
                       serial_text(each.serial),
                       fingerprint_text(each.key),
                       each.not_before,
                       each.not_after,
                       {},
                       {},
                       {}});
    }
    return out;
}

Result<std::vector<KnownCertificate>> from_file(const std::filesystem::path& file) {
    ONECARD_TRY(pem, read_input(file));
    const auto read = crypto::keys::read_certificates(pem);
    if (read) return entries_of(*read);
    return refuse(RefusalKind::input_wrong,
                  file.string() + ": " + crypto::keys::name(read.error()));
}

/// The authority's own certificate, then what its log says.
Result<std::vector<KnownCertificate>> from_log(const std::filesystem::path& directory) {
    const auto file = directory / store_file;
    std::vector<crypto::keys::LogEntry> log;
    const auto audit = crypto::keys::audit_sealed_file(
        file, [&](const crypto::keys::LogEntry& entry) { log.push_back(entry); });
    if (!audit) return store_refusal(file.string(), audit.error());
    if (audit->finding || audit->truncated || !audit->state_signed) {
        return refuse(RefusalKind::log_malformed,
                      file.string() + " was changed: `onecard-keys audit verify` says where");
    }
    ONECARD_TRY(out, from_file(directory / certificate_file));
    ONECARD_TRY(known, fold_certificates(log));
    out.insert(out.end(), known.certificates.begin(), known.certificates.end());
    ONECARD_TRY(chips, fold_chips(log));
    for (const KnownChip& chip : chips.certificates) out.push_back(described(chip));
    return out;
}

std::string listing_text(const std::vector<KnownCertificate>& certificates,
                         const protocol::DateTime& now, unsigned days) {
    std::string out = fmt::format("{:<32}  {:<9} {:<20} {}", "serial", "state", "until", "subject");
    for (const KnownCertificate& each : certificates) {
        out += fmt::format("\n{:<32}  {:<9} {:<20} {}", each.serial,
                           name(state_of(each, now, days)), utc_text(each.not_after), each.subject);
        if (each.revoked) out += fmt::format(" ({}, {})", each.reason, utc_text(*each.revoked));
    }
    return out;
}

std::string listing_json(const std::vector<KnownCertificate>& certificates,
                         const protocol::DateTime& now, unsigned days) {
    json::array out;
    for (const KnownCertificate& each : certificates) {
        json::object one{{"kind", each.kind},
                         {"subject", each.subject},
                         {"serial", each.serial},
                         {"not_before", utc_text(each.not_before)},
                         {"not_after", utc_text(each.not_after)},
                         {"state", name(state_of(each, now, days))}};
        if (!each.fingerprint.empty()) one["fingerprint"] = each.fingerprint;
        if (!each.renews.empty()) one["renews"] = each.renews;
        if (each.revoked) {
            one["revoked"] = utc_text(*each.revoked);
            one["reason"] = each.reason;
        }
        out.push_back(std::move(one));
    }
    return json::serialize(json::object{{"certificates", std::move(out)}});
}

Result<void> run_list(ListingOptions& options) {
    std::vector<KnownCertificate> all;
    for (const auto& directory : {options.city, options.nation}) {
        if (directory.empty()) continue;
        ONECARD_TRY(found, from_log(directory));
        all.insert(all.end(), found.begin(), found.end());
    }
    for (const auto& file : options.files) {
        ONECARD_TRY(found, from_file(file));
        all.insert(all.end(), found.begin(), found.end());
    }
    const protocol::DateTime now = platform::local_date_time(platform::SystemClock{}.unix_ms(), 0);
    const unsigned days = options.expiring.value_or(renewal_due_days);
    if (options.expiring) {
        std::erase_if(all, [&](const KnownCertificate& each) {
            const CertificateState state = state_of(each, now, days);
            return state == CertificateState::valid || state == CertificateState::revoked;
        });
        std::ranges::stable_sort(all, {}, &KnownCertificate::not_after);
    }
    print(options.json, listing_text(all, now, days), listing_json(all, now, days));
    return {};
}

}  // namespace

void add_certificate_list_command(CLI::App& certificate, Run& run) {
    const auto options = std::make_shared<ListingOptions>();
    CLI::App* command = certificate.add_subcommand(
        "list", "Certificates with their serials, ends and states; needs no passphrase");
    command->add_option("--city-dir", options->city, "What this city's log says");
    command->add_option("--nation-dir", options->nation, "What the nation's log says");
    command->add_option("files", options->files, "Or files of certificates, PEM");
    command
        ->add_option("--expiring", options->expiring,
                     "Only those that have ended, or end within so many days; soonest first")
        ->check(CLI::Range(0, 36500));
    command->add_flag("--json", options->json, "Print JSON");
    command->callback([options, &run] { run = runner(options, run_list); });
}

}  // namespace host::keys
