// Hostile commands from inside: the harness selects, proves what a real terminal or issuer would
// prove, and lets the input say what comes then, behind right MACs where it asks for them. Purse,
// SAM, files and secure messaging, in both suites. Whatever happens: never more money than was
// loaded, never a key byte in an answer, never a chip that does not come back, never more uses of a
// counted key than it has.
//
// The input: one byte that chooses the chip, then steps. A step is one byte: below 80 the length of
// a plain command that follows; from 80 on something legitimate; from C0 on a command that the
// harness protects with a right key: key, P1, P2, length, data follow.
#include "protocol/grey_lock.hpp"
#include "tests/firmware/support/terminal.hpp"
#include "tests/protocol/hex.hpp"

namespace {

using protocol::KeyIndex;
using protocol::KeyUsage;
using protocol::TransactionType;
using tests::Bytes;
using tests::Chip;
using tests::Suite;

constexpr std::uint32_t loaded_fen = 10'000, overdraft_max = 50;

void require(bool condition) {
    if (!condition) __builtin_trap();
}

struct Stock {
    Chip card = loaded(Suite::sm4);
    Chip old_card = loaded(Suite::triple_des);
    Chip sam = tests::issued_sam();

    static Chip loaded(Suite suite) {
        Chip chip = tests::issued_card(suite);
        tests::load(chip, loaded_fen, suite);
        return chip;
    }
};

/// Eight bytes of any key in an answer would be a leak; chance alone is 2^-64.
void check_no_key(Bytes answer) {
    static const auto keys = [] {
        std::vector<std::array<std::uint8_t, 8>> out;
        const auto add = [&](const tests::PurseKey& key) {
            for (const std::size_t from : {std::size_t{0}, std::size_t{8}}) {
                std::array<std::uint8_t, 8> half{};
                std::ranges::copy(key.value.bytes().subspan(from, 8), half.begin());
                out.push_back(half);
            }
        };
        for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
            for (unsigned usage = 0x04; usage <= 0x39; ++usage) {
                if (!protocol::is_key_usage(static_cast<std::uint8_t>(usage))) continue;
                add(tests::card_key(static_cast<KeyUsage>(usage), suite));
                add(tests::master_key(static_cast<KeyUsage>(usage), suite));
            }
        }
        return out;
    }();
    for (const auto& key : keys) require(std::ranges::search(answer, key).empty());
}

class Run {
public:
    Run(Stock& stock, std::uint8_t choice)
        : suite_{(choice & 1) == 0 ? Suite::sm4 : Suite::triple_des},
          is_card_{(choice & 2) == 0},
          card_{(choice & 1) == 0 ? stock.card.clone() : stock.old_card.clone()},
          sam_{stock.sam.clone()} {
        select();
    }

    void plain(Bytes command) { send(command); }

    /// Refusals are fine: the state may be anything.
    void legitimate(std::uint8_t step) {
        try {
            switch (step % 16) {
                case 0: select(); break;
                case 1: send(protocol::verify_pin(tests::first_pin)); break;
                case 2: authenticate(); break;
                case 3: pay(TransactionType::purchase); break;
                case 4: pay(TransactionType::capp_purchase); break;
                case 5: tests::lock_grey(card_, sam_); break;
                case 6: send(protocol::initialise_for_load(tests::initialise_data(5))); break;
                case 7: send(protocol::initialise_for_unload(tests::initialise_data(5))); break;
                case 8: prepare_computing(0x46, 2); break;
                case 9: prepare_computing(0x45, tests::counted_lock_index(suite_)); break;
                case 10: use_counted(); break;
                case 11: unload(); break;
                case 12: send(tests::new_limit(card_, 50, suite_)); break;
                case 13: pay_grey(); break;
                case 14: unlock_by_issuer(); break;
                default: chip().power_on(); break;
            }
        } catch (const std::runtime_error&) {
            // A helper required an answer that this state refuses.
        }
    }

    /// UPDATE, APPEND, WRITE KEY, PIN UNBLOCK, blocking: anything, behind a right MAC.
    void protect(std::uint8_t step, std::uint8_t p1, std::uint8_t p2, Bytes data) {
        struct Kind {
            std::uint8_t cla, ins;
            KeyUsage key;
        };
        static constexpr std::array kinds{Kind{0x04, 0xD6, KeyUsage::maintenance},
                                          Kind{0x04, 0xDC, KeyUsage::maintenance},
                                          Kind{0x04, 0xE2, KeyUsage::maintenance},
                                          Kind{0x84, 0xD4, KeyUsage::control},
                                          Kind{0x84, 0x24, KeyUsage::pin_unblock},
                                          Kind{0x84, 0x1E, KeyUsage::application_lock},
                                          Kind{0x84, 0x18, KeyUsage::application_unlock}};
        const Kind& kind = kinds[step % kinds.size()];
        const auto key = tests::card_key(kind.key, is_card_ ? suite_ : Suite::sm4);
        std::array<std::uint8_t, 128> text{};
        Bytes body = data;
        is_key_written_ = is_key_written_ || kind.ins == 0xD4;
        if (kind.ins == 0xD4 || kind.ins == 0x24) {  // the plaintext is the input's
            const auto size = crypto::purse::encipher(key, data, text);
            if (!size) return;
            body = Bytes{text}.first(*size);
        }
        try {
            send(tests::protect(chip(), key, {{kind.cla, kind.ins, p1, p2}, body}));
        } catch (const std::runtime_error&) {
            // GET CHALLENGE is refused by a blocked card.
        }
    }

    void finish() {
        chip().power_on();  // throws when the chip has become mute
        require(chip().send(protocol::get_chip_info()).ok());
        if (!is_card_) return;
        const auto selected = card_.send(protocol::select_by_name(protocol::transit_aid));
        require(selected.ok() || selected.status == protocol::StatusWord::file_invalidated);
        // Own money, what is owed taken off: never more than was loaded, never less than was not
        // spent.
        const std::uint32_t own = get_balance(0x03);
        const std::uint32_t owed = get_balance(0x02);
        require(own <= loaded_fen && owed <= overdraft_max);
        require(own + paid_ >= loaded_fen + owed);
    }

private:
    [[nodiscard]] Chip& chip() { return is_card_ ? card_ : sam_; }
    void send(Bytes command) {
        const auto answer = chip().send(command);
        require(answer.data.size() <= 256);
        check_no_key(answer.data);
    }
    void select() {
        send(is_card_ ? protocol::select_by_name(protocol::transit_aid)
                      : protocol::select_by_name(protocol::sam_aid));
    }
    void authenticate() {
        std::array<std::uint8_t, 8> challenge{};
        std::ranges::copy(chip().must(protocol::get_challenge_8()), challenge.begin());
        send(protocol::make_command(
            0x00, 0x82, 0, 0,
            crypto::purse::authentication_cryptogram(
                tests::card_key(KeyUsage::control, is_card_ ? suite_ : Suite::sm4),
                crypto::purse::Challenge{challenge})));
    }
    void pay(TransactionType type) {
        const auto opened = tests::open_purchase(card_, sam_, 1, type);
        if (type == TransactionType::capp_purchase) {
            send(protocol::update_capp_data_cache(0, protocol::sfi_trip, tests::trip(1)));
        }
        card_.must(tests::debit(opened));
        ++paid_;
    }
    void prepare_computing(std::uint8_t usage, std::uint8_t index) {
        std::vector<std::uint8_t> factors(16, 0x42);
        (void)sam_.send(protocol::make_command(0x80, 0x1A, usage, index, factors));
    }
    /// A lock of a card under the key that is counted: so many answers and no more.
    void use_counted() {
        prepare_computing(0x45, tests::counted_lock_index(suite_));
        static const auto lock = tests::hex("80FA0500 10 0102030405060708 841E000004800000 04");
        const auto answer = sam_.send(lock);
        check_no_key(answer.data);
        if (!answer.data.empty()) ++uses_;
        require(uses_ <= tests::counted_uses.value() || is_key_written_);
    }
    void unload() {
        card_.must(tests::unload(card_, 2, suite_));
        paid_ += 2;
    }
    /// The station's sum of a grey lock, whoever locked.
    void pay_grey() {
        const auto amount = protocol::Money::from_fen(3);
        const auto mac = sam_.must(protocol::sam_grey_debit(amount, tests::noon()));
        protocol::Mac gmac{};
        std::ranges::copy(mac, gmac.begin());
        card_.must(protocol::grey_debit({amount, tests::noon(), gmac}));
        paid_ += 3;
    }
    void unlock_by_issuer() {
        card_.must(tests::issuer_unlock(card_, 4, suite_));
        paid_ += 4;
    }
    [[nodiscard]] std::uint32_t get_balance(std::uint8_t which) {
        const auto answer = card_.must(protocol::make_command(0x80, 0x5C, which, 0x02, {}, 4));
        return static_cast<std::uint32_t>(protocol::read_big_endian(Bytes{answer}));
    }

    Suite suite_;
    bool is_card_;
    Chip card_;
    Chip sam_;
    std::uint32_t paid_ = 0;
    unsigned uses_ = 0;
    bool is_key_written_ = false;  ///< WRITE KEY may renew the uses
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static Stock stock;
    protocol::ByteReader in{Bytes{bytes, size}};
    const auto choice = in.take_u8();
    if (!choice) return 0;
    Run run{stock, *choice};
    for (int steps = 0; steps < 24 && !in.empty(); ++steps) {
        const std::uint8_t step = in.take_u8().value();
        if (step < 0x80) {
            run.plain(in.take(std::min<std::size_t>(step, in.size())).value());
        } else if (step < 0xC0) {
            run.legitimate(static_cast<std::uint8_t>(step - 0x80));
        } else {
            const auto head = in.take_array<3>();
            if (!head) break;
            const std::size_t length = std::min<std::size_t>((*head)[2] % 112, in.size());
            run.protect(static_cast<std::uint8_t>(step - 0xC0), (*head)[0], (*head)[1],
                        in.take(length).value());
        }
    }
    run.finish();
    return 0;
}
