// The real `onecard-keys issuing serve`, killed at every step of a personalisation: no chip twice,
// no line lost. And a lost SAM's way from `issuing lost` through the real host to a gate.
// docs/issuing.md, 2 and 5.
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "crypto/random/system_random.hpp"
#include "protocol/hot_list.hpp"
#include "tests/host/keys/issuer_scene.hpp"
#include "tests/host/support/processes.hpp"

using namespace keys_test;
using namespace std::literals;
using host_test::HostProcess;
using host_test::IssuerProcess;
using platform::HttpClient;

namespace {

crypto::SystemRandom& test_random() {
    static crypto::SystemRandom random = crypto::SystemRandom::open().value();
    return random;
}

platform::TlsContext client_context(const std::filesystem::path& deployment) {
    return platform::TlsContext::make(platform::TlsContext::Side::client,
                                      host_test::material_of(deployment), test_random())
        .value();
}

/// What a desk may lose: everything between two of these.
enum class Cut : std::uint8_t {
    nowhere,
    after_opening,       ///< the line is claimed
    after_plan,          ///< the line is bound, no command was sent
    in_the_middle,       ///< half of the commands were carried
    before_the_receipt,  ///< the chip is active, the issuer does not know
    after_done,          ///< the desk did not hear it
};

std::string csv() {
    std::string text{host::keys::order_header};
    for (int i = 0; i < 20; ++i) {
        const std::string digits = "0310480000000000" + std::to_string(1000 + i);
        text += "\ncard," + digits + ",sm4,20260101,20351231,student,yes,enabled,,,,";
        text += "\nsam,1000000000000000" + std::to_string(1000 + i) +
                ",sm4,20260101,20351231,,,,,310000000101,0000000000003101,";
    }
    return text;
}

struct IssuingCity {
    Directory directory;
    host_test::Nation nation{directory.path / "nation"};
    std::filesystem::path desk;
    std::optional<HostProcess> host;
    std::optional<IssuerProcess> issuer;
    std::unique_ptr<host::keys::KeyStore> keys;
    std::uint8_t chips = 0;

    explicit IssuingCity(bool with_host = false) {
        nation.found_city(3100);
        desk = nation.deploy_desk(3100);
        if (with_host) {
            nation.deploy_host(3100);
            host.emplace(nation, std::uint16_t{3100});
            host->configure({});
        }
        issuer.emplace(nation, std::uint16_t{3100}, host ? &*host : nullptr);
        keys = host::keys::open_store(issuer->deployment() / host::keys::store_file,
                                      bytes_of(words), test_random())
                   .value();
        const auto file = directory.path / "lines.csv";
        std::ofstream{file} << csv();
        std::vector<std::string> import{"import", "--lines", file};
        CHECK(issuer->command(import, 1).find("\"new\"") == std::string::npos);  // SAMs: two people
        for (const std::string& word : nation.city_with_custodians(3100)) import.push_back(word);
        CHECK(json::parse(issuer->command(import)).at("new").as_int64() == 40);
    }
    BlankChip chip(bool card) {
        return {*keys, card ? KeyUse::card_transport : KeyUse::sam_transport, Suite::sm4, ++chips};
    }
    /// Nothing: the issuer is gone.
    std::optional<json::object> ask(HttpClient& client, const std::string& path,
                                    const json::value& body) {
        platform::HttpRequest request;
        request.method = platform::HttpMethod::post;
        request.target = "/v1/issuing/sessions" + path;
        request.body = json::serialize(body);
        const auto answer = client.call(request);
        if (!answer) return std::nullopt;
        return json::parse(answer->body).as_object();
    }
    /// A desk's session up to `cut`: there the issuer is killed. The number once it is done.
    std::optional<std::string> session(BlankChip& blank, bool card, Cut cut);
};

std::optional<std::string> IssuingCity::session(BlankChip& blank, bool card, Cut cut) {
    HttpClient client{issuer->address(), client_context(desk)};
    const json::object opening{
        {"kind", card ? "card" : "sam"}, {"atr", ""}, {"desk_reference", "chip-" + blank.serial()}};
    blank.power_on();
    auto reply = ask(client, "", opening);
    if (reply && !reply->contains("done") && !reply->contains("session")) {
        FAIL(json::serialize(*reply));
    }
    const std::string path = reply && reply->contains("session")
                                 ? "/" + std::string{reply->at("session").as_string()}
                                 : "";
    const auto is = [&](Cut where) {
        if (cut != where) return false;
        issuer->kill();
        return true;
    };
    if (is(Cut::after_opening)) return std::nullopt;
    for (int round = 0; reply && !reply->contains("done"); ++round) {
        REQUIRE(reply->contains("commands"));
        if (round == 1 && is(Cut::after_plan)) return std::nullopt;
        const std::size_t all = reply->at("commands").as_array().size();
        const bool middle = round == 1 && cut == Cut::in_the_middle;
        const json::array responses = carry(blank, *reply, middle ? all / 2 : all);
        if (middle || (round == 1 && cut == Cut::before_the_receipt)) {
            issuer->kill();
            return std::nullopt;
        }
        reply = ask(client, path, json::object{{"responses", responses}});
    }
    if (!reply || is(Cut::after_done)) return std::nullopt;
    return std::string{reply->at("number").as_string()};
}

/// Every chip has one line and every line that is issued one chip: as the registry says.
void check_registry(const IssuerProcess& issuer, std::size_t count) {
    std::set<std::string> numbers;
    std::set<std::string> chips;
    std::istringstream lines{issuer.command({"registry"})};
    std::size_t seen = 0;
    for (std::string line; std::getline(lines, line); ++seen) {
        const json::object entry = json::parse(line).as_object();
        numbers.insert(std::string{entry.at("kind").as_string()} +
                       std::string{entry.at("number").as_string()});
        chips.insert(std::string{entry.at("chip").as_string()});
    }
    CHECK(seen == count);
    CHECK(numbers.size() == count);
    CHECK(chips.size() == count);
    const json::object status = json::parse(issuer.command({"status"})).as_object();
    CHECK(status.at("issued").as_int64() == static_cast<std::int64_t>(count));
    CHECK(status.at("bound").as_int64() == 0);
    CHECK(status.at("ordered").as_int64() == 40 - static_cast<std::int64_t>(count));
}

}  // namespace

TEST_CASE("issuing serve: killed at each step it goes on with the same line") {
    IssuingCity city;
    std::size_t made = 0;
    for (const bool card : {true, false}) {
        for (const Cut cut : {Cut::after_opening, Cut::after_plan, Cut::in_the_middle,
                              Cut::before_the_receipt, Cut::after_done}) {
            CAPTURE(card);
            CAPTURE(static_cast<int>(cut));
            BlankChip blank = city.chip(card);
            city.issuer->start();
            CHECK_FALSE(city.session(blank, card, cut).has_value());
            city.issuer->start();
            const auto number = city.session(blank, card, Cut::nowhere);
            REQUIRE(number.has_value());
            CHECK(city.session(blank, card, Cut::nowhere) == number);  // done: answered as before
            ++made;
            city.issuer->kill();
        }
    }
    check_registry(*city.issuer, made);
}

TEST_CASE("issuing serve: killed at any moment while desks work") {
    IssuingCity city;
    crypto::SeededRandom random{17, "moments"};
    constexpr std::size_t count = 8;
    // The moments are spread over what a session takes on this machine.
    BlankChip undisturbed = city.chip(true);
    city.issuer->start();
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(city.session(undisturbed, true, Cut::nowhere).has_value());
    const auto usual = std::chrono::steady_clock::now() - start;
    city.issuer->kill();
    for (std::size_t i = 1; i < count; ++i) {
        CAPTURE(i);
        BlankChip blank = city.chip(i % 2 == 0);
        city.issuer->start();
        std::array<std::uint8_t, 1> moment{};
        random.fill(moment);
        const pid_t victim = city.issuer->process();
        std::jthread killer{[&] {
            std::this_thread::sleep_for(usual * moment[0] / 255);
            (void)::kill(victim, SIGKILL);
        }};
        (void)city.session(blank, i % 2 == 0, Cut::nowhere);
        killer.join();
        city.issuer->kill();  // reaps it
        city.issuer->start();
        CHECK(city.session(blank, i % 2 == 0, Cut::nowhere).has_value());
        city.issuer->kill();
    }
    check_registry(*city.issuer, count);
}

TEST_CASE("issuing lost: a SAM's number goes from the issuer through the host to the gate's list") {
    IssuingCity city{true};
    const host_test::TestDevice gate{1, host_test::operator_id(3101), protocol::CityCode{0x3100}};
    const auto gate_deployment = city.nation.deploy_terminal(gate);
    city.host->register_device(gate);
    city.host->start();
    city.issuer->start();
    BlankChip blank = city.chip(false);
    const auto number = city.session(blank, false, Cut::nowhere);
    REQUIRE(number.has_value());
    // The host is away when it is reported, and hears of it when it is back.
    city.host->kill();
    (void)city.issuer->command({"lost", "--kind", "sam", "--number", *number, "--by", "night"});
    (void)city.issuer->command({"lost", "--kind", "sam", "--number", "99", "--by", "night"}, 1);
    city.host->start();
    HttpClient client{city.host->address(), client_context(gate_deployment)};
    platform::HttpRequest poll;
    poll.target = "/v1/hot-list";
    std::string body;
    for (const auto until = std::chrono::steady_clock::now() + 60s;
         body.empty() && std::chrono::steady_clock::now() < until;) {
        const auto answer = client.call(poll);
        if (answer && answer->status == 200) body = answer->body;
        if (body.empty()) std::this_thread::sleep_for(50ms);
    }
    const auto list = protocol::HotListView::parse(bytes_of(body));
    REQUIRE(list.has_value());
    const auto entry = list->find(protocol::HotKind::sam, number_of(*number));
    REQUIRE(entry.has_value());
    CHECK(entry->reason == protocol::HotReason::lost);
    const std::string history =
        city.issuer->command({"history", "--kind", "sam", "--number", *number});
    CHECK(history.find("person:night") != std::string::npos);
    const std::string inventory = city.issuer->command({"inventory", "--state-is", "lost"});
    CHECK(inventory.find(*number) != std::string::npos);
    CHECK(inventory.find("\"national\":true") != std::string::npos);
    CHECK(inventory.find("{\"counts\":{\"card\":{},\"sam\":{\"lost\":1}}}") != std::string::npos);
}
