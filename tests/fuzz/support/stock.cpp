#include "tests/fuzz/support/stock.hpp"

namespace fuzz {

namespace {

[[nodiscard]] Chip loaded_card(Suite suite) {
    Chip chip = tests::issued_card(suite);
    tests::load(chip, loaded_fen, suite);
    chip.must(tests::protect(chip, tests::card_key(KeyUsage::maintenance, suite),
                             protocol::write_binary_command(protocol::sfi_holder, 0, holder_mark)));
    std::vector<std::uint8_t> pins{tests::first_pin.begin(), tests::first_pin.end()};
    pins.push_back(0xFF);
    pins.insert(pins.end(), secret_pin.begin(), secret_pin.end());
    chip.must(protocol::make_command(0x80, 0x5E, 0x01, 0x00, pins));
    chip.power_on();
    return chip;
}

}  // namespace

Stock::Stock()
    : card_{loaded_card(Suite::sm4)},
      old_card_{loaded_card(Suite::triple_des)},
      sam_{tests::issued_sam()} {}

}  // namespace fuzz
