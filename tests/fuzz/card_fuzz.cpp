// Hostile commands to a card, a SAM or a blank chip that is in the middle of something; no key is
// known to the input. What must hold is written at the watchers: W1..W4, I1..I5, P1..P3, S1..S3,
// B1..B3 (support/*.hpp).
//
// The input: one byte that chooses chip and state, then commands as length and bytes. A length with
// its high bit set asks the harness for a legitimate step in between, or for a power cut in what
// comes next.
#include "tests/fuzz/support/stock.hpp"
#include "tests/fuzz/support/watched_blank.hpp"

namespace {

using fuzz::Bytes;
using fuzz::Chip;
using fuzz::Stock;
using fuzz::Suite;

constexpr int commands_max = 24;

class Run {
public:
    Run(fuzz::WatchedChip& chip, bool is_card, Bytes pin)
        : chip_{&chip}, is_card_{is_card}, pin_{pin} {}

    void play(std::uint8_t choice, protocol::ByteReader in) {
        for (std::uint8_t bit = 0; bit < 3; ++bit) {
            if ((choice & 0x04 << bit) != 0) attempt(static_cast<std::uint8_t>(0x80 | bit), in);
        }
        for (int commands = 0; commands < commands_max && !in.empty(); ++commands) {
            attempt(*in.take_u8(), in);
        }
    }

private:
    void attempt(std::uint8_t length, protocol::ByteReader& in) {
        try {
            if ((length & 0x80) == 0) {
                (void)chip_->send(*in.take(std::min<std::size_t>(length, in.size())));
            } else if ((length & 0x40) != 0) {
                chip_->arm({static_cast<std::uint64_t>(length & 0x3F), tests::Tear::complete});
            } else {
                legitimate_step(static_cast<std::uint8_t>(length & 0x3F));
            }
        } catch (const fuzz::Torn&) {
            // It is on again, nothing is selected.
        }
    }

    /// Refusals are fine: the state may be anything.
    void legitimate_step(std::uint8_t step) {
        using namespace protocol;
        (void)chip_->send(is_card_ ? select_by_name(transit_aid) : select_by_name(sam_aid));
        const auto five = tests::initialise_data(5);
        switch (step % 8) {
            case 0: (void)chip_->send(verify_pin(pin_)); break;
            case 1: (void)chip_->send(initialise_for_load(five)); break;
            case 2: (void)chip_->send(initialise_for_capp_purchase(five)); break;
            case 3: (void)chip_->send(initialise_for_purchase(five)); break;
            case 4: (void)chip_->send(get_challenge_8()); break;
            case 5: chip_->restart(); break;
            case 6:
                (void)chip_->send(initialise_for_grey_lock({KeyIndex{1}, tests::terminal}));
                break;
            default: (void)chip_->send(get_challenge_4());
        }
    }

    fuzz::WatchedChip* chip_;
    bool is_card_;
    Bytes pin_;
};

void play_card(const Stock& stock, Suite suite, Bytes input, std::uint8_t choice,
               protocol::ByteReader in) {
    fuzz::Secrets secrets{input};
    fuzz::WatchedPurse card{stock.card(suite).clone(), secrets, suite, Stock::purse(),
                            fuzz::secret_pin};
    card.select();
    Run{card, true, fuzz::secret_pin}.play(choice, in);
    Chip sam = stock.sam().clone();
    sam.must(protocol::select_by_name(protocol::sam_aid));
    card.finish(sam);
}

void play_sam(const Stock& stock, Bytes input, std::uint8_t choice, protocol::ByteReader in) {
    fuzz::Secrets secrets{input};
    fuzz::WatchedSam sam{stock.sam().clone(), secrets};
    sam.select();
    Run{sam, false, {}}.play(choice, in);
    Chip card = stock.card(Suite::sm4).clone();
    card.must(protocol::select_by_name(protocol::transit_aid));
    sam.finish(card, Suite::sm4);
}

void play_blank(const Stock& stock, const Chip& blank, Bytes input, std::uint8_t choice,
                protocol::ByteReader in) {
    fuzz::Secrets secrets{input};
    fuzz::WatchedBlank chip{blank.clone(), secrets, Suite::sm4};
    Run{chip, true, tests::first_pin}.play(choice, in);
    Chip sam = stock.sam().clone();
    sam.must(protocol::select_by_name(protocol::sam_aid));
    chip.finish(sam);
}

[[nodiscard]] Chip make_blank() {
    Chip chip{"blank"};
    chip.manufacture(tests::card_serial);
    return chip;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static const Stock stock;
    static const Chip blank = make_blank();
    const Bytes input{bytes, size};
    protocol::ByteReader in{input};
    const auto choice = in.take_u8();
    if (!choice) return 0;
    switch (*choice & 0x03) {
        case 0: play_card(stock, Suite::sm4, input, *choice, in); break;
        case 1: play_card(stock, Suite::triple_des, input, *choice, in); break;
        case 2: play_sam(stock, input, *choice, in); break;
        default: play_blank(stock, blank, input, *choice, in);
    }
    return 0;
}
