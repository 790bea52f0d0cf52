// Hostile content behind the right cryptogram and the right MACs of personalisation: what a broken
// or bought issuer's desk could send, with resets and power cuts in between. What must hold is
// written at the watchers: W1..W4 (support/watched_chip.hpp), B1..B3 (support/watched_blank.hpp).
//
// The input: one byte that chooses suite and how far an honest issuer came, then steps of one byte
// and its arguments:
//   00..7F  a plain command of that length
//   80..9F  something legitimate
//   A0..BF  the power goes later: operation1 pattern1
//   C0..DF  a command of the session: P1 P2 length data
//   E0..E7  CREATE FILE of an EF that is sound but for: which1 type1 access1 count1 size2
//   E8..EF  CREATE FILE of a DF: number1 kind1 name1
//   F0..FF  WRITE KEY: usage1 index1 tries1 limit1 seed1
#include "tests/fuzz/support/stock.hpp"
#include "tests/fuzz/support/watched_blank.hpp"

namespace {

using fuzz::Bytes;
using fuzz::Chip;
using fuzz::Suite;

constexpr int steps_max = 32;
constexpr std::array<std::size_t, 4> honest_steps{0, 4, 10, 26};

/// Blank chips, and such where an honest issuer's session stopped.
class BlankStock {
public:
    BlankStock() : sam_{tests::issued_sam()} {
        for (const Suite suite : {Suite::sm4, Suite::triple_des}) {
            for (const std::size_t steps : honest_steps) chips_.push_back(begun(suite, steps));
        }
    }
    [[nodiscard]] const Chip& chip(std::uint8_t choice) const {
        return chips_[choice % chips_.size()];
    }
    [[nodiscard]] static Suite suite_of(std::uint8_t choice) {
        return choice % (2 * honest_steps.size()) < honest_steps.size() ? Suite::sm4
                                                                        : Suite::triple_des;
    }
    [[nodiscard]] const Chip& sam() const { return sam_; }

private:
    [[nodiscard]] static Chip begun(Suite suite, std::size_t steps) {
        Chip chip{"card"};
        chip.manufacture(tests::card_serial, suite);
        std::array<std::uint8_t, 8> challenge{};
        std::ranges::copy(chip.must(protocol::get_challenge_8()), challenge.begin());
        const auto script = tests::transit_card_script(challenge, tests::card_serial, suite);
        for (std::size_t i = 0; i < steps; ++i) chip.must(script[i]);
        chip.power_on();
        return chip;
    }
    std::vector<Chip> chips_;
    Chip sam_;
};

class Run {
public:
    Run(const BlankStock& stock, Bytes input, std::uint8_t choice)
        : stock_{&stock},
          secrets_{input},
          chip_{stock.chip(choice).clone(), secrets_, BlankStock::suite_of(choice)} {}

    bool step(protocol::ByteReader& in) {
        const auto kind = in.take_u8();
        if (!kind) return false;
        try {
            if (*kind < 0x80) {
                (void)chip_.send(*in.take(std::min<std::size_t>(*kind, in.size())));
            } else if (*kind < 0xA0) {
                legitimate(static_cast<std::uint8_t>(*kind - 0x80));
            } else {
                with_arguments(*kind, in);
            }
        } catch (const fuzz::Torn&) {
        } catch (const std::runtime_error&) {
            // GET CHALLENGE is refused by a blocked chip.
        }
        return true;
    }

    void finish() {
        Chip sam = stock_->sam().clone();
        sam.must(protocol::select_by_name(protocol::sam_aid));
        chip_.finish(sam);
    }

private:
    void legitimate(std::uint8_t step) {
        switch (step % 16) {
            case 0: chip_.open_session(); break;
            case 1: (void)chip_.send(protocol::select_file(protocol::master_file)); break;
            case 2: (void)chip_.send(protocol::select_file(protocol::transit_application)); break;
            case 3: (void)chip_.send(protocol::select_file(protocol::sam_application)); break;
            case 4: chip_.protect({0x84, 0x0E, 0x00, 0x00}, {}, false); break;
            case 5: chip_.protect({0x84, 0x44, 0x00, 0x00}, {}, false, 4); break;
            case 6: chip_.restart(); break;
            case 7: chip_.housekeeping(); break;
            case 8: (void)chip_.send(protocol::get_challenge_8()); break;
            case 9: (void)chip_.send(protocol::get_chip_info()); break;
            case 10: (void)chip_.send(protocol::get_balance()); break;
            case 11: (void)chip_.send(protocol::verify_pin(tests::first_pin)); break;
            case 12: read_everything(); break;
            case 13: create_transit(); break;
            case 14: {
                constexpr std::array<std::uint8_t, 7> pin{1, 0, 0x33, 0, 0x12, 0x34, 0x56};
                chip_.protect({0x84, 0xD4, 0x3A, 0x00}, Bytes{pin}, true);
                break;
            }
            default: (void)chip_.send(protocol::initialise_for_load(tests::initialise_data(5)));
        }
    }

    void with_arguments(std::uint8_t kind, protocol::ByteReader& in) {
        if (kind < 0xC0) {
            const auto cut = in.take_array<2>();
            if (!cut) return;
            const auto pattern = static_cast<std::uint64_t>((*cut)[1]) * 0x10'0000'0001;
            chip_.arm({(*cut)[0], static_cast<tests::Tear>(kind % 5), pattern});
        } else if (kind < 0xE0) {
            const auto head = in.take_array<3>();
            if (!head) return;
            protect(kind, (*head)[0], (*head)[1],
                    *in.take(std::min<std::size_t>((*head)[2], in.size())));
        } else if (kind < 0xE8) {
            const auto fields = in.take_array<6>();
            if (fields) create_elementary(*fields);
        } else if (kind < 0xF0) {
            const auto fields = in.take_array<3>();
            if (fields) create_directory(*fields);
        } else {
            const auto fields = in.take_array<5>();
            if (fields) write_key(*fields);
        }
    }

    void protect(std::uint8_t kind, std::uint8_t p1, std::uint8_t p2, Bytes data) {
        struct Kind {
            std::uint8_t cla, ins;
            bool is_enciphered;
        };
        static constexpr std::array kinds{
            Kind{0x04, 0xD6, false}, Kind{0x04, 0xE2, false}, Kind{0x84, 0xD4, true},
            Kind{0x84, 0xE0, false}, Kind{0x04, 0xDC, false}, Kind{0x84, 0xD4, false},
            Kind{0x84, 0x0E, false}, Kind{0x84, 0x44, false}, Kind{0x84, 0x24, true},
            Kind{0x84, 0x1E, false}, Kind{0x84, 0x18, false}, Kind{0x84, 0x16, false},
            Kind{0x84, 0x54, false}, Kind{0xE4, 0x7C, false}, Kind{0x04, 0xA4, false},
            Kind{0x04, 0xB0, false}};
        const Kind& chosen = kinds[kind % kinds.size()];
        chip_.protect({chosen.cla, chosen.ins, p1, p2}, data, chosen.is_enciphered);
    }

    void create_elementary(const std::array<std::uint8_t, 6>& fields) {
        constexpr std::array<std::uint8_t, 4> types{0x28, 0x2A, 0x2C, 0x2E};
        constexpr std::array<std::uint8_t, 8> accesses{0, 1, 2, 3, 0x40, 0x43, 0x7F, 0xFF};
        const auto sfi = static_cast<std::uint8_t>(fields[0] & 0x1F);
        const std::uint8_t type = types[fields[1] & 3];
        const auto count = type == 0x28 && (fields[1] & 4) == 0 ? std::uint8_t{1} : fields[3];
        const std::array<std::uint8_t, 7> data{
            type,      sfi,      accesses[fields[2] & 7], accesses[fields[2] >> 3 & 7], count,
            fields[4], fields[5]};
        chip_.protect({0x84, 0xE0, 0x00, fields[0]}, data, false);
    }

    void create_directory(const std::array<std::uint8_t, 3>& fields) {
        std::vector<std::uint8_t> data{0x38, static_cast<std::uint8_t>(fields[1] & 3)};
        const std::size_t size = 5 + (fields[2] & 0x0F);
        for (std::size_t i = 0; i < size; ++i) data.push_back(fields[2]);
        chip_.protect({0x84, 0xE0, 0x3F, fields[0]}, data, false);
    }

    void create_transit() {
        const protocol::ApplicationDefinition application{protocol::ApplicationKind::transit_purse,
                                                          protocol::transit_aid};
        const auto definition = application.data();
        chip_.protect({0x84, 0xE0, 0x3F, 0x01}, definition, false);
        for (const auto& file : protocol::transit_files) {
            const auto data = file.data();
            const auto number = file.identifier.value();
            chip_.protect({0x84, 0xE0, static_cast<std::uint8_t>(number >> 8),
                           static_cast<std::uint8_t>(number)},
                          data, false);
        }
    }

    /// A key of the harness's own, watched from here on.
    void write_key(const std::array<std::uint8_t, 5>& fields) {
        constexpr std::array<std::uint8_t, 14> usages{0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A,
                                                      0x0B, 0x21, 0x25, 0x33, 0x34, 0x36, 0x39};
        const std::uint8_t usage = usages[fields[0] % usages.size()];
        std::array<std::uint8_t, 16> value{};
        crypto::SeededRandom{fields[4], "personalised"}.fill(value);
        secrets_.add(value);
        const auto suite = (fields[4] & 1) == 0 ? Suite::sm4 : Suite::triple_des;
        std::vector<std::uint8_t> plain{fields[4], static_cast<std::uint8_t>(suite), fields[2],
                                        fields[3]};
        plain.insert(plain.end(), value.begin(), value.end());
        if (usage == 0x25) plain.insert(plain.end(), {0x00, fields[4]});
        chip_.protect({0x84, 0xD4, usage, fields[1]}, plain, true);
    }

    void read_everything() {
        for (std::uint8_t sfi = 0x01; sfi <= 0x1E; ++sfi) {
            (void)chip_.send(protocol::make_command(
                0x00, 0xB0, static_cast<std::uint8_t>(0x80 | sfi), 0x00, {}, 256));
            (void)chip_.send(protocol::make_command(
                0x00, 0xB2, 0x01, static_cast<std::uint8_t>(sfi << 3 | 4), {}, 256));
        }
    }

    const BlankStock* stock_;
    fuzz::Secrets secrets_;
    fuzz::WatchedBlank chip_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static const BlankStock stock;
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
