#include "protocol/purse.hpp"

#include "host/keys/calc/families.hpp"
#include "host/keys/calc/suite.hpp"

namespace host::keys::calc {
namespace {

using crypto::purse::ProcessKey;
using crypto::purse::PurseKey;
using protocol::DateTime;
using protocol::Money;
using protocol::TerminalNumber;
using protocol::TransactionType;

struct Options {
    std::string suite;
    std::string operation;
    Value key, random, counter, terminal_counter, amount, type, terminal, date, time, balance,
        tac_key, authentication_code;
};

struct Transaction {
    Money amount;
    TransactionType type = TransactionType::load;
    TerminalNumber terminal{{}};
    DateTime when;
    std::uint16_t counter = 0;
    protocol::CardRandom random{};
};

template <std::size_t size>
Answer<std::uint32_t> number(const Value& value) {
    ONECARD_TRY(read, public_array<size>(value));
    return static_cast<std::uint32_t>(
        protocol::read_big_endian(std::span<const std::uint8_t, size>{read}));
}

Answer<TransactionType> type_of(const Options& options) {
    if (!options.type.given()) {
        if (options.operation == "load") return TransactionType::load;
        return options.operation == "capp" ? TransactionType::capp_purchase
                                           : TransactionType::purchase;
    }
    ONECARD_TRY(value, public_array<1>(options.type));
    if (!protocol::is_transaction_type(value[0])) return mistake("--type: 01 to 09 expected");
    return static_cast<TransactionType>(value[0]);
}

Answer<DateTime> when_of(const Options& options) {
    ONECARD_TRY(date, public_array<4>(options.date));
    ONECARD_TRY(time, public_array<3>(options.time));
    std::array<std::uint8_t, 7> stamp{};
    protocol::ByteWriter{stamp}.put(date).put(time);
    const auto when = DateTime::parse(stamp);
    if (when) return *when;
    return mistake(std::string{"--date YYYYMMDD --time hhmmss: "} + protocol::name(when.error()));
}

Answer<Transaction> transaction_of(const Options& options) {
    ONECARD_TRY(random, public_array<4>(options.random));
    ONECARD_TRY(counter, number<2>(options.counter));
    ONECARD_TRY(amount, number<4>(options.amount));
    ONECARD_TRY(type, type_of(options));
    ONECARD_TRY(terminal, public_array<6>(options.terminal));
    ONECARD_TRY(when, when_of(options));
    return Transaction{Money::from_fen(amount),
                       type,
                       TerminalNumber{terminal},
                       when,
                       static_cast<std::uint16_t>(counter),
                       random};
}

Answer<Output> load(const Options& options, const PurseKey& key, const Transaction& what) {
    if (options.authentication_code.given() || options.terminal_counter.given()) {
        return mistake("--auth-code and --terminal-counter belong to purchase and capp");
    }
    std::uint32_t old_fen = 0;
    if (options.balance.given()) {
        ONECARD_TRY(balance, number<4>(options.balance));
        old_fen = balance;
    }
    const Money old_balance = Money::from_fen(old_fen);
    const protocol::OnlineCounter counter{what.counter};
    const ProcessKey process = online_process_key(key, what.random, counter);
    Output output;
    output.add("session_key", process.bytes())
        .add("mac1", purse_mac(process,
                               load_mac1_input(old_balance, what.amount, what.type, what.terminal)))
        .add("mac2",
             purse_mac(process, load_mac2_input(what.amount, what.type, what.terminal, what.when)));
    if (!options.tac_key.given()) return output;
    const auto new_balance = add(old_balance, what.amount);
    if (!new_balance) return mistake("--balance and --amount: their sum exceeds four bytes");
    ONECARD_TRY(tac_key, purse_key(options.suite, options.tac_key));
    return output.add("tac", tac(tac_key, load_tac_input(*new_balance, counter, what.amount,
                                                         what.type, what.terminal, what.when)));
}

Answer<std::vector<std::uint8_t>> purchase_mac1(const Options& options, const Transaction& what) {
    const auto input = purchase_mac1_input(what.amount, what.type, what.terminal, what.when);
    std::vector<std::uint8_t> out{input.begin(), input.end()};
    if (!options.authentication_code.given()) return out;
    ONECARD_TRY(code, options.authentication_code.bytes({protocol::security_code_size}));
    out.insert(out.end(), code.bytes().begin(), code.bytes().end());
    return out;
}

Answer<Output> purchase(const Options& options, const PurseKey& key, const Transaction& what) {
    if (options.balance.given()) return mistake("--balance belongs to load");
    ONECARD_TRY(sequence_bytes, options.terminal_counter.bytes({2, 4}));
    std::uint32_t sequence_number = 0;
    for (const std::uint8_t byte : sequence_bytes.bytes()) {
        sequence_number = sequence_number << 8 | byte;
    }
    const protocol::TerminalSequence sequence{sequence_number};
    const ProcessKey process =
        offline_process_key(key, what.random, protocol::OfflineCounter{what.counter}, sequence);
    ONECARD_TRY(mac1_input, purchase_mac1(options, what));
    Output output;
    output.add("session_key", process.bytes())
        .add("mac1", purse_mac(process, mac1_input))
        .add("mac2", purse_mac(process, protocol::purchase_mac2_input(what.amount)));
    if (!options.tac_key.given()) return output;
    if (sequence_bytes.size() != 4) {
        return mistake("--terminal-counter: the TAC needs all four bytes");
    }
    ONECARD_TRY(tac_key, purse_key(options.suite, options.tac_key));
    return output.add("tac", tac(tac_key, purchase_tac_input(what.amount, what.type, what.terminal,
                                                             sequence, what.when)));
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(key, purse_key(options.suite, options.key));
    ONECARD_TRY(what, transaction_of(options));
    return options.operation == "load" ? load(options, key, what) : purchase(options, key, what);
}

}  // namespace

void add_purse(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add(
        "purse", "Session key, MAC1, MAC2 and TAC of a load or purchase (docs/algorithms.md)");
    add_suite(command, options->suite, Need::required);
    command.choice("--operation", options->operation, {"load", "purchase", "capp"},
                   "Which transaction", Need::required);
    options->key.add_to(command, "--key", "The card's DLK or DPK, 16 bytes");
    options->random.add_to(command, "--random", "The card's random number, 4 bytes");
    options->counter.add_to(command, "--counter", "The card's counter before, 2 bytes");
    options->terminal_counter.add_to(
        command, "--terminal-counter",
        "Purchase: the terminal's transaction number, 4 bytes, or its low 2", Need::optional);
    options->amount.add_to(command, "--amount", "In fen, 4 bytes: 16.00 yuan is 00000640");
    options->type.add_to(command, "--type", "Transaction type; if left out 02, 06 or 09",
                         Need::optional);
    options->terminal.add_to(command, "--terminal", "Terminal number, 6 bytes");
    options->date.add_to(command, "--date", "YYYYMMDD");
    options->time.add_to(command, "--time", "hhmmss");
    options->balance.add_to(command, "--balance", "Load: balance before, 4 bytes; zero if left out",
                            Need::optional);
    options->tac_key.add_to(command, "--tac-key", "The card's DTK, 16 bytes: prints the TAC",
                            Need::optional);
    options->authentication_code.add_to(command, "--auth-code",
                                        "Purchase on CJ/T 166 cards: 9 bytes behind MAC1's input",
                                        Need::optional);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
