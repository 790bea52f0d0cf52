#pragma once
// Why something with a PKCS#11 token did not happen. docs/pkcs11.md, "Refusals".
#include <cstdint>
#include <expected>
#include <string>

namespace crypto::keys::pkcs11 {

enum class Refusal : std::uint8_t {  // In the order they are checked.
    module_missing,                  ///< no file at the path
    module_refused,                  ///< not a PKCS#11 module, or C_Initialize refused
    process_forked,                  ///< a child uses what its parent opened
    token_missing,                   ///< no token with that label and serial number
    token_ambiguous,                 ///< several of them: choose by serial number
    token_uninitialised,             ///< only blank tokens
    token_in_use,         ///< opened already in this process: the PIN would not be checked
    memory_not_lockable,  ///< mlock refused: raise RLIMIT_MEMLOCK (systemd: LimitMEMLOCK=)
    sessions_exhausted,   ///< the token gives no session
    pin_wrong,            ///< see Error::tries
    pin_locked,           ///< the security officer must set a new one
    pin_refused,          ///< expired, never set, or of a length that cannot be
    device_removed,       ///< the token is gone; a later call looks for it again
    session_lost,         ///< closed or logged out under us; a later call opens another
    size_wrong,           ///< of an input or of the caller's buffer
    name_wrong,           ///< an id or label that is empty or above name_size_max
    blob_malformed,       ///< not a sealed blob of a version we know
    mechanism_missing,    ///< the token cannot do it
    object_exists,        ///< the name is taken
    object_missing,       ///< no object has the name
    object_ambiguous,     ///< several have it: someone else made them
    attribute_refused,    ///< the module refused our template, or the object is exposed
    use_forbidden,        ///< another algorithm, or not this key's use
    blob_refused,         ///< altered, sealed under another key or with other data
    answer_malformed,     ///< the module's answer has a size or form that cannot be
    token_failed,         ///< any other CKR_
};
constexpr Refusal refusal_last = Refusal::token_failed;
[[nodiscard]] const char* name(Refusal refusal);

/// What the token says of the tries that are left after a wrong PIN.
enum class PinTries : std::uint8_t {
    unknown,  ///< it does not say
    several,
    few,   ///< CKF_USER_PIN_COUNT_LOW: at least one wrong since the last right one
    last,  ///< CKF_USER_PIN_FINAL_TRY: the next wrong one locks it
};
[[nodiscard]] const char* name(PinTries tries);

struct Error {
    Refusal refusal = Refusal::token_failed;
    std::string detail{};  ///< "C_Login: CKR_PIN_INCORRECT"; never a PIN or a byte of a key
    unsigned long rv = 0;  ///< the CK_RV; CKR_OK when no call refused
    PinTries tries = PinTries::unknown;  ///< with pin_wrong
};
template <class T>
using Result = std::expected<T, Error>;

/// "CKR_PIN_INCORRECT"; for what no standard names, "CK_RV 0x80000001".
[[nodiscard]] std::string return_value_name(unsigned long rv);

/// A call that answered `rv`, under the refusal that fits it wherever it happens.
[[nodiscard]] std::unexpected<Error> refused(const char* call, unsigned long rv);
/// A call that answered `rv`, where the caller knows better what that means.
[[nodiscard]] std::unexpected<Error> refused_as(Refusal refusal, const char* call,
                                                unsigned long rv);
/// A refusal of our own.
[[nodiscard]] std::unexpected<Error> refusal(Refusal refusal, std::string detail);

/// The session or the login is gone: a new connection may help. docs/pkcs11.md, "Recovery".
[[nodiscard]] bool is_connection_loss(unsigned long rv);
/// The module no longer knows an object's handle: finding it again may help.
[[nodiscard]] bool is_stale_handle(unsigned long rv);

}  // namespace crypto::keys::pkcs11
