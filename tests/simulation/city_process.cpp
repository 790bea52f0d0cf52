#include "tests/simulation/city_process.hpp"

#include <stdexcept>

#include "tests/simulation/chips.hpp"

namespace simulation {

using crypto::purse::PurseKey;
using protocol::KeyUsage;

namespace {

crypto::sm2::PrivateKey generate_key(crypto::SeededRandom random) {
    auto key = crypto::sm2::PrivateKey::generate(random);
    if (!key) throw std::runtime_error{"no key from this random source"};
    return std::move(*key);
}

std::optional<PurseKey> card_key(KeyUsage usage, const protocol::IssuerId& issuer,
                                 const protocol::CardNumber& card, protocol::Suite suite,
                                 protocol::KeyVersion version) {
    if (suite != protocol::Suite::sm4 || version != key_version) return std::nullopt;
    return crypto::purse::diversify(national_master(usage), issuer, card);
}

}  // namespace

CityKeys::CityKeys(const CityPlan& plan, const crypto::SeededRandom& random)
    : issuer_{plan.issuer}, random_{random.fork("nonces")}, key_{generate_key(random.fork("key"))} {
    const PurseKey master = crypto::purse::diversify(
        national_master(KeyUsage::transaction_certificate), crypto::purse::factor_of(plan.issuer));
    const auto added = tac_masters_.add(
        {plan.issuer, crypto::batch::KeyPurpose::tac, key_version, protocol::Suite::sm4},
        master.value.bytes());
    if (!added) throw std::runtime_error{"the key table refuses the city's master"};
}

std::optional<PurseKey> CityKeys::load_key(const protocol::CardNumber& card, protocol::Suite suite,
                                           protocol::KeyVersion version) const {
    return card_key(KeyUsage::load, issuer_, card, suite, version);
}
std::vector<PurseKey> CityKeys::tac_keys(const protocol::CardNumber& card,
                                         protocol::Suite suite) const {
    std::vector<PurseKey> keys;
    auto key = card_key(KeyUsage::transaction_certificate, issuer_, card, suite, key_version);
    if (key) keys.push_back(*std::move(key));
    return keys;
}

std::optional<protocol::Signature> CityKeys::sign_list(protocol::Bytes message) const {
    const auto signature = crypto::sm2::sign(key_, crypto::sm2::default_id, message, random_);
    if (!signature) return std::nullopt;
    return *signature;
}

std::array<std::uint8_t, 64> CityKeys::public_bytes() const {
    std::array<std::uint8_t, 64> out{};
    std::ranges::copy(public_key().bytes(), out.begin());
    return out;
}

CityProcess::CityProcess(const host::City& city, const CityKeys& keys, const platform::Clock& clock,
                         const std::string& disk_name, const crypto::SeededRandom& random)
    : city_{city}, keys_{keys}, clock_{clock}, random_{random}, disk_{disk_name} {
    start();
}

void CityProcess::start() {
    host::store::SqliteStoreOptions options;
    options.vfs = disk_.vfs();
    auto store = host::store::open_sqlite_store("host.db", options);
    if (!store) throw std::runtime_error{"the host's store does not open: " + store.error().text};
    store_ = std::move(*store);
    auto opened = host::Host::open(city_, *store_, keys_, clock_);
    if (!opened) throw std::runtime_error{"the host does not start: " + opened.error().detail};
    host_ = std::move(*opened);
}

void CityProcess::kill_and_restart() {
    disk_.crash(random_);
    host_.reset();
    store_.reset();
    disk_.refill();
    start();
}

}  // namespace simulation
