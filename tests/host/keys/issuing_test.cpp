// Issuing through the service, against the card's own operating system: docs/keys.md, 5, I1-I4.
#include "tests/host/keys/issuer_scene.hpp"

using namespace keys_test;

TEST_CASE("issuing: an SM4 card is made, and answers with its own keys") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    const json::object done = issue(issuer, chip, "card", "first");
    REQUIRE(done.contains("done"));
    CHECK(done.at("number").as_string() == "03104800000000000017");
    chip.power_on();
    const auto fci = chip.must(protocol::select_by_name(protocol::transit_aid));
    const auto info = protocol::PublicInfo::parse(chip.must(protocol::read_binary(0x15, 0, 30)));
    REQUIRE(info.has_value());
    CHECK(info->issuer == issuer_id);
    CHECK(info->start_flag == 1);
    const auto management =
        protocol::ManagementInfo::parse(chip.must(protocol::read_binary(0x17, 0, 60)));
    REQUIRE(management.has_value());
    CHECK(management->city == city_code);
    CHECK(management->kind == protocol::CardKind::student);
    CHECK(management->interoperability == 1);
    // An odd count of PIN digits is filled with F. docs/card_commands.md, 3.
    chip.must(protocol::verify_pin(std::array<std::uint8_t, 3>{0x12, 0x34, 0x5F}));
    // The load key is the city's master, one level down: MAC1 of INITIALIZE FOR LOAD proves it.
    const protocol::TerminalNumber terminal{{1, 2, 3, 4, 5, 6}};
    const auto amount = protocol::Money::from_fen(100);
    const auto opened = protocol::LoadInitialised::parse(
        chip.must(protocol::initialise_for_load({protocol::KeyIndex{1}, amount, terminal})));
    REQUIRE(opened.has_value());
    const auto master = host::keys::reveal_purse(
        *issuer.keys, crypto::keys::city_key(city_code, KeyUse::load, Suite::sm4));
    const auto key = crypto::purse::diversify(*master, crypto::purse::factor_of(info->card));
    const auto process = crypto::purse::online_process_key(key, opened->random, opened->counter);
    CHECK(opened->mac1 ==
          crypto::purse::purse_mac(
              process, protocol::load_mac1_input(protocol::Money::from_fen(0), amount,
                                                 protocol::TransactionType::load, terminal)));
}

TEST_CASE("issuing: a 3DES card whose chip came with an SM4 transport key, not started, no PIN") {
    Issuer issuer;
    BlankChip first{*issuer.keys, KeyUse::card_transport, Suite::triple_des, 1};
    BlankChip second{*issuer.keys, KeyUse::card_transport, Suite::sm4, 2};
    REQUIRE(issue(issuer, first, "card", "a").contains("done"));
    const json::object done = issue(issuer, second, "card", "b");
    REQUIRE(done.contains("done"));
    CHECK(done.at("number").as_string() == "03104800000000000025");
    second.power_on();
    second.must(protocol::select_by_name(protocol::transit_aid));
    const auto info = protocol::PublicInfo::parse(second.must(protocol::read_binary(0x15, 0, 30)));
    CHECK(info->start_flag == 0);
}

TEST_CASE("issuing: a SAM is made and computes MAC1 for a card of any city") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::sam_transport, Suite::sm4, 9};
    const json::object done = issue(issuer, chip, "sam", "sam-1");
    REQUIRE(done.contains("done"));
    chip.power_on();
    chip.must(protocol::select_by_name(protocol::sam_aid));
    const auto number = chip.must(protocol::read_terminal_number());
    CHECK(platform::to_hex(number) == "310000000101");
    for (const Suite suite : host::keys::suites) {
        protocol::SamPurchaseData data{};
        data.type = protocol::TransactionType::capp_purchase;
        data.when = {*protocol::Date::make(2026, 5, 1), *protocol::Time::make(12, 0, 0)};
        data.amount = protocol::Money::from_fen(200);
        data.key_version = version;
        data.suite = suite;
        data.card_factor = {4, 4, 0, 1, 0, 0, 0, 1};
        data.issuer_factor = {0x44, 0x01, 0, 0, 0, 0, 0, 1};  // another city's
        const auto answer =
            protocol::SamPurchaseAnswer::parse(chip.must(protocol::init_sam_for_purchase(data)));
        REQUIRE(answer.has_value());
        const auto root = host::keys::reveal_purse(
            *issuer.founded.nation.store, crypto::keys::national_key(KeyUse::purchase, suite));
        const auto key = crypto::purse::diversify(
            crypto::purse::diversify(*root, crypto::purse::Factor{data.issuer_factor}),
            crypto::purse::Factor{data.card_factor});
        const auto process =
            crypto::purse::offline_process_key(key, data.random, data.counter, answer->sequence);
        const protocol::TerminalNumber terminal{{0x31, 0, 0, 0, 0x01, 0x01}};
        CHECK(answer->mac1 ==
              crypto::purse::purse_mac(process, protocol::purchase_mac1_input(
                                                    data.amount, data.type, terminal, data.when)));
    }
}

TEST_CASE("issuing: the registry has one line per chip, in order") {
    Issuer issuer;
    BlankChip card{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    BlankChip sam{*issuer.keys, KeyUse::sam_transport, Suite::sm4, 9};
    REQUIRE(issue(issuer, card, "card", "a").contains("done"));
    REQUIRE(issue(issuer, sam, "sam", "b").contains("done"));
    const auto entries = issuer.registry();
    REQUIRE(entries.size() == 2);
    const json::object first = json::parse(entries[0]).as_object();
    CHECK(first.at("mark").as_string() == "rehearsal");
    CHECK(first.at("kind").as_string() == "card");
    CHECK(first.at("chip").as_string() == card.serial());
    CHECK(first.at("key_version").as_int64() == 1);
    const json::object second = json::parse(entries[1]).as_object();
    CHECK(second.at("terminal").as_string() == "310000000101");
    CHECK(second.at("keys").as_array().size() == 2);
    REQUIRE(issuer.events.size() == 2);
    CHECK(issuer.events[0].number == "310480*********0017");  // masked
}

TEST_CASE("issuing: taken away after every command, the chip is issued once with the same line") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    std::size_t command_count = 1;
    for (std::size_t cut = 0; cut < command_count; ++cut) {
        CAPTURE(cut);
        chip.power_on();
        const Opened opened = open(issuer, chip, "card", "torn");
        REQUIRE(opened.reply.contains("commands"));
        command_count = opened.reply.at("commands").as_array().size();
        if (cut + 1 == command_count) break;  // ACTIVATE goes through below
        const auto responses = carry(chip, opened.reply, cut);
        const auto refused =
            issuer.post("/" + opened.session, json::object{{"responses", responses}});
        CHECK(error_of(refused) == "response_malformed");
        if (cut % 5 == 0) issuer.restart();
    }
    CHECK(issuer.registry().empty());
    chip.power_on();
    CHECK(issue(issuer, chip, "card", "torn").contains("done"));
    CHECK(issuer.registry().size() == 1);
}

TEST_CASE("issuing: a lost receipt is settled by the chip's own proof (I2)") {
    Issuer issuer;
    for (const char* kind : {"card", "sam"}) {
        CAPTURE(kind);
        const bool card = std::string_view{kind} == "card";
        BlankChip chip{*issuer.keys, card ? KeyUse::card_transport : KeyUse::sam_transport,
                       Suite::sm4, static_cast<std::uint8_t>(card ? 1 : 9)};
        const Opened opened = open(issuer, chip, kind, kind);
        (void)carry(chip, opened.reply);  // all of it, ACTIVATE too; the answers are lost
        issuer.restart();
        chip.power_on();
        CHECK(issue(issuer, chip, kind, kind).contains("done"));
    }
    CHECK(issuer.registry().size() == 2);
}

TEST_CASE("issuing: an active chip that only claims the bound serial is refused (I2)") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    (void)open(issuer, chip, "card", "mine");
    const json::object first = object_of(issuer.begin("card", "mine"));
    const std::string session{first.at("session").as_string()};
    const json::object asked = object_of(issuer.post(
        "/" + session,
        json::object{
            {"responses", {"9000", chip.serial() + "07FFFF9000", "00112233445566779000"}}}));
    REQUIRE(asked.contains("commands"));
    const auto refused =
        issuer.post("/" + session, json::object{{"responses", {"9000", "00112233445566779000"}}});
    CHECK(error_of(refused) == "receipt_wrong");
    CHECK(issuer.registry().empty());
}

TEST_CASE("issuing: a wrong receipt is refused, a repeated reference answered as before") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    const Opened opened = open(issuer, chip, "card", "x");
    json::array responses = carry(chip, opened.reply);
    responses.back() = "DEADBEEF9000";
    CHECK(error_of(issuer.post("/" + opened.session, json::object{{"responses", responses}})) ==
          "receipt_wrong");
    CHECK(issuer.registry().empty());
    chip.power_on();
    CHECK(issue(issuer, chip, "card", "x").contains("done"));
    const json::object again = object_of(issuer.begin("card", "x"));
    CHECK(again.contains("done"));
    CHECK(issuer.registry().size() == 1);
}

TEST_CASE("issuing: the PIN is gone from the state once the card is issued") {
    Issuer issuer;
    BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
    REQUIRE(issue(issuer, chip, "card", "x").contains("done"));
    auto database =
        platform::sqlite::Database::open(issuer.founded.directory.path / "state.db").value();
    auto pins = database.prepare("SELECT count(*) FROM line WHERE length(pin) > 0").value();
    REQUIRE(pins.step().value());
    CHECK(pins.integer(0) == 0);
}

TEST_CASE("issuing: chips that must not be taken (in the order of docs/keys.md, 5)") {
    Issuer issuer;
    SUBCASE("another chip for a bound line, until it is released") {
        BlankChip first{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
        BlankChip second{*issuer.keys, KeyUse::card_transport, Suite::sm4, 2};
        (void)open(issuer, first, "card", "x");
        const Opened refused = open(issuer, second, "card", "x");
        CHECK(refused.reply.at("error").as_string() == "line_bound_to_other_chip");
        const auto number = platform::from_hex<10>("03104800000000000017").value();
        REQUIRE(issuer.state->release(ChipKind::card, number, office).has_value());
        CHECK(issue(issuer, second, "card", "x").contains("done"));
        CHECK_FALSE(issuer.state->release(ChipKind::card, number, office).has_value());
    }
    SUBCASE("one chip for two lines") {
        BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
        (void)open(issuer, chip, "card", "x");
        CHECK(open(issuer, chip, "card", "y").reply.at("error").as_string() ==
              "chip_bound_to_other_line");
    }
    SUBCASE("a chip that is a card already") {
        BlankChip chip{*issuer.keys, KeyUse::card_transport, Suite::sm4, 1};
        REQUIRE(issue(issuer, chip, "card", "x").contains("done"));
        CHECK(open(issuer, chip, "card", "y").reply.at("error").as_string() == "chip_not_blank");
    }
    SUBCASE("a chip of another maker: EXTERNAL AUTHENTICATE fails") {
        const FoundedCity stranger{99};
        BlankChip chip{*stranger.city.store, KeyUse::card_transport, Suite::sm4, 1};
        CHECK(issue(issuer, chip, "card", "x").at("error").as_string() == "chip_refused");
    }
    SUBCASE("a SAM's chip for a card: the transport keys differ") {
        BlankChip chip{*issuer.keys, KeyUse::sam_transport, Suite::sm4, 1};
        CHECK(issue(issuer, chip, "card", "x").at("error").as_string() == "chip_refused");
    }
    SUBCASE("a transport key version that we do not have") {
        const json::object first = object_of(issuer.begin("card", "x"));
        const auto refused = issuer.post("/" + std::string{first.at("session").as_string()},
                                         json::object{{"responses",
                                                       {"9000",
                                                        "0000000000000001010407"
                                                        "9000",
                                                        "00112233445566779000"}}});
        CHECK(error_of(refused) == "transport_unknown");
    }
    CHECK(issuer.registry().size() <= 1);
}

TEST_CASE("issuing: no line left") {
    Issuer issuer;
    CHECK(issuer.begin("sam", "a").status == 200);
    CHECK(error_of(issuer.begin("sam", "b")) == "line_unknown");
}

TEST_CASE("issuing: who may ask, and for what") {
    Issuer issuer;
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = "/v1/issuing/sessions";
    request.body = R"({"kind":"card","desk_reference":"x"})";
    for (const auto& [role, organisation] : {std::pair{platform::PeerRole::terminal, "3100"},
                                             {platform::PeerRole::desk, "4401"},
                                             {platform::PeerRole::city_host, "3100"}}) {
        request.identity = {role, organisation, "x", "3100"};
        CHECK(error_of(issuer.service->handle(request)) == "role_not_allowed");
    }
    request.identity = {platform::PeerRole::desk, "3100", "desk-1", "3100"};
    request.method = platform::HttpMethod::get;
    CHECK(error_of(issuer.service->handle(request)) == "unknown_path");
    request.method = platform::HttpMethod::post;
    request.target = "/v1/issuing";
    CHECK(error_of(issuer.service->handle(request)) == "unknown_path");
}

TEST_CASE("issuing: another desk may not go on with a session") {
    Issuer issuer;
    const json::object first = object_of(issuer.begin("card", "x"));
    const std::string session{first.at("session").as_string()};
    const auto stolen =
        issuer.post("/" + session, json::object{{"responses", json::array{}}}, "desk-2");
    CHECK(error_of(stolen) == "unknown_session");
    CHECK(error_of(issuer.post("/00", json::object{})) == "unknown_session");
}

TEST_CASE("issuing: malformed requests and answers") {
    Issuer issuer;
    platform::HttpRequest request;
    request.method = platform::HttpMethod::post;
    request.target = "/v1/issuing/sessions";
    request.identity = {platform::PeerRole::desk, "3100", "desk-1", "3100"};
    for (const char* body :
         {"", "{", "[]", "{}", R"({"kind":"tram","desk_reference":"x"})", R"({"kind":"card"})",
          R"({"kind":"card","desk_reference":""})", R"({"kind":"card","desk_reference":7})",
          R"({"kind":"card","desk_reference":"a b"})", "[[[[[[[[[[]]]]]]]]]]"}) {
        request.body = body;
        CHECK(error_of(issuer.service->handle(request)) == "request_malformed");
    }
    const auto go_on = [&](const json::value& body) {
        const json::object first = object_of(issuer.begin("card", "x"));
        return error_of(issuer.post("/" + std::string{first.at("session").as_string()}, body));
    };
    CHECK(go_on(json::object{{"responses", 7}}) == "request_malformed");
    CHECK(go_on(json::object{{"responses", {7}}}) == "request_malformed");
    CHECK(go_on(json::object{{"responses", {"9"}}}) == "request_malformed");
    CHECK(go_on(json::object{{"responses", {std::string(1000, '0')}}}) == "request_malformed");
    CHECK(go_on(json::object{{"responses", json::array{}}}) == "response_malformed");
    CHECK(go_on(json::object{{"responses", {"90", "9000", "9000"}}}) == "response_malformed");
    CHECK(go_on(json::object{{"responses", {"6A82", "9000", "9000"}}}) == "chip_refused");
    CHECK(go_on(json::object{{"responses", {"9000", "9000", "9000"}}}) == "response_malformed");
}

TEST_CASE("issue state: an import is all or nothing, and repeats are skipped") {
    Issuer issuer;
    const auto orders = host::keys::parse_orders(lines, "lines").value();
    CHECK(issuer.state->import(orders, office).value() == 0);
    auto changed = orders;
    std::get<host::keys::CardOrder>(changed[1]).holder = protocol::CardKind::elder;
    auto extra = std::get<host::keys::CardOrder>(orders[0]);
    extra.number = protocol::CardNumber{{0x03, 0x10, 0x48, 0, 0, 0, 0, 0, 0, 0x99}};
    changed.insert(changed.begin(), extra);
    const auto refused = issuer.state->import(changed, office);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().detail.find("310480*********0025") != std::string::npos);
    CHECK(issuer.state->counts()->of(ChipState::ordered) == 3);
}

TEST_CASE("issue state: of another mark or city it is refused") {
    Issuer issuer;
    const auto file = issuer.founded.directory.path / "state.db";
    CHECK(IssueStore::open(file, Mark::live, city_code, issuer.founded.clock).error().kind ==
          host::keys::RefusalKind::mark_mismatch);
    CHECK(IssueStore::open(file, Mark::rehearsal, protocol::CityCode{0x4401}, issuer.founded.clock)
              .error()
              .kind == host::keys::RefusalKind::city_mismatch);
}
