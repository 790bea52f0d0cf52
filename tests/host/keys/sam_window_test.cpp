// A SAM made during a rotation serves cards of every version of the window, in the card's own
// operating system. docs/rotation.md, 1.
#include <doctest/doctest.h>

#include "firmware/os/card.hpp"
#include "host/keys/chip_proof.hpp"
#include "platform/mask.hpp"
#include "tests/firmware/support/tearing_flash.hpp"
#include "tests/host/keys/rotation_scene.hpp"

using crypto::keys::city_key;
using crypto::keys::national_key;
using host::keys::KeyAlgorithm;
using host::keys::KeyUse;
using host::keys::KeyVersion;
using host::keys::ResponseBytes;
using host::keys::Suite;
using keys_test::city_code;
using keys_test::issuer_id;
using keys_test::RotationScene;

namespace {

constexpr host::keys::IssuerPlace place{city_code, issuer_id};
const host::keys::SamOrder sam{protocol::SamNumber{{0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x01}},
                               Suite::sm4,
                               *protocol::Date::make(2026, 1, 1),
                               *protocol::Date::make(2035, 12, 31),
                               protocol::TerminalNumber{{0x31, 0, 0, 0, 0x01, 0x01}},
                               protocol::OperatorId{{0, 0, 0, 0, 0, 0x31, 0, 0x01}},
                               {}};

/// A SAM's chip from its maker, and what it answers.
class SamChip {
public:
    explicit SamChip(const host::keys::KeyStore& city) {
        const auto master =
            host::keys::reveal_purse(city, city_key(city_code, KeyUse::sam_transport, Suite::sm4))
                .value();
        const auto key = crypto::purse::diversify(master, crypto::purse::Factor{serial_.value()});
        REQUIRE(
            firmware::Card::manufacture(flash_, random_, serial_, key, KeyVersion{1}).has_value());
        power_on();
    }
    void power_on() {
        card_ = std::make_unique<firmware::Card>(flash_, random_);
        REQUIRE(card_->reset().has_value());
    }
    std::vector<ResponseBytes> send(const std::vector<protocol::ShortCommand>& commands) {
        std::vector<ResponseBytes> answers;
        for (const auto& command : commands) {
            std::array<std::uint8_t, protocol::short_response_size_max> response{};
            const std::size_t size = card_->process(command.bytes(), response);
            answers.emplace_back(response.begin(),
                                 response.begin() + static_cast<std::ptrdiff_t>(size));
        }
        return answers;
    }
    /// Blank to issued, with this issuer's store. Answers the nation's purchase roots that went in.
    std::vector<host::keys::KeyStamp> personalise(const host::keys::KeyStore& issuer) {
        const auto opening = host::keys::read_opening(send(host::keys::opening_commands())).value();
        const auto plan = host::keys::personalise(issuer, place, sam, opening).value();
        const auto answers = send(plan.commands);
        REQUIRE(host::keys::check_done(answers, plan.commands.size(), plan.receipt).has_value());
        power_on();
        std::vector<host::keys::KeyStamp> roots;
        std::ranges::copy_if(plan.keys, std::back_inserter(roots), [](const auto& key) {
            return key.national && key.use == KeyUse::purchase;
        });
        return roots;
    }

private:
    protocol::ChipSerial serial_{{0, 0, 0, 0, 0, 0, 0, 9}};
    crypto::SeededRandom random_{9, "chip"};
    tests::TearingFlash flash_{64};
    std::unique_ptr<firmware::Card> card_;
};

constexpr std::array<std::uint8_t, 8> some_card{1, 2, 3, 4, 5, 6, 7, 8};

/// "right": the SAM's MAC1 is that of a card of this version. Else its status word.
std::string purchase(SamChip& chip, RotationScene& scene, Suite suite, std::uint8_t version) {
    protocol::SamPurchaseData data{};
    data.type = protocol::TransactionType::purchase;
    data.when = {sam.valid_from, {}};
    data.amount = protocol::Money::from_fen(200);
    data.key_version = KeyVersion{version};
    data.suite = suite;
    data.card_factor = some_card;
    data.issuer_factor = issuer_id.value();
    const auto answers = chip.send(
        {protocol::select_file(protocol::sam_application), protocol::init_sam_for_purchase(data)});
    const auto& answer = answers.at(1);
    if (answer.size() != 10) return platform::to_hex(answer);
    const auto parsed =
        protocol::SamPurchaseAnswer::parse(protocol::Bytes{answer}.first(8)).value();
    const auto root = host::keys::reveal_purse(
        *scene.nation.store, national_key(KeyUse::purchase, suite, KeyVersion{version}));
    const auto key = crypto::purse::diversify(
        crypto::purse::diversify(root.value(), crypto::purse::factor_of(issuer_id)),
        crypto::purse::Factor{some_card});
    const auto process =
        crypto::purse::offline_process_key(key, data.random, data.counter, parsed.sequence);
    const auto expected = crypto::purse::purse_mac(
        process, protocol::purchase_mac1_input(data.amount, data.type, sam.terminal, data.when));
    return expected == parsed.mac1 ? "right" : "wrong";
}

bool proves_itself(SamChip& chip, const host::keys::KeyStore& issuer) {
    const host::keys::ProofChallenge challenge{7, 6, 5, 4, 3, 2, 1, 0};
    const auto commands = host::keys::proof_commands(issuer, sam, place, challenge).value();
    return host::keys::check_proof(issuer, sam, place, challenge, chip.send(commands)).has_value();
}

}  // namespace

TEST_CASE("SAM window: made during a rotation it serves both versions, newest first") {
    RotationScene scene;
    SamChip before{*scene.city.store};
    CHECK(before.personalise(*scene.open("issuer")).size() == 2);
    REQUIRE(host::keys::prepare(scene.city, {KeyUse::purchase, KeyAlgorithm::sm4}, &scene.nation,
                                scene.random, scene.clock)
                .has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    const auto issuer = scene.open("issuer");
    SamChip during{*scene.city.store};
    std::vector<std::string> stamps;
    for (const auto& key : during.personalise(*issuer)) {
        stamps.push_back(std::string{key.suite == Suite::sm4 ? "sm4 v" : "3des v"} +
                         std::to_string(key.version.value()));
    }
    CHECK(stamps == std::vector<std::string>{"sm4 v2", "sm4 v1", "3des v1"});
    CHECK(purchase(during, scene, Suite::sm4, 1) == "right");
    CHECK(purchase(during, scene, Suite::sm4, 2) == "right");
    CHECK(purchase(during, scene, Suite::triple_des, 1) == "right");
    CHECK(purchase(during, scene, Suite::triple_des, 2) == "9403");
    CHECK(purchase(during, scene, Suite::sm4, 3) == "9403");
    // A SAM from before serves old cards only, and is counted by sams_lack_it for that.
    CHECK(purchase(before, scene, Suite::sm4, 1) == "right");
    CHECK(purchase(before, scene, Suite::sm4, 2) == "9403");
    // A lost receipt is settled for both, though the issuer has moved on.
    CHECK(proves_itself(during, *issuer));
    CHECK(proves_itself(before, *issuer));
}

TEST_CASE("SAM window: a retired root goes into no new SAM") {
    RotationScene scene;
    REQUIRE(host::keys::prepare(scene.city, {KeyUse::purchase, KeyAlgorithm::sm4}, &scene.nation,
                                scene.random, scene.clock)
                .has_value());
    REQUIRE(scene.deliver_to("host").has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    REQUIRE(host::keys::activate(scene.city, {KeyUse::purchase, KeyAlgorithm::sm4}, scene.terms(),
                                 scene.clock)
                .has_value());
    REQUIRE(host::keys::retire(scene.city, {KeyUse::purchase, KeyAlgorithm::sm4}, KeyVersion{1},
                               scene.terms(), scene.clock)
                .has_value());
    REQUIRE(scene.deliver_to("issuer").has_value());
    SamChip chip{*scene.city.store};
    (void)chip.personalise(*scene.open("issuer"));
    CHECK(purchase(chip, scene, Suite::sm4, 2) == "right");
    CHECK(purchase(chip, scene, Suite::sm4, 1) == "9403");
}
