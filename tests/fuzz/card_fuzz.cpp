// Hostile commands to a card or SAM that is in the middle of something. Whatever is sent: an answer
// of 2..258 bytes, never more money than was loaded, never a key byte outside, never a stuck card.
// The input: one byte that chooses chip and state, then commands as length and bytes. A length with
// its high bit set asks the harness for a legitimate step in between.
#include "tests/firmware/support/terminal.hpp"

namespace {

using protocol::KeyUsage;
using protocol::TransactionType;
using tests::Bytes;
using tests::Chip;
using tests::Suite;

constexpr std::uint32_t loaded_fen = 10'000;

/// Chips made once, cloned for every input.
struct Stock {
    Chip card = loaded_card(Suite::sm4);
    Chip old_card = loaded_card(Suite::triple_des);
    Chip sam = tests::issued_sam();
    Chip blank = blank_chip();

    static Chip loaded_card(Suite suite) {
        Chip chip = tests::issued_card(suite);
        tests::load(chip, loaded_fen, suite);
        return chip;
    }
    static Chip blank_chip() {
        Chip chip{"blank"};
        chip.manufacture(tests::card_serial);
        return chip;
    }
};

enum class Kind : std::uint8_t { card, old_card, sam, blank };

class Run {
public:
    Run(Stock& stock, std::uint8_t choice)
        : kind_{static_cast<Kind>(choice & 0x03)}, sam_{stock.sam.clone()}, chip_{start(stock)} {
        if ((choice & 0x04) != 0) legitimate_step(0);
        if ((choice & 0x08) != 0) legitimate_step(1);
        if ((choice & 0x10) != 0) legitimate_step(2);
    }

    void send(Bytes command) {
        const auto answer = chip_.send(command);
        if (answer.data.size() > 256) __builtin_trap();
        check_no_key(answer.data);
    }

    /// Refusals are fine: the state may be anything.
    void legitimate_step(std::uint8_t step) {
        (void)chip_.send(is_card() ? protocol::select_by_name(protocol::transit_aid)
                                   : protocol::select_by_name(protocol::sam_aid));
        switch (step % 6) {
            case 0: (void)chip_.send(protocol::verify_pin(tests::first_pin)); break;
            case 1:
                (void)chip_.send(protocol::initialise_for_load(tests::initialise_data(5)));
                break;
            case 2:
                (void)chip_.send(protocol::initialise_for_capp_purchase(tests::initialise_data(5)));
                break;
            case 3:
                (void)chip_.send(protocol::initialise_for_purchase(tests::initialise_data(5)));
                break;
            case 4: (void)chip_.send(protocol::get_challenge_8()); break;
            case 5: chip_.power_on(); break;
        }
    }

    void finish() {
        chip_.power_on();  // throws when the chip has become mute
        if (!is_card()) return;
        const auto selected = chip_.send(protocol::select_by_name(protocol::transit_aid));
        // Ten wrong MACs block the purse for good; it is still selected and read.
        if (selected.status != protocol::StatusWord::ok &&
            selected.status != protocol::StatusWord::file_invalidated) {
            __builtin_trap();
        }
        if (tests::balance(chip_) != loaded_fen) __builtin_trap();
    }

private:
    [[nodiscard]] bool is_card() const { return kind_ == Kind::card || kind_ == Kind::old_card; }
    Chip start(Stock& stock) const {
        switch (kind_) {
            case Kind::card: return stock.card.clone();
            case Kind::old_card: return stock.old_card.clone();
            case Kind::sam: return stock.sam.clone();
            case Kind::blank: return stock.blank.clone();
        }
        __builtin_trap();
    }
    /// Eight bytes of any key in an answer would be a leak; chance alone is 2^-64.
    static void check_no_key(Bytes answer) {
        static constexpr std::array usages{KeyUsage::purchase,    KeyUsage::load,
                                           KeyUsage::maintenance, KeyUsage::transaction_certificate,
                                           KeyUsage::control,     KeyUsage::application_lock};
        static const auto keys = [] {
            std::vector<std::array<std::uint8_t, 8>> out;
            const auto add = [&](const tests::PurseKey& key) {
                std::array<std::uint8_t, 8> half{};
                std::ranges::copy(key.value.bytes().first<8>(), half.begin());
                out.push_back(half);
            };
            for (const auto suite : {Suite::sm4, Suite::triple_des}) {
                for (const auto usage : usages) {
                    add(tests::card_key(usage, suite));
                    add(tests::master_key(usage, suite));
                }
                add(crypto::purse::transport_key(tests::transport_master(suite),
                                                 tests::card_serial));
            }
            return out;
        }();
        for (const auto& key : keys) {
            if (!std::ranges::search(answer, key).empty()) __builtin_trap();
        }
    }

    Kind kind_;
    Chip sam_;
    Chip chip_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static Stock stock;
    protocol::ByteReader in{Bytes{bytes, size}};
    const auto choice = in.take_u8();
    if (!choice) return 0;
    Run run{stock, *choice};
    for (int commands = 0; commands < 24 && !in.empty(); ++commands) {
        const std::uint8_t length = in.take_u8().value();
        if ((length & 0x80) != 0) {
            run.legitimate_step(length & 0x7F);
            continue;
        }
        run.send(in.take(std::min<std::size_t>(length, in.size())).value());
    }
    run.finish();
    return 0;
}
