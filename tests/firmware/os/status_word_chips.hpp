#pragma once
// The chips on which docs/card_commands.md, 10 is tried, in every state a chip can be in; what
// their memory holds, tries included; and what they are still good for.
#include <functional>
#include <map>

#include "tests/firmware/support/terminal.hpp"

namespace tests::status_words {

using protocol::KeyUsage;
using Data = std::vector<std::uint8_t>;

[[nodiscard]] Chip ready_card();  ///< has 49.99, and has paid once
[[nodiscard]] Chip ready_sam();
[[nodiscard]] Chip blank();
/// A ready card with files that the issuer's cards do not have: 19 (transparent, PIN / nobody), 1B
/// (variable, PIN / PIN, two records), 1C (fixed, anyone / 7F).
[[nodiscard]] Chip rich_card();
/// Files and keys, and no ACTIVATE.
[[nodiscard]] Chip unfinished();

/// Opens a personalisation session in a chip that is not yet active.
[[nodiscard]] crypto::purse::PersonalisationSession open_session(Chip& chip);
[[nodiscard]] std::array<std::uint8_t, 8> challenge_of(Chip& chip);
[[nodiscard]] Data bytes_of(const protocol::ShortCommand& command);
/// Selects the application that the chip was made for, if it has one.
void select_own(Chip& chip);
void select_master(Chip& chip);
void verify(Chip& card);
void block_pin(Chip& card);
void block_application(Chip& chip, std::uint8_t for_good);
void block_card(Chip& card);
/// Counters at their end.
void exhaust_counters(Chip& card);
void exhaust_numbers(Chip& sam);
/// Uses up the reserve of erased pages, as taps without housekeeping do, until no try can be taken:
/// until the next reset, which makes room.
void drain(Chip& chip);
void block_pin_and_drain(Chip& card);
/// The same, but the PIN can be shown once more.
void drain_but_for_the_pin(Chip& card);
/// The SAM of the terminal at which cards are tried.
[[nodiscard]] Chip& terminal_sam();

/// Objects of the chip's memory, to be damaged.
using Objects = std::vector<firmware::ObjectId>;
[[nodiscard]] Objects keys_of(const Chip& chip, KeyUsage usage);
[[nodiscard]] Objects all_objects(const Chip& chip);
/// The descriptions of the files with this identifier.
[[nodiscard]] Objects descriptions_of(const Chip& chip, std::uint16_t identifier);
/// Flips a bit of these objects while it lives.
class Damage {
public:
    Damage(Chip& chip, const Objects& objects);
    ~Damage();
    Damage(const Damage&) = delete;
    Damage& operator=(const Damage&) = delete;

private:
    Chip& chip_;
    std::vector<std::uint32_t> addresses_;
};

/// What the flash says after a reset.
struct Memory {
    std::map<unsigned, Data> objects;
    struct Tries {
        KeyUsage usage;  ///< of the key that they guard; 00: the transport key
        unsigned used;
        friend bool operator==(const Tries&, const Tries&) = default;
    };
    std::map<unsigned, Tries> tries;
    friend bool operator==(const Memory&, const Memory&) = default;
};
[[nodiscard]] Memory memory_of(TearingFlash flash);
constexpr KeyUsage transport_usage{0};

/// What a refused command may have done to the tries of the one key that it asks for.
enum class TryChange : std::uint8_t { none, rises_by_one, came_back, other };
[[nodiscard]] TryChange try_change(const Memory& before, const Memory& after,
                                   std::optional<KeyUsage> asked);

/// Uses the chip as the world does, and tells what it answered: a card pays one fen, a SAM opens a
/// purchase, a chip that is not active opens its issuer's session. A blocked application is
/// unblocked first, a grey-locked purse freed by the issuer, a full memory cleaned up.
[[nodiscard]] std::vector<unsigned> use(Chip& chip);

}  // namespace tests::status_words
