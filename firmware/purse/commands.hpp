#pragma once
// The electronic purse. domain.md 1.1 to 1.6; docs/card_commands.md, 6.
#include "firmware/os/context.hpp"

namespace firmware::purse {

Outcome<void> get_balance(Context&, const Request&);
Outcome<void> initialise(Context&, const Request&);
Outcome<void> credit(Context&, const Request&);
Outcome<void> update_capp_cache(Context&, const Request&);
Outcome<void> debit(Context&, const Request&);
Outcome<void> update_overdraft(Context&, const Request&);
/// GET MESSAGE 80 CA 00 00: CJ/T 166.
Outcome<void> get_security_code(Context&, const Request&);
Outcome<void> prove(Context&, const Request&);

// grey_lock.cpp. docs/card_commands.md, 6.1.
Outcome<void> initialise_grey(Context&, const Request&);
Outcome<void> grey_lock(Context&, const Request&);
Outcome<void> grey_unlock(Context&, const Request&);
Outcome<void> grey_proof(Context&, const Request&);

}  // namespace firmware::purse
