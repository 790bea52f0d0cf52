#pragma once
// Blank chips turned into a transit card and a SAM, as an issuer does it, with keys that a test
// knows.
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/random/seeded_random.hpp"
#include "firmware/os/card.hpp"
#include "tests/firmware/support/tearing_flash.hpp"

namespace tests {

using crypto::purse::PurseKey;
using protocol::Bytes;
using protocol::StatusWord;
using protocol::Suite;

/// A response that owns its bytes.
struct Answer {
    std::vector<std::uint8_t> data;
    StatusWord status{};
    [[nodiscard]] bool ok() const { return status == StatusWord::ok; }
};

/// One command and what the chip answered, status word included.
struct Exchange {
    std::vector<std::uint8_t> command, answer;
};

/// Seeded, except for the bytes that a test wants next.
class ScriptedRandom final : public crypto::Random {
public:
    explicit ScriptedRandom(crypto::SeededRandom source) : source_{std::move(source)} {}
    void fill(protocol::MutableBytes out) override;
    void next(Bytes bytes) { next_.insert(next_.end(), bytes.begin(), bytes.end()); }

private:
    crypto::SeededRandom source_;
    std::vector<std::uint8_t> next_;
};

/// What answers commands: a chip here, or one in an emulator.
class Party {
public:
    virtual ~Party() = default;
    virtual Answer send(Bytes command) = 0;
    /// Sends and requires 9000.
    std::vector<std::uint8_t> must(Bytes command);

protected:
    Party() = default;
    Party(const Party&) = default;
    Party(Party&&) = default;
    Party& operator=(const Party&) = default;
    Party& operator=(Party&&) = default;
};

constexpr std::uint16_t chip_pages_default = 64;

/// A chip with its flash and random source; survives PowerLost by being powered on again.
class Chip final : public Party {
public:
    explicit Chip(std::string_view label, std::uint64_t seed = 1,
                  std::uint16_t pages = chip_pages_default);
    /// A blank chip with this serial; its transport key is derived from `transport_master()`.
    void manufacture(const protocol::ChipSerial& serial, Suite suite = Suite::sm4);
    /// Power off and on.
    void power_on();
    Answer send(Bytes command) override;
    /// From now on every exchange is kept, until the next power_on.
    void record() { exchanges_.emplace(); }
    [[nodiscard]] const std::vector<Exchange>& exchanges() const { return *exchanges_; }
    [[nodiscard]] std::uint64_t seed() const { return seed_; }
    [[nodiscard]] const std::string& label() const { return label_; }
    [[nodiscard]] TearingFlash& flash() { return *flash_; }
    [[nodiscard]] ScriptedRandom& random() { return *random_; }
    [[nodiscard]] firmware::Card& card() { return *card_; }
    /// Tries left of a key of the current application's DF, as the flash has them.
    [[nodiscard]] unsigned tries_left(protocol::KeyUsage usage, protocol::KeyIndex index) const;
    /// The same flash content in a new chip, with a fresh random source of the same seed.
    [[nodiscard]] Chip clone() const;
    /// The same chip with this content, powered on.
    [[nodiscard]] Chip with(const TearingFlash& content) const;

private:
    std::uint64_t seed_;
    std::string label_;
    std::unique_ptr<TearingFlash> flash_;
    std::unique_ptr<ScriptedRandom> random_;
    std::unique_ptr<firmware::Card> card_;
    std::optional<std::vector<Exchange>> exchanges_;
};

/// National masters and what a card of this issuer and number gets from them.
[[nodiscard]] PurseKey master_key(protocol::KeyUsage usage, Suite suite);
[[nodiscard]] PurseKey transport_master(Suite suite);
[[nodiscard]] PurseKey card_key(protocol::KeyUsage usage, Suite suite);
/// The SAM's key 36 of its MF, for the terminal number.
[[nodiscard]] PurseKey sam_master_file_key(Suite suite);

/// A key of an issued chip. docs/card_commands.md, 3.
struct IssuedKey {
    protocol::FileIdentifier file;  ///< of the MF or DF that holds it
    protocol::KeyUsage usage;
    protocol::KeyIndex index;
    PurseKey key;
    std::uint8_t limit = 0;  ///< a delegated key's, with its uses
    protocol::KeyUses uses = protocol::uses_unlimited;
};
/// Every key but the PIN, in the order in which an application gets them.
[[nodiscard]] std::vector<IssuedKey> issued_card_keys(Suite suite);
[[nodiscard]] std::vector<IssuedKey> issued_sam_keys(Suite suite);

extern const protocol::IssuerId issuer;
extern const protocol::CardNumber card_number;
extern const protocol::TerminalNumber terminal;
constexpr std::array<std::uint8_t, 3> first_pin{0x12, 0x34, 0x56};
constexpr protocol::KeyVersion key_version{1};
/// The SAM's delegated keys: locks 00 (SM4) and 01 (3DES), general 02 to 04, and locks 05 (SM4) and
/// 06 (3DES) that may be used so often.
constexpr protocol::KeyUses counted_uses{3};
constexpr std::uint8_t counted_lock_index(Suite suite) {
    return suite == Suite::sm4 ? 5 : 6;
}

/// The whole sequence of docs/card_commands.md, 3, from one challenge.
[[nodiscard]] std::vector<protocol::ShortCommand> transit_card_script(
    const std::array<std::uint8_t, 8>& challenge, const protocol::ChipSerial& serial, Suite suite,
    protocol::Mac* receipt = nullptr);
/// `suite`: of the keys that manage the SAM itself; what it computes with it has in both.
[[nodiscard]] std::vector<protocol::ShortCommand> sam_script(
    const std::array<std::uint8_t, 8>& challenge, const protocol::ChipSerial& serial,
    protocol::Mac* receipt = nullptr, Suite suite = Suite::sm4);

constexpr protocol::ChipSerial card_serial{{0, 1, 2, 3, 4, 5, 6, 7}};
constexpr protocol::ChipSerial sam_serial{{0x5A, 1, 2, 3, 4, 5, 6, 7}};

/// Ready for use, powered on, transit application selected.
[[nodiscard]] Chip issued_card(Suite suite = Suite::sm4, std::uint64_t seed = 1,
                               std::uint16_t pages = chip_pages_default);
[[nodiscard]] Chip issued_sam(std::uint64_t seed = 1, Suite suite = Suite::sm4,
                              std::uint16_t pages = chip_pages_default);

// ---- What a terminal does ----
[[nodiscard]] std::uint32_t balance(Chip& card);
[[nodiscard]] protocol::DateTime noon();

}  // namespace tests
