#pragma once
// A card, or a SAM: which one, its files say. An object without statics: a thousand live in one
// process. docs/card_commands.md is the contract.
//
//   firmware::Card::manufacture(flash, random, serial, transport_key);   // once, at the chip
//   maker's firmware::Card card{flash, random}; card.reset(atr); const auto size =
//   card.process(command, response); card.housekeeping(); // after the answer left
#include "firmware/kernel/migration.hpp"
#include "firmware/os/context.hpp"

namespace firmware {

constexpr std::size_t atr_size = 18;
using Atr = std::array<std::uint8_t, atr_size>;
/// This firmware's: the first version, so nobody has anything older.
constexpr ContentKnown content_known{};
using ResponseBuffer = std::span<std::uint8_t, protocol::short_response_size_max>;

class Card {
public:
    /// Makes a blank chip: its serial and its one transport key. Erases whatever was there.
    [[nodiscard]] static Outcome<void> manufacture(Flash& flash, crypto::Random& random,
                                                   const protocol::ChipSerial& serial,
                                                   const crypto::purse::PurseKey& transport_key,
                                                   protocol::KeyVersion version);

    /// `known` outlives the card: what this firmware makes of older content.
    Card(Flash& flash, crypto::Random& random, const ContentKnown& known = content_known)
        : store_{flash}, context_{store_, random}, known_{&known} {}

    /// Power on, or a warm reset: forgets every session, settles what a power loss left. On failure
    /// the chip is not a card, or is damaged: it stays mute.
    [[nodiscard]] Outcome<Atr> reset();
    /// Answers one command, SW1-SW2 included: 2..258 bytes. Whatever it changed is durable by then.
    [[nodiscard]] std::size_t process(Bytes command, ResponseBuffer response);
    /// Erases at most one page, when one is due. Call it after the answer has left, and after
    /// reset.
    void housekeeping();

    [[nodiscard]] StoreUsage usage() const { return store_.usage(); }

private:
    Store store_;
    Context context_;
    const ContentKnown* known_;
};

}  // namespace firmware
