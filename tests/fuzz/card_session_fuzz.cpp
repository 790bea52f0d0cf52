// Hostile commands from inside: the harness selects, proves what a real terminal or issuer would
// prove, and lets the input say what comes then, behind right MACs where it asks for them; resets
// and power cuts in between. A card and a SAM, in both suites. What must hold is written at the
// watchers: W1..W4, I1..I5, P1..P3, S1..S3 (support/*.hpp).
//
// The input: one byte that chooses suite and target, then steps of one byte and its arguments:
//   00..7F  a plain command of that length to the target
//   80..BF  something legitimate
//   C0..DF  anything behind a right MAC of secure messaging: P1 P2 length data
//   E0..E7  INITIALIZE for one of six: amount2
//   E8..EF  a money command with a right MAC over hostile fields: number4 stamp1
//   F0..F7  the power goes later: operation1 pattern2
//   F8..FF  operational WRITE KEY of a key that exists: which1 tries1 limit1 seed1 uses2
#include "tests/fuzz/support/stock.hpp"

namespace {

using fuzz::Bytes;
using fuzz::KeyIndex;
using fuzz::KeyUsage;
using fuzz::Suite;
using protocol::CommandApdu;
using protocol::Money;
using protocol::TransactionType;

constexpr int steps_max = 32;

class Run {
public:
    Run(const fuzz::Stock& stock, Bytes input, std::uint8_t choice)
        : stock_{&stock},
          suite_{(choice & 1) == 0 ? Suite::sm4 : Suite::triple_des},
          is_card_{(choice & 2) == 0},
          secrets_{input},
          card_{stock.card(suite_).clone(), secrets_, suite_, fuzz::Stock::purse(),
                fuzz::secret_pin},
          sam_{stock.sam().clone(), secrets_} {
        card_.select();
        sam_.select();
    }

    /// False at the end of the input. Refusals are fine: the state may be anything.
    bool step(protocol::ByteReader& in) {
        const auto kind = in.take_u8();
        if (!kind) return false;
        try {
            if (*kind < 0x80) {
                (void)target().send(*in.take(std::min<std::size_t>(*kind, in.size())));
            } else if (*kind < 0xC0) {
                legitimate(static_cast<std::uint8_t>(*kind - 0x80));
            } else {
                with_arguments(*kind, in);
            }
        } catch (const fuzz::Torn&) {
            card_.select();
            sam_.select();
        } catch (const std::runtime_error&) {
            // A helper required an answer that this state refuses.
        }
        return true;
    }

    void finish() {
        fuzz::Chip sound_sam = stock_->sam().clone();
        sound_sam.must(protocol::select_by_name(protocol::sam_aid));
        card_.finish(sound_sam);
        fuzz::Chip sound_card = stock_->card(suite_).clone();
        sound_card.must(protocol::select_by_name(protocol::transit_aid));
        sam_.finish(sound_card, suite_);
    }

private:
    [[nodiscard]] fuzz::IssuedChip& target() {
        if (is_card_) return card_;
        return sam_;
    }

    void legitimate(std::uint8_t step) {
        switch (step % 24) {
            case 0: target().select(); break;
            case 1: (void)card_.send(protocol::verify_pin(card_.pin())); break;
            case 2: target().authenticate(); break;
            case 3: pay(TransactionType::purchase); break;
            case 4: pay(TransactionType::capp_purchase); break;
            case 5: tests::lock_grey(card_, sam_); break;
            case 6: pay_grey(); break;
            case 7: sam_.use_counted(suite_); break;
            case 8: prepare_computing(0x46, 2); break;
            case 9: prepare_computing(0x47, 3); break;
            case 10: prepare_computing(0x48, 4); break;
            case 11: (void)target().send(protocol::get_challenge_8()); break;
            case 12: (void)target().send(protocol::get_challenge_4()); break;
            case 13: is_card_ = !is_card_; break;
            case 14: (void)card_.send(protocol::get_security_code()); break;
            case 15: target().restart(); break;
            case 16: (void)target().send(protocol::select_file(protocol::master_file)); break;
            case 17: target().housekeeping(); break;
            case 18: (void)card_.send(protocol::get_grey_proof()); break;
            case 19: internal_authenticate(); break;
            case 20: (void)tests::open_purchase(card_, sam_, 1, TransactionType::purchase); break;
            case 21: (void)tests::open_grey(card_, sam_); break;
            case 22: read_everything(); break;
            default:
                card_.restart();
                sam_.restart();
                card_.select();
                sam_.select();
        }
    }

    void with_arguments(std::uint8_t kind, protocol::ByteReader& in) {
        if (kind < 0xE0) {
            const auto head = in.take_array<3>();
            if (!head) return;
            const std::size_t length = std::min<std::size_t>((*head)[2] % 128, in.size());
            protect(kind, (*head)[0], (*head)[1], *in.take(length));
        } else if (kind < 0xE8) {
            const auto amount = in.take_u16();
            if (amount) initialise(kind, *amount);
        } else if (kind < 0xF0) {
            const auto fields = in.take_array<5>();
            if (fields) seal(kind, *fields);
        } else if (kind < 0xF8) {
            const auto cut = in.take_array<3>();
            if (cut) arm(kind, *cut);
        } else {
            const auto fields = in.take_array<6>();
            if (fields) write_key(*fields);
        }
    }

    /// UPDATE, APPEND, WRITE KEY, PIN UNBLOCK, blocking: anything, behind a right MAC.
    void protect(std::uint8_t kind, std::uint8_t p1, std::uint8_t p2, Bytes data) {
        struct Kind {
            std::uint8_t cla, ins;
            KeyUsage key;
            bool is_enciphered = false;
        };
        static constexpr std::array kinds{
            Kind{0x04, 0xD6, KeyUsage::maintenance},
            Kind{0x04, 0xDC, KeyUsage::maintenance},
            Kind{0x04, 0xE2, KeyUsage::maintenance},
            Kind{0x84, 0xD4, KeyUsage::control, true},
            Kind{0x84, 0x24, KeyUsage::pin_unblock, true},
            Kind{0x84, 0x1E, KeyUsage::application_lock},
            Kind{0x84, 0x18, KeyUsage::application_unlock},
            Kind{0x84, 0x16, KeyUsage::application_lock},
            Kind{0x84, 0xD4, KeyUsage::control},
            Kind{0x84, 0xE0, KeyUsage::maintenance},
            Kind{0x84, 0x44, KeyUsage::control},
            Kind{0x84, 0x0E, KeyUsage::control},
        };
        const Kind& chosen = kinds[kind % kinds.size()];
        target().protect({chosen.cla, chosen.ins, p1, p2}, chosen.key, data, chosen.is_enciphered);
    }

    void initialise(std::uint8_t kind, std::uint16_t fen) {
        constexpr std::array<std::uint8_t, 5> p1{0x00, 0x01, 0x03, 0x04, 0x05};
        const protocol::GreyInitialiseData grey{KeyIndex{1}, tests::terminal};
        if (kind % 8 == 5) {
            (void)card_.send(protocol::initialise_for_grey_lock(grey));
        } else if (kind % 8 == 6) {
            (void)card_.send(protocol::initialise_for_grey_unlock(grey));
        } else {
            const auto fields = tests::initialise_data(fen).bytes();
            (void)card_.send(
                protocol::make_command(0x80, 0x50, p1[kind % 8 % p1.size()], 0x02, fields, 256));
        }
    }

    /// The input's number and stamp, the harness's MAC.
    void seal(std::uint8_t kind, const std::array<std::uint8_t, 5>& fields) {
        struct Kind {
            std::uint8_t cla, ins, p1, p2, number_size;
        };
        static constexpr std::array kinds{
            Kind{0x80, 0x52, 0x00, 0x00, 0}, Kind{0x80, 0x54, 0x03, 0x00, 0},
            Kind{0x80, 0x58, 0x00, 0x00, 3}, Kind{0x80, 0x54, 0x01, 0x00, 4},
            Kind{0xE0, 0x7C, 0x08, 0x00, 4}, Kind{0xE0, 0x7E, 0x08, 0x01, 4},
            Kind{0xE0, 0x7E, 0x09, 0x00, 4}};
        const Kind& chosen = kinds[kind % 8 % kinds.size()];
        std::vector<std::uint8_t> data{fields.begin(), fields.begin() + chosen.number_size};
        // Small sums are interesting, too.
        if (chosen.number_size > 2 && (fields[4] & 0x80) != 0) data[0] = data[1] = 0;
        auto stamp = tests::noon().bcd();
        if ((fields[4] & 0x40) != 0) stamp[5] = fields[4] & 0x3F;
        data.insert(data.end(), stamp.begin(), stamp.end());
        data.resize(data.size() + 4);
        const auto make = [&] {
            return protocol::make_command(chosen.cla, chosen.ins, chosen.p1, chosen.p2, data, 256);
        };
        const auto unsigned_command = make();
        const auto mac = card_.right_mac(*CommandApdu::parse(unsigned_command));
        if (mac) std::ranges::copy(*mac, data.end() - 4);
        (void)card_.send(make());
    }

    void arm(std::uint8_t kind, const std::array<std::uint8_t, 3>& cut) {
        const auto tear = static_cast<tests::Tear>(kind % 8 % 5);
        const auto pattern = static_cast<std::uint64_t>(cut[1]) << 40 | cut[2];
        target().arm({cut[0], tear, pattern});
    }

    /// A new key of the harness's own in place of one that the chip has.
    void write_key(const std::array<std::uint8_t, 6>& fields) {
        static const auto of_card = tests::issued_card_keys(Suite::sm4);
        static const auto of_sam = tests::issued_sam_keys(Suite::sm4);
        const auto& issued = is_card_ ? of_card : of_sam;
        const auto& chosen = issued[fields[0] % issued.size()];
        const bool is_pin = is_card_ && fields[0] == 0xFF;
        const KeyUsage usage = is_pin ? KeyUsage::pin : chosen.usage;
        std::vector<std::uint8_t> plain{fields[3], 0x00, fields[1],
                                        usage == KeyUsage::sam_delegated_mac && (fields[2] & 1) != 0
                                            ? chosen.limit
                                            : fields[2]};
        if (is_pin) {
            plain.insert(plain.end(), {0x86, 0x13, 0x57, 0x90});
        } else {
            std::array<std::uint8_t, 16> value{};
            crypto::SeededRandom{fields[3], "written"}.fill(value);
            plain[1] =
                static_cast<std::uint8_t>((fields[3] & 1) == 0 ? Suite::sm4 : Suite::triple_des);
            plain.insert(plain.end(), value.begin(), value.end());
        }
        if (usage == KeyUsage::sam_delegated_mac) {
            plain.insert(plain.end(), fields.end() - 2, fields.end());
        }
        const auto index = is_pin ? KeyIndex{0} : chosen.index;
        target().protect(protocol::write_key_header(usage, index), KeyUsage::control, plain, true);
    }

    void pay(TransactionType type) {
        const auto opened = tests::open_purchase(card_, sam_, 1, type);
        if (type == TransactionType::capp_purchase) {
            (void)card_.send(
                protocol::update_capp_data_cache(0, protocol::sfi_trip, tests::trip(1)));
        }
        const auto proof = protocol::DebitProof::parse_debit(card_.must(tests::debit(opened)));
        fuzz::require(proof.has_value());
        sam_.must(protocol::credit_sam_for_purchase(proof->mac2));
    }
    /// The station's sum of a grey lock, whoever locked.
    void pay_grey() {
        const auto amount = Money::from_fen(3);
        const auto mac = sam_.must(protocol::sam_grey_debit(amount, tests::noon()));
        protocol::Mac gmac{};
        std::ranges::copy(mac, gmac.begin());
        card_.must(protocol::grey_debit({amount, tests::noon(), gmac}));
    }
    void prepare_computing(std::uint8_t usage, std::uint8_t index) {
        const std::vector<std::uint8_t> factors(16, 0x42);
        (void)sam_.send(protocol::make_command(0x80, 0x1A, usage, index, factors));
    }
    void internal_authenticate() {
        constexpr std::array<std::uint8_t, 8> source{1, 2, 3, 4, 5, 6, 7, 8};
        (void)card_.send(protocol::make_command(0x00, 0x88, 0x00, 0x01, source, 8));
    }
    void read_everything() {
        for (std::uint8_t sfi = 0x15; sfi <= 0x1E; ++sfi) {
            (void)target().send(protocol::make_command(
                0x00, 0xB0, static_cast<std::uint8_t>(0x80 | sfi), 0x00, {}, 256));
            (void)target().send(protocol::make_command(
                0x00, 0xB2, 0x01, static_cast<std::uint8_t>(sfi << 3 | 4), {}, 256));
        }
    }

    const fuzz::Stock* stock_;
    Suite suite_;
    bool is_card_;
    fuzz::Secrets secrets_;
    fuzz::WatchedPurse card_;
    fuzz::WatchedSam sam_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static const fuzz::Stock stock;
    const Bytes input{bytes, size};
    protocol::ByteReader in{input};
    const auto choice = in.take_u8();
    if (!choice) return 0;
    Run run{stock, input, *choice};
    for (int steps = 0; steps < steps_max && run.step(in); ++steps) {
    }
    run.finish();
    return 0;
}
