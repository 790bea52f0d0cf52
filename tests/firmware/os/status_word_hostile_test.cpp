// Hostile commands on chips in every state, from outsiders who know how commands look and from
// insiders who have the keys: each answer stands in the rows of that very command
// (docs/card_commands.md, 10), a refusal changes nothing but a try, and the chip is good for what
// it was good for.
#include <algorithm>

#include <doctest/doctest.h>

#include "tests/firmware/os/status_words.hpp"
#include "tests/firmware/support/cuts.hpp"

using namespace tests;
using namespace tests::status_words;

namespace {

enum class Trouble : std::uint8_t { none, damaged_key, damaged_object, failing_memory };

struct Situation {
    std::string name;
    std::function<Chip()> make;
    Trouble trouble = Trouble::none;
    bool is_active = true;
    bool is_blocked = false;  ///< the card
};

/// The chip of `make` after `arrange`, made once.
[[nodiscard]] std::function<Chip()> arranged(Chip (*make)(), std::function<void(Chip&)> arrange) {
    return [=, stock = std::shared_ptr<Chip>{}]() mutable {
        if (!stock) {
            stock = std::make_shared<Chip>(make());
            arrange(*stock);
        }
        Chip chip = stock->clone();
        const auto own = chip.label() == "sam" ? protocol::select_by_name(protocol::sam_aid)
                                               : protocol::select_by_name(protocol::transit_aid);
        (void)chip.send(own);  // a blocked one says so
        return chip;
    };
}

[[nodiscard]] std::vector<Situation> situations() {
    const auto for_now = [](Chip& chip) { block_application(chip, 0); };
    const auto for_good = [](Chip& chip) { block_application(chip, 1); };
    const auto drained = [](Chip (*make)()) {
        return [make] {
            Chip chip = make();
            drain(chip);
            return chip;
        };
    };
    const auto in_master = [](Chip (*make)()) {
        return [make] {
            Chip chip = make();
            select_master(chip);
            return chip;
        };
    };
    const auto lose_all = [](Chip& chip) {
        for (int i = 0; i < 10; ++i) {
            (void)challenge_of(chip);
            (void)chip.send(hex("00820000 08 0000000000000000"));
        }
    };
    using enum Trouble;
    return {
        {"card", ready_card},
        {"card with other files", rich_card},
        {"card, MF", in_master(ready_card)},
        {"card, application blocked", arranged(ready_card, for_now)},
        {"card, application blocked for good", arranged(ready_card, for_good)},
        {"card blocked", arranged(ready_card, block_card), none, true, true},
        {"card grey-locked", arranged(ready_card, [](Chip& c) { lock_grey(c, terminal_sam()); })},
        {"card without reserve", drained(ready_card)},
        {"card, PIN without tries", arranged(ready_card, block_pin)},
        {"card, counters at their end", arranged(ready_card, exhaust_counters)},
        {"card, key damaged", ready_card, damaged_key},
        {"card, object damaged", rich_card, damaged_object},
        {"card, memory failing", ready_card, failing_memory},
        {"SAM", ready_sam},
        {"SAM, MF", in_master(ready_sam)},
        {"SAM blocked", arranged(ready_sam, for_now)},
        {"SAM blocked for good", arranged(ready_sam, for_good)},
        {"SAM without reserve", drained(ready_sam)},
        {"SAM without numbers", arranged(ready_sam, exhaust_numbers)},
        {"SAM, key damaged", ready_sam, damaged_key},
        {"SAM, object damaged", ready_sam, damaged_object},
        {"SAM, memory failing", ready_sam, failing_memory},
        {"chip", blank, none, false},
        {"chip without tries", arranged(blank, lose_all), none, false},
        {"chip, memory failing", blank, failing_memory, false},
        {"unfinished", arranged(unfinished, [](Chip&) {}), none, false},
        {"unfinished, object damaged", unfinished, damaged_object, false},
        {"unfinished, memory failing", unfinished, failing_memory, false},
    };
}

// ---- The attacker ------------------------------------------------------------------------------

template <class Range>
[[nodiscard]] const auto& one_of(Choices& choices, const Range& from) {
    return from[choices.below(from.size())];
}

[[nodiscard]] std::uint8_t edge(Choices& choices) {
    static constexpr std::array<std::uint8_t, 22> edges{
        0,    1,    2,    3,    4,    5,    0x08, 0x09, 0x15, 0x1F, 0x7F,
        0x80, 0x95, 0x97, 0xC4, 0xD4, 0xD0, 0xDC, 0xDF, 0xF4, 0xFE, 0xFF};
    return choices.below(4) == 0 ? static_cast<std::uint8_t>(choices.next())
                                 : one_of(choices, edges);
}

[[nodiscard]] Data random_data(Choices& choices) {
    static constexpr std::array<std::uint8_t, 18> sizes{0,  1,  2,  3,  4,  6,   7,   8,   11,
                                                        14, 15, 16, 23, 36, 128, 251, 254, 255};
    Data out(one_of(choices, sizes));
    for (auto& byte : out) byte = edge(choices);
    return out;
}

/// A command as it should be, apart: what an attacker changes.
struct Parts {
    std::array<std::uint8_t, 4> header;
    Data data;
    std::optional<unsigned> le;
};

void alter(Choices& choices, Data& data, std::array<std::uint8_t, 4>& header,
           std::optional<unsigned>& le) {
    for (std::uint64_t left = choices.below(3); left != 0; --left) {
        switch (choices.below(7)) {
            case 0: header[2] = edge(choices); break;
            case 1: header[3] = edge(choices); break;
            case 2: data = random_data(choices); break;
            case 3:
                if (!data.empty()) data[choices.below(data.size())] = edge(choices);
                break;
            case 4: data.resize(choices.below(2) == 0 ? data.size() / 2 : data.size() + 1); break;
            case 5: le = choices.below(257); break;
            default: le.reset();
        }
    }
    data.resize(std::min<std::size_t>(data.size(), 251));  // a MAC must fit
    if (le == 0U) le = 256;
}

/// An outsider: knows how every command looks, and has heard MACs, but makes none.
[[nodiscard]] Data from_outside(Choices& choices, const std::vector<Parts>& heard) {
    if (choices.below(40) == 0) {  // anything
        Data out = random_data(choices);
        if (choices.below(2) == 0) out.resize(std::min<std::size_t>(out.size(), 6));
        return out;
    }
    Parts parts = one_of(choices, heard);
    alter(choices, parts.data, parts.header, parts.le);
    if (choices.below(6) == 0) parts.header[0] ^= 0x04;
    if (choices.below(40) == 0) parts.header[0] = edge(choices);
    if (choices.below(40) == 0) parts.header[1] = edge(choices);
    Data out = bytes_of(protocol::make_command(parts.header[0], parts.header[1], parts.header[2],
                                               parts.header[3], parts.data, parts.le));
    if (choices.below(40) == 0)
        out.resize(out.size() - choices.below(std::min<std::size_t>(out.size(), 6)));
    return out;
}

/// An insider: has the keys and says what must be said before. Empty when the chip refuses that.
[[nodiscard]] Data from_inside(Choices& choices, const std::vector<Good>& goods, Chip& chip) {
    Good good = one_of(choices, goods);
    std::optional<unsigned> le = good.le;
    try {
        return good.command(chip, Form::right,
                            [&](Data& data, std::array<std::uint8_t, 4>& header) {
                                alter(choices, data, header, le);
                                good.le = le;
                            });
    } catch (const std::runtime_error&) {
        return {};
    }
}

/// The issuer of a chip that is not yet active: a session, and one command in it.
[[nodiscard]] Data in_session(Choices& choices, Chip& chip) {
    static const std::vector<Parts> known{
        {{0x84, 0x0E, 0, 0}, {}, {}},
        {{0x84, 0xE0, 0x00, 0x11}, hex("28 11 00 03 01 0010"), {}},
        {{0x84, 0xE0, 0x00, 0x12}, hex("2E 12 00 43 05 0017"), {}},
        {{0x84, 0xE0, 0x3F, 0x05}, hex("38 01 A00000000901"), {}},
        {{0x84, 0xD4, 0x06, 0x02}, Data(32), {}},
        {{0x84, 0xD4, 0x3A, 0x00}, Data(16), {}},
        {{0x04, 0xD6, 0x95, 0x00}, hex("1122"), {}},
        {{0x04, 0xDC, 0x01, 0xD4}, hex("1122"), {}},
        {{0x04, 0xE2, 0x00, 0xD0}, hex("1122"), {}},
        {{0x84, 0x44, 0x00, 0x00}, {}, 4},
        {{0x84, 0x24, 0x00, 0x00}, Data(16), {}},
        {{0x84, 0x1E, 0x00, 0x00}, {}, {}},
        {{0x84, 0x18, 0x00, 0x00}, {}, {}},
        {{0x84, 0x16, 0x00, 0x00}, {}, {}},
    };
    try {
        auto session = open_session(chip);
        if (choices.below(2) == 0) (void)chip.send(protocol::select_by_name(protocol::transit_aid));
        Parts parts = one_of(choices, known);
        const bool is_key = parts.header[1] == 0xD4 && choices.below(2) == 0;
        if (is_key) {
            return bytes_of(session.write_key(
                static_cast<KeyUsage>(choices.below(4) == 0 ? edge(choices) : 0x06),
                protocol::KeyIndex{edge(choices)}, protocol::KeyVersion{1},
                card_key(KeyUsage::purchase, Suite::sm4), choices.below(4) == 0 ? 0 : 10));
        }
        alter(choices, parts.data, parts.header, parts.le);
        return bytes_of(session.protect({parts.header, parts.data, parts.le}));
    } catch (const std::runtime_error&) {
        return {};
    }
}

/// What opens something, as it should be: so that what follows finds it open.
void open_something(Choices& choices, Chip& chip) {
    static const std::vector<Data> openers{
        hex("00840000 04"),
        hex("00840000 08"),
        hex("00200000 03 123456"),
        hex("80500102 0B 01 00000001 000001000050 0F"),
        hex("80500302 0B 01 00000000 000001000050 0F"),
        hex("80500002 0B 01 00000001 000001000050 10"),
        hex("80500502 0B 01 00000001 000001000050 10"),
        hex("80500402 0B 01 00000001 000001000050 13"),
        hex("E07A0801 07 01 000001000050 0F"),
        hex("E07A0901 07 01 000001000050 10"),
        hex("801A4500 10 31313131313131313131313131313131"),
        hex("801A4602 10 31313131313131313131313131313131"),
        hex("801A4703 10 31313131313131313131313131313131"),
        hex("801A4804 10 31313131313131313131313131313131"),
    };
    const Data& opener = one_of(choices, openers);
    const bool needs_pin = opener[1] == 0x50 || opener[1] == 0x7A;
    if (needs_pin && choices.below(4) != 0) (void)chip.send(openers[2]);
    (void)chip.send(opener);
}

// ---- The judge ---------------------------------------------------------------------------------

/// What the rows of a command allow; "any command" apart: those have causes that we can see.
class Judge {
public:
    Judge() {
        for (const Row& row : read_table()) words_[row.command].insert(row.word);
    }
    [[nodiscard]] bool allows(const Situation& where, Bytes command, unsigned answered,
                              bool is_hit) const {
        const auto parsed = protocol::CommandApdu::parse(command);
        if (!parsed || parsed->is_extended()) return answered == 0x6700;
        const unsigned base = command[0] & 0xFBU;
        if (base != 0x00 && base != 0x80 && base != 0xE0) {
            return answered == 0x6881 || answered == 0x6E00;
        }
        const auto names = names_of(command, where.is_active);
        if (names.empty()) return answered == 0x6D00;
        if (where.is_blocked && command[1] != 0xCA) return answered == 0x6A81;
        if (is_hit && answered == 0x6581) return true;
        return std::ranges::all_of(names, [&](const CommandName& name) {
            return std::ranges::any_of(words_.at(name.name), [&](const std::string& word) {
                return matches(word, answered);
            });
        });
    }

private:
    std::map<std::string, std::set<std::string>> words_;
};

[[nodiscard]] std::optional<KeyUsage> tried_by(Bytes command, bool is_active) {
    const auto names = names_of(command, is_active);
    return names.empty() ? std::nullopt : names.front().tries;
}

class Rounds {
public:
    explicit Rounds(std::uint64_t seed) : choices_{seed} {
        const Provokers provokers = make_provokers();
        for (const auto& [name, good] : provokers.goods) {
            goods_.push_back(good);
            Chip chip = good.chip();
            const Data command = good.command(chip);
            const auto parsed = protocol::CommandApdu::parse(command);
            heard_.push_back(
                {parsed->header(), {parsed->data().begin(), parsed->data().end()}, good.le});
        }
        heard_.push_back({{0x84, 0x0E, 0, 0}, Data(4), {}});
        heard_.push_back({{0x84, 0x44, 0, 0}, Data(4), 4});
        heard_.push_back({{0x84, 0xE0, 0, 0x11}, hex("2811000301001000000000"), {}});
    }

    std::set<std::string> unlisted, changed, unusable;
    unsigned refused = 0, kept_their_use = 0;

    /// Outsiders: the chip must stay what it was, whatever they try.
    void outside(const Situation& where, int commands) {
        Chip chip = where.make();
        Chip untouched = where.make();
        const auto good_for = use(untouched);
        is_spent_ = false;
        for (int i = 0; i < commands; ++i) {
            if (choices_.below(3) == 0) open_something(choices_, chip);
            send(where, chip, from_outside(choices_, heard_));
        }
        if (is_spent_) return;
        if (where.trouble == Trouble::failing_memory) chip.power_on();
        if (use(chip) == good_for) {
            ++kept_their_use;
        } else {
            unusable.insert(where.name);
        }
    }
    /// Insiders: what they are granted may change the chip for good, so each gets his own.
    void inside(const Situation& where, int commands) {
        for (int i = 0; i < commands; ++i) {
            Chip chip = where.make();
            const Data command = !where.is_active && choices_.below(4) != 0
                                     ? in_session(choices_, chip)
                                     : from_inside(choices_, goods_, chip);
            if (!command.empty()) send(where, chip, command);
        }
    }

private:
    void send(const Situation& where, Chip& chip, const Data& command) {
        const TearingFlash before = chip.flash();
        bool is_hit = false;
        unsigned answered = 0;
        {
            const Damage damage{chip, choose_damage(where, chip, is_hit)};
            if (where.trouble == Trouble::failing_memory)
                chip.flash().fail_after(choices_.below(9));
            answered = status(chip.send(command));
            chip.flash().repair();
        }
        const bool is_done = answered == 0x9000 || answered == 0x6283;
        note_spent(command, answered);
        if (is_done) return;
        ++refused;
        const std::string what =
            where.name + ": " + to_hex(command).substr(0, 48) + " -> " + digits_of(answered);
        if (!judge_.allows(where, command, answered, is_hit)) unlisted.insert(what);
        if (chip.flash().counts().programs == before.counts().programs) return;
        if (!is_unchanged(where, command, answered, memory_of(before), memory_of(chip.flash()))) {
            changed.insert(what);
        }
    }
    /// What makes the comparison of the uses moot: tries are at their end, or a PIN is another.
    void note_spent(Bytes command, unsigned answered) {
        const bool is_end = answered == 0x9303 || answered == 0x6983 || answered == 0x63C0;
        const bool is_new_pin = command.size() > 1 && command[1] == 0x5E && answered == 0x9000;
        if (is_end || is_new_pin) is_spent_ = true;
    }
    [[nodiscard]] bool is_unchanged(const Situation& where, Bytes command, unsigned answered,
                                    const Memory& before, const Memory& after) const {
        const bool has_failed = where.trouble == Trouble::failing_memory;
        const bool is_erase = command.size() > 1 && command[1] == 0x0E;  // many commits: section 3
        if (is_erase && answered == 0x6581) return true;
        // Where the last operation of a commit is the one that fails, a reset finds the new state.
        if (has_failed && answered == 0x6581) return true;
        if (answered != 0x9303 && after.objects != before.objects) return false;
        const TryChange change = try_change(before, after, tried_by(command, where.is_active));
        if (change == TryChange::other) return false;
        if (has_failed) return true;  // a try that was right could not come back
        if (change != TryChange::rises_by_one) return true;
        static const std::set<unsigned> behind_a_try{0x6988, 0x9302, 0x9303, 0x6581, 0x6A84};
        return behind_a_try.contains(answered) || (answered & 0xFFF0U) == 0x63C0;
    }
    [[nodiscard]] Objects choose_damage(const Situation& where, const Chip& chip, bool& is_hit) {
        if (where.trouble != Trouble::damaged_key && where.trouble != Trouble::damaged_object) {
            return {};
        }
        Objects all = all_objects(chip);
        if (where.trouble == Trouble::damaged_key) {
            std::erase_if(all, [](firmware::ObjectId id) {
                return id.value() < firmware::objects::key_first ||
                       id.value() >= firmware::objects::key_tries_first;
            });
        }
        const firmware::ObjectId hit = one_of(choices_, all);
        const auto application = descriptions_of(chip, chip.label() == "sam" ? 0x3F02 : 0x3F01);
        is_hit = hit == firmware::objects::chip ||
                 std::ranges::find(application, hit) != application.end();
        return {hit};
    }

    Choices choices_;
    Judge judge_;
    std::vector<Good> goods_;
    std::vector<Parts> heard_;
    bool is_spent_ = false;
};

}  // namespace

TEST_CASE("status words: hostile commands answer nothing that their own rows do not list") {
    const std::uint64_t seed = setting("ONECARD_TEAR_SEED", 20'260'501);
    const auto rounds_of_each = static_cast<int>(setting("ONECARD_HOSTILE_ROUNDS", 4));
    MESSAGE("seed " << seed);
    Rounds rounds{seed};
    const auto all = situations();
    for (const Situation& where : all) {
        for (int round = 0; round < rounds_of_each; ++round) {
            rounds.outside(where, 40);
            rounds.inside(where, 25);
        }
    }
    for (const std::string& what : rounds.unlisted) FAIL_CHECK(what);
    for (const std::string& what : rounds.changed) FAIL_CHECK(("it changed: " + what));
    for (const std::string& what : rounds.unusable) FAIL_CHECK(("not what it was: " + what));
    MESSAGE("refused " << rounds.refused << ", rounds with the use kept " << rounds.kept_their_use);
    CHECK(rounds.refused > all.size() * static_cast<unsigned>(rounds_of_each) * 40);
    CHECK(rounds.kept_their_use > all.size() * static_cast<unsigned>(rounds_of_each) / 2);
}
