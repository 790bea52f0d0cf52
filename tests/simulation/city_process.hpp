#pragma once
// One city's clearing house in a simulated day: the product's own host::Host on a disk that loses
// what was not synced.
#include <optional>
#include <string>

#include "crypto/core/sm2.hpp"
#include "host/service/host.hpp"
#include "host/store/sqlite_store.hpp"
#include "tests/simulation/lossy_disk.hpp"

namespace simulation {

struct CityPlan {
    protocol::CityCode code;
    protocol::IssuerId issuer;
    protocol::OperatorId operator_id;
};

/// The city's keys, under the national masters of chips.hpp.
class CityKeys final : public host::Keys {
public:
    CityKeys(const CityPlan& plan, const crypto::SeededRandom& random);
    [[nodiscard]] const crypto::batch::IssuerKeyTable& tac_masters() const override {
        return tac_masters_;
    }
    [[nodiscard]] std::optional<crypto::purse::PurseKey> load_key(
        const protocol::CardNumber& card, protocol::Suite suite,
        protocol::KeyVersion version) const override;
    [[nodiscard]] std::vector<crypto::purse::PurseKey> tac_keys(
        const protocol::CardNumber& card, protocol::Suite suite) const override;
    [[nodiscard]] std::optional<protocol::Signature> sign_list(
        protocol::Bytes message) const override;
    [[nodiscard]] std::optional<protocol::Signature> sign_statement(
        protocol::Bytes message) const override {
        return sign_list(message);
    }
    [[nodiscard]] const crypto::sm2::PublicKey& public_key() const { return key_.public_key(); }
    [[nodiscard]] std::array<std::uint8_t, 64> public_bytes() const;

private:
    protocol::IssuerId issuer_;
    mutable crypto::SeededRandom random_;
    crypto::sm2::PrivateKey key_;
    crypto::batch::IssuerKeyTable tac_masters_;
};

/// Killed and started again, it goes on with what its disk kept.
class CityProcess {
public:
    CityProcess(const host::City& city, const CityKeys& keys, const platform::Clock& clock,
                const std::string& disk_name, const crypto::SeededRandom& random);

    [[nodiscard]] host::Host& host() { return *host_; }
    [[nodiscard]] host::store::Store& store() { return *store_; }
    [[nodiscard]] const host::City& city() const { return city_; }
    [[nodiscard]] LossyDisk& disk() { return disk_; }
    /// SIGKILL and loss of power together, then a new start.
    void kill_and_restart();
    /// Dies somewhere in its work: at one of the next writes to its disk.
    void arm_kill() { disk_.fill_after(random_.below(30)); }

    bool accepts_calls = true;  ///< false: nobody answers at its address for a while

private:
    void start();

    host::City city_;
    const CityKeys& keys_;
    const platform::Clock& clock_;
    crypto::SeededRandom random_;
    LossyDisk disk_;
    std::unique_ptr<host::store::Store> store_;
    std::unique_ptr<host::Host> host_;
};

/// The whole store in one read transaction; stops the test when the store fails.
template <class Read>
void look(host::store::Store& store, const Read& read) {
    const auto done = store.transact([&] {
        read();
        return host::store::End::commit;
    });
    if (!done) throw std::runtime_error{"the store does not answer: " + done.error().text};
}

}  // namespace simulation
