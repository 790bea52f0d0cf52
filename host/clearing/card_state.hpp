#pragma once
// What the issuer remembers of one card: one small row. docs/outcomes.md, 3.
#include <optional>

#include "protocol/bytes.hpp"
#include "protocol/ids.hpp"
#include "protocol/money.hpp"

namespace host::clearing {

using protocol::Bytes;
using protocol::Fen;
using protocol::Money;
using protocol::OfflineCounter;
using protocol::Parsed;

/// Which of the card's recent offline counters are taken by proven debits. Gates deliver late and
/// out of order, so the newest alone is not enough.
class CounterWindow {
public:
    static constexpr unsigned width = 128;
    /// Taken, or so far behind the newest that nobody can tell.
    [[nodiscard]] bool is_taken(OfflineCounter counter) const;
    /// A proven debit with a later counter has been seen.
    [[nodiscard]] bool is_passed(OfflineCounter counter) const;
    /// Counters before this one that are missing, as far as the window reaches.
    [[nodiscard]] bool has_gap_before(OfflineCounter counter) const;
    void take(OfflineCounter counter);
    [[nodiscard]] std::optional<OfflineCounter> newest() const;
    /// How many counters the window still misses.
    [[nodiscard]] unsigned missing() const;

private:
    friend struct CardState;
    std::uint32_t count_ = 0;              // newest counter + 1; 0: none yet
    std::array<std::uint64_t, 2> bits_{};  // bit i of the pair: counter (newest - i) is taken
    [[nodiscard]] bool bit(unsigned index) const {
        return (bits_[index / 64] >> index % 64 & 1U) != 0;
    }
};

/// The balances around one debit, kept for the neighbours that arrive later.
struct DebitBalances {
    OfflineCounter counter;
    Money before;
    Money after;
};

struct CardState {
    CounterWindow counters;
    static constexpr std::size_t recent_size = 8;
    std::array<std::optional<DebitBalances>, recent_size> recent;  ///< place: counter % 8
    std::optional<protocol::OnlineCounter> last_load;              ///< of the newest confirmed load
    // Sums over the card's life, in fen. docs/ledger.md, 4.
    Fen loaded;           ///< confirmed loads
    Fen load_pending;     ///< answered with MAC2, not confirmed
    Fen loads_explained;  ///< of them, seen as rises of the balance between neighbouring debits
    Fen spent;            ///< debits somebody is paid for
    Fen disputed;         ///< debits nobody is paid for yet
    Fen returned;         ///< paid back to the holder
    static constexpr std::size_t size = 4 + 16 + recent_size * 11 + 3 + 6 * 8;

    /// Does `debit` continue from the debits beside it? A rise must be explained by loads. Records
    /// what it used up of them.
    [[nodiscard]] bool continues(const DebitBalances& debit);
    void remember(const DebitBalances& debit);
    /// After the newest debit we still know; zero before the first.
    [[nodiscard]] std::optional<DebitBalances> newest_balances() const;

    [[nodiscard]] std::array<std::uint8_t, size> bytes() const;
    [[nodiscard]] static Parsed<CardState> parse(Bytes data);

private:
    [[nodiscard]] std::optional<DebitBalances> at(std::uint32_t counter) const;
    [[nodiscard]] bool explains_rise(Money earlier_after, Money later_before);
};

}  // namespace host::clearing
