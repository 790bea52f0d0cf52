#pragma once
// The gate's hot lists: taken only when signed by the city and newer, in force from their effective
// time. docs/journal.md, "Hot list".
#include "platform/clock.hpp"
#include "terminal/journal/journal.hpp"

namespace terminal {

enum class HotListRefusal : std::uint8_t {  // In the order they are checked.
    hot_list_malformed,
    hot_list_other_mark,  ///< a rehearsal's list at a live gate, or the other way round
    hot_list_other_city,
    hot_list_signature_wrong,
    hot_list_older,  ///< its sequence is not above every sequence held
    journal_failed,  ///< it could not be kept: the old one stays
};
[[nodiscard]] const char* name(HotListRefusal refusal);

struct HotListPublisher {
    CityCode city;
    protocol::Mark mark = protocol::Mark::live;
    crypto::sm2::PublicKey key;
};

/// Safe from several threads: a tap looks while a list is being taken.
class HotListKeeper final : public HotCards {
public:
    /// `journal` and `clock` outlive it.
    HotListKeeper(const HotListPublisher& publisher, Journal& journal, const platform::Clock& clock)
        : publisher_{publisher}, journal_{journal}, clock_{clock} {}

    /// At start-up: the lists that the journal kept, checked again. A bad one is left out.
    [[nodiscard]] Stored<void> load();
    [[nodiscard]] std::expected<protocol::ListSequence, HotListRefusal> offer(
        std::vector<std::uint8_t> file);

    /// Of the list in force now; 0 when there is none.
    [[nodiscard]] protocol::ListSequence sequence_in_force() const;
    /// The newest held, in force or waiting for its time.
    [[nodiscard]] protocol::ListSequence newest() const;

    /// How many lists are in memory: the one in force and later ones.
    [[nodiscard]] std::size_t held() const;

    [[nodiscard]] bool in_force() const override { return list_in_force() != nullptr; }
    [[nodiscard]] bool lists(const CardNumber& card, const DateTime& when) const override;
    [[nodiscard]] bool lists_sam(const protocol::SamNumber& sam, const DateTime& when) const;

private:
    struct Held {
        std::vector<std::uint8_t> file;
        protocol::HotListView view;  ///< refers to `file`
    };
    using HeldList = std::shared_ptr<const Held>;
    [[nodiscard]] std::expected<HeldList, HotListRefusal> check(
        std::vector<std::uint8_t> file) const;
    [[nodiscard]] HeldList list_in_force() const;
    void forget_before(protocol::ListSequence sequence);
    [[nodiscard]] bool listed(protocol::HotKind kind, const std::array<std::uint8_t, 10>& number,
                              const DateTime& when) const;

    HotListPublisher publisher_;
    Journal& journal_;
    const platform::Clock& clock_;
    mutable std::mutex mutex_;
    std::vector<HeldList> held_;  ///< rising sequences
};

}  // namespace terminal
