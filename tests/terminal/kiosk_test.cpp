// terminal/kiosk with a real card and a host that keeps its word, or loses it: docs/kiosk.md,
// K1-K4.
#include "terminal/kiosk/kiosk.hpp"

#include "terminal/program/kiosk_parts.hpp"
#include "tests/terminal/gate_world.hpp"

using protocol::LoadOutcome;
using terminal::Kiosk;
using terminal::LoadJournal;
using terminal::LoadRefusal;
using tests::FieldCard;

namespace {

struct Killed {};

/// The issuer: checks MAC1, answers MAC2, checks the TAC. Keeps what it booked.
class Issuer final : public platform::HttpChannel {
public:
    enum class Loss : std::uint8_t { none, request, answer, kill_before, kill_after };
    Loss loss = Loss::none;  ///< happens to the call whose number is `at`
    std::size_t at = 0;
    std::size_t calls = 0;
    std::optional<LoadOutcome> refuses;
    const Issuer* other = nullptr;  ///< the same host, as a second kiosk's loads
    struct Booked {
        protocol::LoadRequest request;
        protocol::LoadAnswer approval;
        bool confirmed = false;
        bool reversed = false;
    };
    std::map<std::uint32_t, Booked> loads;

    std::expected<platform::HttpResponse, platform::NetFailure> call(
        const platform::HttpRequest& request) override {
        const bool now = calls++ == at;
        const platform::NetFailure timeout{platform::NetError::timeout, "test"};
        if (now && loss == Loss::kill_before) throw Killed{};
        if (now && loss == Loss::request) return std::unexpected{timeout};
        const auto answer = decide(request);
        if (now && loss == Loss::kill_after) throw Killed{};
        if (now && loss == Loss::answer) return std::unexpected{timeout};
        return platform::HttpResponse::bytes(200, answer.bytes());
    }
    /// What the host believes is on the card by its doing.
    std::uint32_t float_fen() const {
        std::uint32_t sum = 0;
        for (const auto& [number, load] : loads) {
            if (load.confirmed) sum += load.request.amount.fen();
        }
        return sum;
    }
    bool settled() const {
        return std::ranges::all_of(
            loads, [](const auto& load) { return load.second.confirmed != load.second.reversed; });
    }

private:
    protocol::LoadAnswer decide(const platform::HttpRequest& request) {
        protocol::LoadAnswer answer;
        answer.when = tests::noon();
        if (request.target == "/v1/loads") {
            const auto parsed = protocol::LoadRequest::parse(request.body_bytes());
            REQUIRE(parsed.has_value());
            return approve(*parsed);
        }
        if (request.target == "/v1/loads/confirmations") {
            const auto parsed = protocol::LoadConfirmation::parse(request.body_bytes());
            REQUIRE(parsed.has_value());
            answer.outcome = confirm(*parsed);
            return answer;
        }
        const auto parsed = protocol::LoadReversal::parse(request.body_bytes());
        REQUIRE(parsed.has_value());
        const auto found = loads.find(parsed->key.sequence.value());
        if (found == loads.end()) return answer;
        answer.outcome =
            found->second.confirmed ? LoadOutcome::already_confirmed : LoadOutcome::reversed;
        found->second.reversed = !found->second.confirmed;
        return answer;
    }
    protocol::LoadAnswer approve(const protocol::LoadRequest& request) {
        protocol::LoadAnswer answer;
        answer.when = tests::noon();
        if (refuses) {
            answer.outcome = *refuses;
            return answer;
        }
        const auto key = tests::card_key(protocol::KeyUsage::load, protocol::Suite::sm4);
        const auto process = crypto::purse::online_process_key(key, request.card_answer.random,
                                                               request.card_answer.counter);
        CHECK(crypto::purse::purse_mac(
                  process, protocol::load_mac1_input(request.card_answer.balance, request.amount,
                                                     request.type, request.terminal)) ==
              request.card_answer.mac1);
        answer.outcome = LoadOutcome::approved;
        answer.mac2 = crypto::purse::purse_mac(
            process,
            protocol::load_mac2_input(request.amount, request.type, request.terminal, answer.when));
        const auto [where, fresh] =
            loads.try_emplace(request.key.sequence.value(), Booked{request, answer});
        CHECK((fresh || where->second.request.bytes() == request.bytes()));
        return where->second.approval;
    }
    /// The same card's load through another kiosk, confirmed at this counter. docs/kiosk.md, K5.
    bool other_took_counter(const Booked& load) const {
        return other != nullptr && std::ranges::any_of(other->loads, [&](const auto& pair) {
                   const Booked& rival = pair.second;
                   return rival.confirmed && rival.request.card == load.request.card &&
                          rival.request.card_answer.counter == load.request.card_answer.counter;
               });
    }
    LoadOutcome confirm(const protocol::LoadConfirmation& message) {
        const auto found = loads.find(message.key.sequence.value());
        if (found == loads.end()) return LoadOutcome::unknown_load;
        Booked& load = found->second;
        if (other_took_counter(load)) {
            load.reversed = true;
            return LoadOutcome::reversed;
        }
        if (load.reversed) return LoadOutcome::already_reversed;
        const auto sum = add(load.request.card_answer.balance, load.request.amount);
        const auto key =
            tests::card_key(protocol::KeyUsage::transaction_certificate, protocol::Suite::sm4);
        const auto tac = crypto::purse::tac(
            key,
            protocol::load_tac_input(*sum, load.request.card_answer.counter, load.request.amount,
                                     load.request.type, load.request.terminal, load.approval.when));
        if (tac != message.tac) return LoadOutcome::tac_wrong;
        load.confirmed = true;
        return LoadOutcome::confirmed;
    }
};

struct KioskWorld {
    explicit KioskWorld(const std::string& disk_name) : disk{disk_name} { start(); }
    void start() {
        kiosk.reset();
        journal.reset();
        auto options = LoadJournal::default_options();
        options.vfs = disk.vfs();
        auto opened = LoadJournal::open("kiosk", device, options);
        REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error().text));
        journal = std::make_unique<LoadJournal>(std::move(*opened));
        kiosk = std::make_unique<Kiosk>(
            terminal::KioskProfile{
                device, tests::terminal, {tests::first_pin.begin(), tests::first_pin.end()}, false},
            *journal, issuer, clock);
    }
    terminal::LoadReport load() {
        return kiosk->load(card, [](const auto&) { return protocol::Money::from_fen(500); });
    }
    std::uint32_t purse() const {
        tests::Chip copy = chip.clone();
        copy.must(protocol::select_by_name(protocol::transit_aid));
        return tests::balance(copy);
    }
    protocol::DeviceId device{tests::array_of<8>("3100000000000901")};
    simulation::LossyDisk disk;
    platform::ManualClock clock{tests::date_time("20261123083000")};
    tests::Chip chip = tests::issued_card();
    FieldCard card{chip};
    Issuer issuer;
    std::unique_ptr<LoadJournal> journal;
    std::unique_ptr<Kiosk> kiosk;
};

/// After whatever happened: the card comes back until it has been loaded, and the books agree.
void settle_and_check(KioskWorld& world) {
    world.issuer.loss = Issuer::Loss::none;
    world.card.insert();
    terminal::LoadReport report;
    for (int visit = 0; visit < 3; ++visit) {
        report = world.load();
        if (report.refusal == LoadRefusal::none) break;
    }
    CHECK(report.refusal == LoadRefusal::none);
    CHECK(world.kiosk->settle() == 0);
    CHECK(world.issuer.settled());
    CHECK(world.issuer.float_fen() == world.purse());
}

}  // namespace

TEST_CASE("kiosk: a load is credited, confirmed with its TAC and closed") {
    KioskWorld world{"kiosk-good"};
    const auto report = world.load();
    CHECK(report.refusal == LoadRefusal::none);
    CHECK(report.confirmed);
    CHECK(report.balance_after.fen() == 500);
    CHECK(world.purse() == 500);
    CHECK(world.issuer.float_fen() == 500);
    CHECK(world.journal->open_rows()->empty());
    CHECK(world.load().sequence == 2);
}

TEST_CASE("kiosk: whatever the host loses, the money is there exactly once") {
    for (const auto loss : {Issuer::Loss::request, Issuer::Loss::answer}) {
        for (std::size_t at = 0; at < 2; ++at) {
            CAPTURE(at);
            CAPTURE(static_cast<int>(loss));
            KioskWorld world{"kiosk-loss-" + std::to_string(static_cast<int>(loss)) +
                             std::to_string(at)};
            world.issuer.loss = loss;
            world.issuer.at = at;
            const auto report = world.load();
            CHECK(report.refusal == (at == 0 ? LoadRefusal::host_unreachable : LoadRefusal::none));
            CHECK(world.purse() == (at == 0 ? 0 : 500));
            world.issuer.loss = Issuer::Loss::none;
            CHECK(world.kiosk->settle() == 0);
            CHECK(world.issuer.settled());
            CHECK(world.issuer.float_fen() == world.purse());
        }
    }
}

TEST_CASE("kiosk: withdrawn at every command, before and after it acted") {
    constexpr std::array<std::uint8_t, 4> commands{0xA4, 0x20, 0x50, 0x52};
    for (const std::uint8_t ins : commands) {
        for (const auto moment :
             {FieldCard::Moment::before_command, FieldCard::Moment::before_answer}) {
            CAPTURE(static_cast<int>(ins));
            KioskWorld world{"kiosk-torn-" + std::to_string(ins) +
                             std::to_string(static_cast<int>(moment))};
            world.card.withdraw_at(ins, moment);
            const auto report = world.load();
            CHECK(report.refusal ==
                  (ins == 0x52 ? LoadRefusal::unresolved : LoadRefusal::card_gone));
            settle_and_check(world);
        }
    }
}

TEST_CASE("kiosk: killed around every call to the host, started again") {
    for (const auto loss : {Issuer::Loss::kill_before, Issuer::Loss::kill_after}) {
        for (std::size_t at = 0; at < 2; ++at) {
            CAPTURE(at);
            KioskWorld world{"kiosk-kill-" + std::to_string(static_cast<int>(loss)) +
                             std::to_string(at)};
            world.issuer.loss = loss;
            world.issuer.at = at;
            CHECK_THROWS_AS((void)world.load(), Killed);
            world.start();
            settle_and_check(world);
        }
    }
}

TEST_CASE("kiosk: power lost at every write of a load, the books agree afterwards") {
    bool whole = false;
    std::size_t cuts = 0;
    for (std::uint64_t writes = 0; !whole; ++writes, ++cuts) {
        CAPTURE(writes);
        REQUIRE(writes < 300);
        KioskWorld world{"kiosk-power-" + std::to_string(writes)};
        world.disk.fill_after(writes);
        const auto report = world.load();
        whole = report.refusal == LoadRefusal::none && report.confirmed;
        crypto::SeededRandom random{writes, "power"};
        world.disk.crash(random);
        world.disk.refill();
        world.start();
        settle_and_check(world);
    }
    MESSAGE("power cuts: " << cuts);
}

TEST_CASE("kiosk: the card brings another kiosk's proof: the row is done as reversed") {
    KioskWorld world{"kiosk-two-a"};
    world.card.withdraw_at(0x52, FieldCard::Moment::before_command);  // CREDIT is lost
    CHECK(world.load().refusal == LoadRefusal::unresolved);
    world.card.insert();

    KioskWorld second{"kiosk-two-b"};
    const auto amount = [](const auto&) { return protocol::Money::from_fen(300); };
    CHECK(second.kiosk->load(world.card, amount).confirmed);  // at the same online counter
    CHECK(world.purse() == 300);
    world.issuer.other = &second.issuer;

    Kiosk once{
        {world.device, tests::terminal, {tests::first_pin.begin(), tests::first_pin.end()}, true},
        *world.journal,
        world.issuer,
        world.clock};
    world.card.insert();
    const auto report = once.load(world.card, amount);  // settles the first, then loads
    CHECK(report.refusal == LoadRefusal::none);
    CHECK(report.confirmed);
    CHECK(world.issuer.loads.at(1).reversed);
    CHECK_FALSE(world.issuer.loads.at(1).confirmed);
    CHECK(world.issuer.settled());
    CHECK(world.journal->open_rows()->empty());
    CHECK(world.purse() == 600);
    CHECK(world.issuer.float_fen() + second.issuer.float_fen() == world.purse());
}

TEST_CASE("kiosk: a refusal of the host is final and costs nothing") {
    KioskWorld world{"kiosk-refused"};
    world.issuer.refuses = LoadOutcome::card_hot;
    const auto report = world.load();
    CHECK(report.refusal == LoadRefusal::host_refused);
    CHECK(report.outcome == LoadOutcome::card_hot);
    CHECK(world.purse() == 0);
    CHECK(world.journal->open_rows()->empty());
}

TEST_CASE("kiosk: a wrong MAC2 is not credited and is reversed, the card having been asked") {
    KioskWorld world{"kiosk-mac2"};
    struct Liar final : platform::HttpChannel {
        explicit Liar(Issuer& inner) : inner_{inner} {}
        std::expected<platform::HttpResponse, platform::NetFailure> call(
            const platform::HttpRequest& request) override {
            auto response = inner_.call(request);
            if (response && request.target == "/v1/loads") response->body.back() ^= 1;
            return response;
        }
        Issuer& inner_;
    } liar{world.issuer};
    Kiosk kiosk{
        {world.device, tests::terminal, {tests::first_pin.begin(), tests::first_pin.end()}, false},
        *world.journal,
        liar,
        world.clock};
    const auto report =
        kiosk.load(world.card, [](const auto&) { return protocol::Money::from_fen(500); });
    CHECK(report.refusal == LoadRefusal::unresolved);
    CHECK(world.purse() == 0);
    settle_and_check(world);
    CHECK(world.issuer.loads.at(1).reversed);
}

TEST_CASE("kiosk: no order, no PIN, a second time: refused before the host hears of it") {
    KioskWorld world{"kiosk-orders"};
    const auto none = world.kiosk->load(world.card, [](const auto&) { return std::nullopt; });
    CHECK(none.refusal == LoadRefusal::no_amount);
    Kiosk without_pin{
        {world.device, tests::terminal, {}, false}, *world.journal, world.issuer, world.clock};
    const auto amount = [](const auto&) { return protocol::Money::from_fen(500); };
    CHECK(without_pin.load(world.card, amount).refusal == LoadRefusal::pin_required);
    CHECK(world.issuer.calls == 0);
    REQUIRE(world.load().refusal == LoadRefusal::none);
    Kiosk once{
        {world.device, tests::terminal, {}, true}, *world.journal, world.issuer, world.clock};
    CHECK(once.load(world.card, amount).refusal == LoadRefusal::already_loaded);
}

TEST_CASE("kiosk: the list of amounts: good lines, and bad ones by their number") {
    const auto orders = terminal::parse_orders(
        "# card,fen\n03104000000000000017,5000\r\n\n3104000000000000025,1\n");
    REQUIRE(orders.has_value());
    CHECK(orders->by_card.size() == 2);
    CHECK((*orders)(tests::test_card) == protocol::Money::from_fen(5000));
    CHECK_FALSE((*orders)(tests::card_number).has_value());
    for (const char* text :
         {"03104000000000000017", "03104000000000000017,", "03104000000000000017,0",
          "03104000000000000017,-5", "03104000000000000017,5x", "0310400000000000001A,5", "0310,5",
          "03104000000000000017,99999999", ",5", "a,b,c",
          "03104000000000000017,5\n03104000000000000017,6"}) {
        CAPTURE(text);
        const auto refused = terminal::parse_orders(text);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().starts_with("line "));
    }
}
