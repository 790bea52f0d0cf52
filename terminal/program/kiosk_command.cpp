// `onecard-terminal kiosk`: loads cards, one at a time.
#include "platform/command_line.hpp"
#include "terminal/program/card_loop.hpp"
#include "terminal/program/kiosk_parts.hpp"

namespace terminal {

namespace {

constexpr const char* program = "onecard-terminal kiosk";

struct KioskFile {
    KioskConfig kiosk;
    std::string reader;
};
platform::ConfigResult<KioskFile> load_kiosk_config(const std::filesystem::path& path) {
    ONECARD_TRY(file, platform::Config::load(path));
    ONECARD_TRY(kiosk, read_kiosk_config(file));
    ONECARD_TRY(reader, file.text("reader.card"));
    ONECARD_CHECK(file.finish());
    return KioskFile{kiosk, reader};
}

std::expected<int, std::string> start(const KioskOptions& options, crypto::Random& random) {
    const auto config = load_kiosk_config(options.config);
    if (!config) return std::unexpected{config.error().text()};
    ONECARD_TRY(orders, read_orders(options.amount_fen, options.amounts));
    Events events{options.json};
    CardLoop loop{config->reader, events};
    ONECARD_TRY(kiosk, KioskParts::open(config->kiosk, options, orders, random));
    kiosk->settle(events);
    events.state("ready", config->reader);
    loop.take_orders([&](const std::string& order) {
        events.state("order_unknown", order + ": quit expected");
    });
    loop.run({[&] { kiosk->serve(loop.reader(), events); }, [&] { kiosk->settle(events); }},
             options.cards);
    leave(exit_status(platform::ExitCode::ok));
}

}  // namespace

int run_kiosk(const KioskOptions& options) {
    platform::harden_process();
    auto random = crypto::SystemRandom::open();
    if (!random) return platform::complain(program, name(random.error()));
    const auto status = start(options, *random);
    return status ? *status : platform::complain(program, status.error());
}

}  // namespace terminal
