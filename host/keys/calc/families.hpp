#pragma once
// The families of calculations, each in its own file. docs/calculator.md, 2.
#include "host/keys/calc/calculation.hpp"

namespace host::keys::calc {

void add_digest(CLI::App& calc, Run& run);
void add_cipher(CLI::App& calc, Run& run);
void add_mac(CLI::App& calc, Run& run);
void add_kcv(CLI::App& calc, Run& run);
void add_diversify(CLI::App& calc, Run& run);
void add_purse(CLI::App& calc, Run& run);
void add_secure_messaging(CLI::App& calc, Run& run);
void add_emv(CLI::App& calc, Run& run);
void add_pin_block(CLI::App& calc, Run& run);
void add_ibm3624(CLI::App& calc, Run& run);
void add_key_block(CLI::App& calc, Run& run);
void add_scp(CLI::App& calc, Run& run);
void add_sm2(CLI::App& calc, Run& run);
void add_certificate(CLI::App& calc, Run& run);
void add_tlv(CLI::App& calc, Run& run);

}  // namespace host::keys::calc
