// `onecard-terminal desk`: issues or blocks cards and SAMs; with --then-load, loads each issued
// card at once.
#include "platform/command_line.hpp"
#include "platform/mask.hpp"
#include "terminal/desk/desk.hpp"
#include "terminal/program/card_loop.hpp"
#include "terminal/program/kiosk_parts.hpp"

namespace terminal {

namespace {

constexpr const char* program = "onecard-terminal desk";

struct DeskFile {
    std::filesystem::path deployment;
    std::string reader;
    HostAddress issuer;
    std::optional<KioskConfig> kiosk;
    platform::StaleLists stale_lists = platform::StaleLists::refuse;
};
platform::ConfigResult<DeskFile> load_desk_config(const std::filesystem::path& path) {
    ONECARD_TRY(file, platform::Config::load(path));
    DeskFile out;
    ONECARD_TRY(deployment, file.path("deployment"));
    ONECARD_TRY(reader, file.text("reader.card"));
    ONECARD_TRY(issuer, read_host(file, "issuer"));
    ONECARD_TRY(stale_lists, read_stale_lists(file));
    out.stale_lists = stale_lists;
    out.deployment = deployment;
    out.reader = reader;
    out.issuer = issuer;
    if (file.has("kiosk")) {
        ONECARD_TRY(table, file.table("kiosk"));
        ONECARD_TRY(kiosk, read_kiosk_config(table));
        out.kiosk = kiosk;
    }
    ONECARD_CHECK(file.finish());
    return out;
}

platform::HttpClientOptions client_options(const DeskFile& file, const Deployment& who) {
    platform::HttpClientOptions options;
    options.host = file.issuer.address;
    options.port = file.issuer.port;
    options.peer_role = platform::PeerRole::issuer;
    options.peer_organisation = who.organisation;
    return options;
}

/// The desk's part of one insertion; true when the chip is issued, or blocked.
bool issue_chip(PcscReader& reader, const DeskOptions& options, platform::HttpChannel& issuer,
                Events& events) {
    const std::vector<std::uint8_t> atr = reader.atr();
    const char* const event = options.block ? "block" : "issue";
    const char* const done = options.block ? "blocked" : "issued";
    const auto reference =
        options.reference.empty() ? chip_reference(atr) : std::optional{options.reference};
    if (!reference) {
        events.say(event, {{done, false}, {"refusal", "serial_missing"}});
        return false;
    }
    const auto carry = options.block ? &block : &issue;
    const auto report =
        carry(reader, atr, options.sam ? ChipKind::sam : ChipKind::card, *reference, issuer);
    const bool issued = report.refusal == DeskRefusal::none;
    Events::Fields fields{{done, issued},
                          {"refusal", std::string{name(report.refusal)}},
                          {"kind", options.sam ? "sam" : "card"},
                          {"reference", *reference},
                          {"commands", std::int64_t{report.commands}}};
    if (issued && options.sam) fields.emplace_back("number", report.number);
    if (const auto card = platform::from_hex<10>(report.number); card && !options.sam) {
        fields.emplace_back("card", platform::mask(protocol::CardNumber{*card}));
    }
    if (!report.detail.empty()) fields.emplace_back("detail", report.detail);
    events.say(event, fields);
    return issued;
}

std::expected<int, std::string> start(const DeskOptions& options, crypto::Random& random) {
    const auto config = load_desk_config(options.config);
    if (!config) return std::unexpected{config.error().text()};
    ONECARD_TRY(deployment, open_deployment(config->deployment, options.passphrase,
                                            options.rehearsal, random, config->stale_lists));
    if (deployment.who.role != "desk") {
        return std::unexpected{config->deployment.string() + ": not a desk's deployment"};
    }
    Events events{options.json};
    CardLoop loop{config->reader, events};
    std::unique_ptr<KioskParts> kiosk;
    if (options.then_load) {
        if (!config->kiosk) {
            return std::unexpected{options.config.string() + ": --then-load needs [kiosk]"};
        }
        ONECARD_TRY(orders, read_orders(options.amount_fen, options.amounts));
        ONECARD_TRY(opened, KioskParts::open(*config->kiosk, options, orders, random));
        kiosk = std::move(opened);
    }
    platform::HttpClient issuer{client_options(*config, deployment.who), *deployment.tls};
    events.state("ready", config->reader);
    loop.take_orders([&](const std::string& order) {
        events.state("order_unknown", order + ": quit expected");
    });
    const auto serve = [&] {
        const bool issued = issue_chip(loop.reader(), options, issuer, events);
        if (issued && kiosk) kiosk->serve(loop.reader(), events);
    };
    loop.run({serve,
              [&] {
                  if (kiosk) kiosk->settle(events);
              }},
             options.cards);
    leave(exit_status(platform::ExitCode::ok));
}

}  // namespace

int run_desk(const DeskOptions& options) {
    platform::harden_process();
    auto random = crypto::SystemRandom::open();
    if (!random) return platform::complain(program, name(random.error()));
    const auto status = start(options, *random);
    return status ? *status : platform::complain(program, status.error());
}

}  // namespace terminal
