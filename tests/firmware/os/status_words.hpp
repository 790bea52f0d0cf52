#pragma once
// What provokes each row of docs/card_commands.md, 10: the commands in the form that works, and the
// ways to spoil them. status_words_test.cpp walks the table with it.
#include <functional>
#include <map>

#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

namespace tests::status_words {

using protocol::KeyIndex;
using protocol::KeyUsage;
using Data = std::vector<std::uint8_t>;

struct Row {
    std::string command, word, cause;
    auto operator<=>(const Row&) const = default;
};

// ---- The chips ---------------------------------------------------------------------------------

[[nodiscard]] inline Chip ready_card() {
    static const Chip stock = [] {
        Chip card = issued_card();
        Chip sam = issued_sam();
        load(card, 5'000);
        card.must(debit(open_purchase(card, sam, 1, protocol::TransactionType::purchase)));
        return card;
    }();
    Chip card = stock.clone();
    card.must(protocol::select_by_name(protocol::transit_aid));
    return card;
}
[[nodiscard]] inline Chip ready_sam() {
    static const Chip stock = issued_sam();
    Chip sam = stock.clone();
    sam.must(protocol::select_by_name(protocol::sam_aid));
    return sam;
}
[[nodiscard]] inline Chip blank() {
    Chip chip{"blank"};
    chip.manufacture(card_serial);
    return chip;
}

[[nodiscard]] inline Data bytes_of(const protocol::ShortCommand& command) {
    return {command.bytes().begin(), command.bytes().end()};
}
[[nodiscard]] inline std::array<std::uint8_t, 8> challenge_of(Chip& chip) {
    std::array<std::uint8_t, 8> out{};
    std::ranges::copy(chip.must(protocol::get_challenge_8()), out.begin());
    return out;
}

/// Opens a personalisation session in a blank chip.
[[nodiscard]] inline crypto::purse::PersonalisationSession open_session(Chip& chip) {
    crypto::purse::PersonalisationSession session{
        crypto::purse::transport_key(transport_master(Suite::sm4), card_serial),
        challenge_of(chip)};
    chip.must(session.authenticate());
    return session;
}

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
    Data wrong_length{1, 2, 3};  ///< data of a length that is never right

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
};

class Provokers {
public:
    std::vector<Provoker> all;

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
};

inline void nothing(Chip&) {}
inline void select_master(Chip& chip) {
    chip.must(protocol::select_file(protocol::master_file));
}
inline void block_application(Chip& chip, std::uint8_t for_good) {
    chip.must(protect(chip, card_key(KeyUsage::application_lock, Suite::sm4),
                      {{0x84, 0x1E, 0, for_good}, {}}));
}
/// What most commands refuse alike. `letters` chooses: see the switch.
inline void add_common(Provokers& to, const Good& good, std::string_view letters) {
    const auto plain = [good](Chip& chip) { return good.command(chip); };
    const auto altered = [good](auto alter) {
        return [good, alter](Chip& chip) { return good.command(chip, Form::right, alter); };
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
            case 'B':
                to.add(
                    good, "6A81", "application blocked",
                    [](Chip& chip) { block_application(chip, 0); }, plain);
                break;
            case 'G':
                to.add(
                    good, "9303", "application blocked for good",
                    [](Chip& chip) { block_application(chip, 1); }, plain);
                break;
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
/// Class and instruction of each command of the table.
[[nodiscard]] std::map<std::string, unsigned> command_instructions();

}  // namespace tests::status_words
