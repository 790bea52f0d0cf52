#pragma once
// A test double, never for production: a PKCS#11 module that hands every call on to SoftHSM2 and
// fails when it is told to. The test that loads it as a module finds these controls by dlsym. A
// program is given ONECARD_TOKEN_REMOVED_AFTER (this many calls, then the token is gone for good)
// or ONECARD_TOKEN_FAULT ("C_Login 160": every such call answers that).
#include <p11-kit/pkcs11.h>

namespace tests {

struct FaultyModule {
    /// Everything is handed on again; counts begin at 0.
    void (*reset)();
    /// From the `nth` next call of "C_Name" on (1: the next one), `times` calls answer `rv` and are
    /// not handed on.
    void (*fail)(const char* function, unsigned nth, unsigned long rv, unsigned times);
    /// The token says it does not have it.
    void (*hide_mechanism)(CK_MECHANISM_TYPE mechanism);
    /// The token shows these besides its own: CKF_USER_PIN_FINAL_TRY, ...
    void (*add_token_flags)(CK_FLAGS flags);
    /// Templates lose CKA_EXTRACTABLE and CKA_SENSITIVE: a module that ignores what it is asked.
    void (*ignore_templates)(bool yes);
    /// Pulls the token out: its sessions are closed in SoftHSM2 itself, no slot holds it, and what
    /// is asked of it answers CKR_DEVICE_REMOVED until it is put back.
    void (*remove)();
    void (*put_back)();
    /// Logs the user out in SoftHSM2 itself, as other code of the process could.
    void (*log_out)();
    /// Closes every session in SoftHSM2 itself, as a token that was reset.
    void (*close_sessions)();
    /// Calls of "C_Name" since reset(), failed ones included.
    unsigned (*calls)(const char* function);
};

}  // namespace tests

extern "C" const tests::FaultyModule* onecard_faulty_module();
