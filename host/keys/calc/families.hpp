#pragma once
// The families of calculations, each in its own file. docs/calculator.md, 2.
#include "host/keys/calc/calculation.hpp"

namespace host::keys::calc {

void add_digest(Command& calc, Run& run);
void add_cipher(Command& calc, Run& run);
void add_mac(Command& calc, Run& run);
void add_kcv(Command& calc, Run& run);
void add_diversify(Command& calc, Run& run);
void add_purse(Command& calc, Run& run);
void add_secure_messaging(Command& calc, Run& run);
void add_emv(Command& calc, Run& run);
void add_pin_block(Command& calc, Run& run);
void add_ibm3624(Command& calc, Run& run);
void add_key_block(Command& calc, Run& run);
void add_scp(Command& calc, Run& run);
void add_sm2(Command& calc, Run& run);
void add_certificate(Command& calc, Run& run);
void add_tlv(Command& calc, Run& run);

}  // namespace host::keys::calc
