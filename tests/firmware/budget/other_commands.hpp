#pragma once
// One round of the commands that no tap and no load sends: docs/tap_budget.md, 4.1.
#include "tests/firmware/budget/measured.hpp"
#include "tests/firmware/support/terminal.hpp"

namespace tests::budget {

class OtherCommands {
public:
    /// `card` as issued with `card_key(.., suite)`, used since, money in it; `sam` with its own
    /// keys in `suite`.
    OtherCommands(Measured& card, Measured& sam, Suite suite, std::string suite_name, int round)
        : card_{card},
          sam_{sam},
          suite_{suite},
          suite_name_{std::move(suite_name)},
          round_{round} {}

    /// Prints a line for each. Its kind is `command`, with a variant after it where the header does
    /// not tell two apart. The card is blocked for good afterwards.
    void count();

private:
    /// Of the lines from now on: what follows `command`, '_' for ' '.
    void variant(const std::string& text);
    void label(const std::string& text);
    void files();
    void authentication();
    void pin();
    void pin_unblock();
    void write_key();
    void unload_and_overdraft();
    void purchase_with_code();
    void grey_lock();
    void sam_keys();
    void delegated(const char* name, std::uint8_t usage, std::uint8_t index, std::uint8_t mode,
                   Bytes data);
    void blocking();

    void must_protected(protocol::KeyUsage usage, const protocol::PlainCommand& command);
    void must_enciphered(protocol::KeyUsage usage, const std::array<std::uint8_t, 4>& header,
                         Bytes plain);

    Measured& card_;
    Measured& sam_;
    Suite suite_;
    std::string suite_name_;
    int round_;
};

}  // namespace tests::budget
