#pragma once
// What provokes each row of docs/card_commands.md, 10: the commands in the form that works, and the
// ways to spoil them. status_words_test.cpp walks the table with it.
#include <set>

#include "tests/firmware/os/status_word_chips.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::status_words {

struct Row {
    std::string command, word, cause;
    auto operator<=>(const Row&) const = default;
};
/// The rows of docs/card_commands.md, 10.
[[nodiscard]] std::vector<Row> read_table();
/// x stands for any digit: 63Cx, 6Cxx.
[[nodiscard]] bool matches(const std::string& word, unsigned status);
[[nodiscard]] std::string digits_of(unsigned status);

// ---- A command in the form that works ----------------------------------------------------------

enum class Form : std::uint8_t { right, plain, wrong_mac, no_challenge };

/// A command of the active card or SAM, ready to be sent in the right form or a wrong one.
struct Good {
    std::string name;
    std::function<Chip()> chip;
    std::array<std::uint8_t, 4> header;
    std::function<Data(Chip&)> data;  ///< says what must be said before
    std::optional<unsigned> le{};
    std::optional<KeyUsage> mac_key{};
    Data wrong_length{1, 2, 3};     ///< data of a length that is never right
    bool shows_pin_before = false;  ///< `data` takes a try

    [[nodiscard]] Data command(Chip& target, Form form = Form::right,
                               std::function<void(Data&, std::array<std::uint8_t, 4>&)> alter = {},
                               std::optional<unsigned> other_le = {}) const {
        Data body = data(target);
        auto head = header;
        if (alter) alter(body, head);
        const auto answer = other_le ? other_le : le;
        if (!mac_key) {
            return bytes_of(
                protocol::make_command(head[0], head[1], head[2], head[3], body, answer));
        }
        if (form == Form::plain) {
            return bytes_of(
                protocol::make_command(head[0] & 0xFB, head[1], head[2], head[3], body, answer));
        }
        Data out = bytes_of(protect(target, card_key(*mac_key, Suite::sm4), {head, body, answer}));
        const std::size_t mac = out.size() - (answer ? 1 : 0) - 1;
        if (form == Form::wrong_mac) out[mac] ^= 0x01;
        if (form == Form::no_challenge) (void)target.send(hex("805C000204"));
        return out;
    }
};

struct Provoker {
    Row row;
    std::function<Chip()> chip;
    std::function<void(Chip&)> arrange;
    std::function<Data(Chip&)> command;  ///< says what must be said before, answers the command
    bool may_change = false;             ///< the last try blocks, by contract
    std::function<Objects(const Chip&)> damage{};  ///< while the command runs
};

class Provokers {
public:
    std::vector<Provoker> all;
    std::map<std::string, Good> goods;  ///< by name

    void add(const std::string& command, const std::string& word, const std::string& cause,
             std::function<Chip()> chip, std::function<void(Chip&)> arrange,
             std::function<Data(Chip&)> command_of, bool may_change = false) {
        all.push_back({{command, word, cause},
                       std::move(chip),
                       std::move(arrange),
                       std::move(command_of),
                       may_change});
    }
    void add(const Good& good, const std::string& word, const std::string& cause,
             std::function<void(Chip&)> arrange, std::function<Data(Chip&)> command_of,
             bool may_change = false) {
        add(good.name, word, cause, good.chip, std::move(arrange), std::move(command_of),
            may_change);
    }
    /// 6581: a bit of these objects is flipped.
    void add_damaged(
        const Good& good, const std::string& cause, std::function<Objects(const Chip&)> damage,
        std::function<void(Chip&)> arrange = [](Chip&) {}) {
        add(good, "6581", cause, std::move(arrange),
            [good](Chip& chip) { return good.command(chip); });
        all.back().damage = std::move(damage);
    }
    void add_damaged_key(const Good& good, KeyUsage usage) {
        add_damaged(good, "key damaged",
                    [usage](const Chip& chip) { return keys_of(chip, usage); });
    }
};

inline void nothing(Chip&) {}
/// What most commands refuse alike. `letters` chooses: see the switch.
inline void add_common(Provokers& to, const Good& good, std::string_view letters) {
    const auto plain = [good](Chip& chip) { return good.command(chip); };
    const auto altered = [good](auto alter) {
        return [good, alter](Chip& chip) { return good.command(chip, Form::right, alter); };
    };
    to.goods.emplace(good.name, good);
    const auto then_blocked = [good](std::uint8_t for_good) {
        return [good, for_good](Chip& chip) {
            Data out = good.command(chip);
            block_application(chip, for_good);
            return out;
        };
    };
    for (const char letter : letters) {
        switch (letter) {
            case 'L':
                to.add(good, "6700", "length", nothing,
                       altered([wrong = good.wrong_length](Data& data, auto&) { data = wrong; }));
                break;
            case 'P':
                to.add(good, "6A86", "P1-P2", nothing,
                       altered([](Data&, auto& head) { head[2] = 0x7E, head[3] = 0x7F; }));
                break;
            case 'E':
                to.add(good, "6Cxx", "Le too small", nothing, [good](Chip& chip) {
                    return good.command(chip, Form::right, {}, *good.le - 1);
                });
                break;
            case 'B': to.add(good, "6A81", "application blocked", nothing, then_blocked(0)); break;
            case 'G':
                to.add(good, "9303", "application blocked for good", nothing, then_blocked(1));
                break;
            case 'F':
                to.add(good, "6A84", "reserve used up",
                       good.shows_pin_before ? drain_but_for_the_pin : drain, plain);
                break;
            case 'X': to.add_damaged_key(good, *good.mac_key); break;
            case 'S':
                to.add(good, "6882", "sent protected", nothing, [good](Chip& chip) {
                    Data out = good.command(chip);
                    out[0] |= 0x04;
                    return out;
                });
                break;
            case 'N':
                to.add(good, "6987", "sent plain", nothing,
                       [good](Chip& chip) { return good.command(chip, Form::plain); });
                break;
            case 'C':
                to.add(good, "6984", "no challenge", nothing,
                       [good](Chip& chip) { return good.command(chip, Form::no_challenge); });
                break;
            case 'M':
                to.add(good, "6988", "MAC wrong", nothing,
                       [good](Chip& chip) { return good.command(chip, Form::wrong_mac); });
                break;
            case 'T':
                to.add(
                    good, "6983", "tries used up",
                    [good](Chip& chip) {
                        for (int i = 0; i < 10; ++i) {
                            (void)chip.send(good.command(chip, Form::wrong_mac));
                        }
                    },
                    plain);
                break;
            case 'W': to.add(good, "6581", "the memory fails", nothing, plain); break;
            case 'D':
                to.add(good, "6D00", "another application", nothing, [good](Chip& chip) {
                    const Data out = good.command(chip);
                    select_master(chip);
                    return out;
                });
                break;
            case 'K': to.add(good, "6A88", "no such key", select_master, plain); break;
            default: throw std::logic_error{"no such letter"};
        }
    }
}

/// Every row that the tests know how to bring about.
[[nodiscard]] Provokers make_provokers();

/// How a command of the table is recognised; without p1, p2: whatever they are.
struct CommandName {
    std::string name;
    unsigned instruction;  ///< class without its protection bit, instruction
    std::optional<std::uint8_t> p1{}, p2{};
    std::optional<KeyUsage> tries{};  ///< the key that it may take a try of
};
[[nodiscard]] const std::vector<CommandName>& command_names();
/// The commands of the table that this one can be: several where its P1-P2 are nobody's.
[[nodiscard]] std::vector<CommandName> names_of(Bytes command, bool is_active);

}  // namespace tests::status_words
