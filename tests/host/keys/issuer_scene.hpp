#pragma once
// An issuer with three lines, blank chips with the card's own operating system, and the desk's
// loop.
#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <unistd.h>

#include "firmware/os/card.hpp"
#include "host/keys/issuing_service.hpp"
#include "platform/mask.hpp"
#include "tests/firmware/support/tearing_flash.hpp"
#include "tests/host/keys/founded_city.hpp"

namespace keys_test {

namespace json = boost::json;
using host::keys::ChipKind;
using host::keys::ChipState;
using host::keys::IssueStore;
using host::keys::IssuingService;
using host::keys::KeyUse;
using host::keys::Mark;
using host::keys::Suite;

inline const host::keys::Actor office{host::keys::Actor::Kind::person, "office"};
using Number = std::array<std::uint8_t, 10>;
inline Number number_of(std::string_view digits) {
    return platform::from_hex<10>(digits).value();
}
inline const Number first_card = number_of("03104800000000000017");
inline const Number second_card = number_of("03104800000000000025");
inline const Number first_sam = number_of("10000000000000000001");

constexpr protocol::KeyVersion version{1};
constexpr std::string_view lines =
    "kind,number,suite,valid_from,valid_to,holder,interoperable,state,pin,terminal,operator\n"
    "card,03104800000000000017,sm4,20260101,20351231,student,yes,enabled,12345,,\n"
    "card,03104800000000000025,3des,20260101,20351231,ordinary,no,not_started,,,\n"
    "sam,10000000000000000001,sm4,20260101,20351231,,,,,310000000101,0000000000310001\n";

/// A chip as it comes from its maker.
class BlankChip {
public:
    BlankChip(const host::keys::KeyStore& keys, KeyUse transport, Suite suite, std::uint8_t serial)
        : serial_{{0, 0, 0, 0, 0, 0, 0, serial}}, random_{serial, "chip"} {
        const auto master =
            host::keys::reveal_purse(keys, crypto::keys::city_key(city_code, transport, suite))
                .value();
        const auto key = crypto::purse::diversify(master, crypto::purse::Factor{serial_.value()});
        REQUIRE(firmware::Card::manufacture(flash_, random_, serial_, key, version).has_value());
        power_on();
    }
    void power_on() {
        card_ = std::make_unique<firmware::Card>(flash_, random_);
        REQUIRE(card_->reset().has_value());
    }
    std::vector<std::uint8_t> send(protocol::Bytes command) {
        std::array<std::uint8_t, protocol::short_response_size_max> response{};
        const std::size_t size = card_->process(command, response);
        return {response.begin(), response.begin() + static_cast<std::ptrdiff_t>(size)};
    }
    /// The data of an answer that must be 9000.
    std::vector<std::uint8_t> must(protocol::Bytes command) {
        auto answer = send(command);
        REQUIRE(answer.size() >= 2);
        REQUIRE(answer[answer.size() - 2] == 0x90);
        answer.resize(answer.size() - 2);
        return answer;
    }
    [[nodiscard]] std::string serial() const { return platform::to_hex(serial_.value()); }

private:
    protocol::ChipSerial serial_;
    crypto::SeededRandom random_;
    tests::TearingFlash flash_{64};
    std::unique_ptr<firmware::Card> card_;
};

struct Issuer {
    FoundedCity founded;
    std::unique_ptr<host::keys::KeyStore> keys;
    std::optional<IssueStore> state;
    std::optional<IssuingService> service;
    std::vector<host::keys::IssuingEvent> events;
    host::keys::ChangeHook hook;  ///< of the next restart()

    Issuer() {
        host::keys::DeploymentOrder order;
        order.role = platform::PeerRole::issuer;
        order.unit = "issuer-1";
        order.nation = &founded.nation;
        keys = founded.deploy(order, "issuer");
        restart();
        REQUIRE(state->import(host::keys::parse_orders(lines, "lines").value(), office).value() ==
                3);
    }
    /// As after a crash: only the state file is left.
    void restart() {
        service.reset();
        state.reset();
        state.emplace(IssueStore::open(founded.directory.path / "state.db", Mark::rehearsal,
                                       city_code, founded.clock, hook,
                                       host::keys::PinSeal::of(*keys, founded.random).value())
                          .value());
        service.emplace(*keys, *state, host::keys::IssuerPlace{city_code, issuer_id},
                        founded.random, [this](const auto& event) { events.push_back(event); });
    }
    platform::HttpResponse post(const std::string& path, const json::value& body,
                                const std::string& desk = "desk-1") {
        platform::HttpRequest request;
        request.method = platform::HttpMethod::post;
        request.target = "/v1/issuing/sessions" + path;
        request.body = json::serialize(body);
        request.identity = {platform::PeerRole::desk, "3100", desk, "3100"};
        return service->handle(request);
    }
    platform::HttpResponse begin(const char* kind, const char* reference,
                                 const char* purpose = "issue") {
        return post(
            "",
            json::object{
                {"kind", kind}, {"atr", ""}, {"desk_reference", reference}, {"purpose", purpose}});
    }
    std::vector<std::string> registry() {
        std::vector<std::string> entries;
        REQUIRE(state->registry(0, [&](const std::string& line) { entries.push_back(line); }));
        return entries;
    }
};

inline json::object object_of(const platform::HttpResponse& response) {
    return json::parse(response.body).as_object();
}
inline std::string error_of(const platform::HttpResponse& response) {
    CHECK(response.status >= 400);
    return std::string{object_of(response).at("error").as_string()};
}

/// Carries commands to the chip as the desk does. Stops after `limit` commands: the chip was taken
/// away.
inline json::array carry(BlankChip& chip, const json::object& reply, std::size_t limit = 1000) {
    json::array responses;
    for (const json::value& command : reply.at("commands").as_array()) {
        if (responses.size() == limit) break;
        const auto bytes = platform::from_hex(std::string{command.as_string()}).value();
        responses.emplace_back(platform::to_hex(chip.send(bytes)));
        if (!responses.back().as_string().ends_with("9000")) break;
    }
    return responses;
}

/// The desk's whole loop.
inline json::object issue(Issuer& issuer, BlankChip& chip, const char* kind, const char* reference,
                          const char* purpose = "issue") {
    json::object reply = object_of(issuer.begin(kind, reference, purpose));
    const std::string session{reply.contains("session") ? reply.at("session").as_string() : ""};
    while (reply.contains("commands")) {
        reply =
            object_of(issuer.post("/" + session, json::object{{"responses", carry(chip, reply)}}));
    }
    return reply;
}

/// Up to the personalisation commands, which are not sent.
struct Opened {
    std::string session;
    json::object reply;
};
inline Opened open(Issuer& issuer, BlankChip& chip, const char* kind, const char* reference) {
    const json::object first = object_of(issuer.begin(kind, reference));
    const std::string session{first.at("session").as_string()};
    return {session,
            object_of(issuer.post("/" + session, json::object{{"responses", carry(chip, first)}}))};
}

}  // namespace keys_test
