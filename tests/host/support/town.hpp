#pragma once
// A town for tests: keys made from a seed, devices that sign, cards that make genuine TACs and MACs
// as the chip does, and a host on a store in memory or in a file. Rehearsal money only.
#include <filesystem>
#include <map>
#include <memory>
#include <vector>

#include "crypto/core/sm2.hpp"
#include "crypto/random/seeded_random.hpp"
#include "host/service/host.hpp"
#include "host/store/sqlite_store.hpp"
#include "protocol/batch.hpp"
#include "protocol/load.hpp"

namespace host_test {

using protocol::BatchRecord;
using protocol::Bytes;
using protocol::CardNumber;
using protocol::CityCode;
using protocol::DateTime;
using protocol::DeviceId;
using protocol::IssuerId;
using protocol::Money;
using protocol::OperatorId;
using protocol::RecordKind;
using protocol::Suite;
using protocol::TerminalNumber;

[[nodiscard]] OperatorId operator_id(std::uint32_t number);
[[nodiscard]] DeviceId device_id(std::uint32_t number);
[[nodiscard]] TerminalNumber terminal_number(std::uint32_t number);
[[nodiscard]] CardNumber card_number(std::uint32_t number);
[[nodiscard]] IssuerId issuer_id(std::uint16_t city);
/// 2026-01-05, at this hour and minute.
[[nodiscard]] DateTime at(unsigned hour, unsigned minute = 0, unsigned second = 0);

/// Keys of one city from a seed, without a store.
class SeededKeys final : public host::Keys {
public:
    SeededKeys(std::uint64_t seed, CityCode city);
    [[nodiscard]] const crypto::batch::IssuerKeyTable& tac_masters() const override {
        return table_;
    }
    [[nodiscard]] std::optional<crypto::purse::PurseKey> load_key(
        const CardNumber& card, Suite suite, protocol::KeyVersion version) const override;
    [[nodiscard]] std::vector<crypto::purse::PurseKey> tac_keys(const CardNumber& card,
                                                                Suite suite) const override;
    [[nodiscard]] std::optional<protocol::Signature> sign_list(Bytes message) const override;
    [[nodiscard]] std::optional<protocol::Signature> sign_statement(Bytes message) const override;
    [[nodiscard]] const crypto::sm2::PrivateKey& signing() const { return signing_; }

private:
    [[nodiscard]] std::optional<crypto::purse::PurseKey> card_key(
        const std::map<Suite, crypto::purse::PurseKey>& masters, const CardNumber& card,
        Suite suite, protocol::KeyVersion version) const;
    mutable crypto::SeededRandom random_;
    std::map<Suite, crypto::purse::PurseKey> load_masters_;
    std::map<Suite, crypto::purse::PurseKey> tac_masters_;
    crypto::batch::IssuerKeyTable table_;
    crypto::sm2::PrivateKey signing_;
};

/// A purse as the card keeps it. Debits make records with a genuine TAC.
struct TestCard {
    CardNumber number;
    CityCode city;
    const host::Keys* keys = nullptr;
    Suite suite = Suite::sm4;
    std::uint32_t balance = 0;
    std::uint16_t offline_counter = 0;
    std::uint16_t online_counter = 0;

    [[nodiscard]] BatchRecord debit(TerminalNumber terminal, std::uint32_t sequence,
                                    std::uint32_t fen, DateTime when);
    /// The entry a gate keeps when the answer is lost. `debited`: whether the card did it.
    [[nodiscard]] BatchRecord torn(TerminalNumber terminal, std::uint32_t sequence,
                                   std::uint32_t fen, DateTime when, bool debited);
    /// Fills in what GET TRANSACTION PROVE answers.
    [[nodiscard]] BatchRecord prove(BatchRecord entry) const;
    [[nodiscard]] protocol::LoadRequest initialise_load(DeviceId device, std::uint32_t sequence,
                                                        std::uint32_t fen, DateTime when) const;
    /// The card checks MAC2 and books; the TAC, or nothing when MAC2 is wrong.
    [[nodiscard]] std::optional<protocol::Mac> credit(const protocol::LoadRequest& request,
                                                      const protocol::LoadAnswer& answer);
    void sign(BatchRecord& record) const;
};

/// A gate or kiosk: one operator, one SAM, one signing key.
class TestDevice {
public:
    TestDevice(std::uint32_t number, OperatorId owner, CityCode city);
    [[nodiscard]] std::vector<std::uint8_t> batch(const std::vector<BatchRecord>& records,
                                                  std::uint32_t sequence) const;
    [[nodiscard]] platform::PeerIdentity identity() const;
    [[nodiscard]] std::array<std::uint8_t, 64> public_key() const;
    /// Signs a file again after its bytes were changed.
    void sign(std::vector<std::uint8_t>& file) const;

    DeviceId id;
    OperatorId owner;
    CityCode city;
    TerminalNumber terminal;

private:
    mutable crypto::SeededRandom random_;
    crypto::sm2::PrivateKey key_;
};

/// A city with its host. `path` ":memory:" or a file that survives reopen().
class Town {
public:
    explicit Town(std::uint16_t city, std::vector<std::uint16_t> neighbours = {},
                  std::filesystem::path path = ":memory:");
    void reopen();
    void register_device(const TestDevice& device);
    void issue(const TestCard& card);
    [[nodiscard]] TestCard new_card(std::uint32_t number, Suite suite = Suite::sm4);
    /// Loaded through the host, to the end.
    void load(TestCard& card, const TestDevice& kiosk, std::uint32_t fen);
    [[nodiscard]] platform::HttpResponse send(const TestDevice& device, std::string target,
                                              Bytes body);
    [[nodiscard]] platform::HttpResponse get(const TestDevice& device, std::string target);
    [[nodiscard]] platform::HttpResponse admin(platform::HttpMethod method, std::string target,
                                               std::string body = {});
    void work();
    /// Sends a batch, works, and answers the outcomes' names, flags after '+'.
    [[nodiscard]] std::vector<std::string> clear(const TestDevice& device,
                                                 const std::vector<BatchRecord>& records);
    [[nodiscard]] std::vector<std::string> outcomes(const TestDevice& device,
                                                    std::uint32_t sequence);
    [[nodiscard]] std::int64_t balance(std::string_view account);
    [[nodiscard]] bool ledger_is_whole();
    [[nodiscard]] platform::PeerIdentity identity() const;

    SeededKeys keys;
    host::City city;
    platform::ManualClock clock;
    std::filesystem::path path;
    std::unique_ptr<host::store::Store> store;
    std::unique_ptr<host::Host> host;

private:
    std::map<DeviceId, std::uint32_t> sequences_;
    std::uint32_t load_sequence_ = 0;
};

/// A channel from one town's host to another's, that can lose requests and answers.
class Wire final : public platform::HttpChannel {
public:
    Wire(const Town& from, Town& to) : from_{from}, to_{to} {}
    [[nodiscard]] std::expected<platform::HttpResponse, platform::NetFailure> call(
        const platform::HttpRequest& request) override;
    bool lose_request = false;
    bool lose_answer = false;

private:
    const Town& from_;
    Town& to_;
};
/// Everything that waits goes through, both ways.
void exchange_all(Town& a, Town& b);

}  // namespace host_test
