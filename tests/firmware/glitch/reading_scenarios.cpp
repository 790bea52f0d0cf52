// Commands that only answer: no fault may let them answer what nobody may read. The keys and the
// PIN are looked for in every answer of every scenario; here are the commands that read.
#include "tests/firmware/glitch/host.hpp"
#include "tests/firmware/glitch/scenarios.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::glitch {
namespace {

[[nodiscard]] Scenario reading(const char* name, const Command& command,
                               StatusWord undisturbed = StatusWord::ok) {
    Scenario out;
    out.name = name;
    out.make = [] { return used_card(); };
    out.prepare = [command](EmulatedCard& card) {
        select_transit(card);
        return command;
    };
    out.undisturbed = undisturbed;
    out.judge = [](Trial&) {};  // the trial itself has looked
    return out;
}

}  // namespace

std::vector<Scenario> reading_scenarios() {
    std::vector<Scenario> out;
    out.push_back(reading("SELECT", bytes_of(protocol::select_by_name(protocol::transit_aid))));
    out.push_back(reading("READ BINARY", hex("00B0950000")));
    out.push_back(reading("READ RECORD", hex("00B201C400")));
    out.push_back(reading("READ BINARY of the holder's file, PIN not verified", hex("00B0960000"),
                          StatusWord::security_status_not_satisfied));
    out.push_back(reading("GET DATA", hex("80CADF200B")));
    out.push_back(reading("GET BALANCE", hex("805C030204")));
    out.push_back(reading("GET CHALLENGE", hex("0084000008")));
    out.push_back(reading("GET TRANSACTION PROVE",
                          bytes_of(protocol::get_transaction_prove(TransactionType::purchase, 0))));
    out.push_back(reading("INTERNAL AUTHENTICATE", hex("00880001 08 0102030405060708 08")));
    return out;
}

}  // namespace tests::glitch
