#include <CLI/CLI.hpp>

#include "host/keys/calc/families.hpp"
#include "host/keys/program/commands.hpp"

namespace host::keys {
namespace {

constexpr const char* footer =
    R"(Values are hex; blanks inside are ignored. Every value may be @FILE (a file that holds the
hex) or - (the next line of standard input). Hex on a command line is for test keys: other users of
the machine can read it. Results are 'name: HEX' lines, or one object with --json.

  onecard-keys calc digest --algorithm sm3 --data 616263
  onecard-keys calc mac --algorithm retail --cipher des --key @key.hex --data 4E6F77206973
  onecard-keys calc diversify --suite sm4 --key - --factor 0003100000000031 \
      --factor 3104000000012345
  onecard-keys calc purse --suite 3des --operation load --key 11223344556677888877665544332211 \
      --random 11223344 --counter 0000 --amount 00001000 --type 01 --terminal 001122334455 \
      --date 20111221 --time 214822

Exit status: 0 done, 1 refused (a signature, tag or key block that is wrong), 2 usage.)";

}  // namespace

void add_calc_command(CLI::App& app, Run& run) {
    CLI::App* calc = app.add_subcommand(
        "calc", "The calculator of card engineers: hex in, hex out (docs/calculator.md)");
    calc->footer(footer);
    calc->require_subcommand(1);
    calc::Command command{*calc};
    calc::add_digest(command, run);
    calc::add_cipher(command, run);
    calc::add_mac(command, run);
    calc::add_kcv(command, run);
    calc::add_diversify(command, run);
    calc::add_purse(command, run);
    calc::add_secure_messaging(command, run);
    calc::add_emv(command, run);
    calc::add_pin_block(command, run);
    calc::add_ibm3624(command, run);
    calc::add_key_block(command, run);
    calc::add_scp(command, run);
    calc::add_sm2(command, run);
    calc::add_certificate(command, run);
    calc::add_tlv(command, run);
}

}  // namespace host::keys
