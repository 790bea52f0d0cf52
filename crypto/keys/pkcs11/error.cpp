#include "crypto/keys/pkcs11/error.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <p11-kit/pkcs11.h>

namespace crypto::keys::pkcs11 {
namespace {

struct ReturnValueName {
    CK_RV rv;
    const char* name;
};
constexpr std::array return_values = std::to_array<ReturnValueName>({
    // PKCS#11 Base 2.40, 5.1
    {CKR_OK, "CKR_OK"},
    {CKR_CANCEL, "CKR_CANCEL"},
    {CKR_HOST_MEMORY, "CKR_HOST_MEMORY"},
    {CKR_SLOT_ID_INVALID, "CKR_SLOT_ID_INVALID"},
    {CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR"},
    {CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED"},
    {CKR_ARGUMENTS_BAD, "CKR_ARGUMENTS_BAD"},
    {CKR_NO_EVENT, "CKR_NO_EVENT"},
    {CKR_NEED_TO_CREATE_THREADS, "CKR_NEED_TO_CREATE_THREADS"},
    {CKR_CANT_LOCK, "CKR_CANT_LOCK"},
    {CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY"},
    {CKR_ATTRIBUTE_SENSITIVE, "CKR_ATTRIBUTE_SENSITIVE"},
    {CKR_ATTRIBUTE_TYPE_INVALID, "CKR_ATTRIBUTE_TYPE_INVALID"},
    {CKR_ATTRIBUTE_VALUE_INVALID, "CKR_ATTRIBUTE_VALUE_INVALID"},
    {CKR_ACTION_PROHIBITED, "CKR_ACTION_PROHIBITED"},
    {CKR_DATA_INVALID, "CKR_DATA_INVALID"},
    {CKR_DATA_LEN_RANGE, "CKR_DATA_LEN_RANGE"},
    {CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR"},
    {CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY"},
    {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED"},
    {CKR_ENCRYPTED_DATA_INVALID, "CKR_ENCRYPTED_DATA_INVALID"},
    {CKR_ENCRYPTED_DATA_LEN_RANGE, "CKR_ENCRYPTED_DATA_LEN_RANGE"},
    {CKR_FUNCTION_CANCELED, "CKR_FUNCTION_CANCELED"},
    {CKR_FUNCTION_NOT_PARALLEL, "CKR_FUNCTION_NOT_PARALLEL"},
    {CKR_FUNCTION_NOT_SUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED"},
    {CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID"},
    {CKR_KEY_SIZE_RANGE, "CKR_KEY_SIZE_RANGE"},
    {CKR_KEY_TYPE_INCONSISTENT, "CKR_KEY_TYPE_INCONSISTENT"},
    {CKR_KEY_NOT_NEEDED, "CKR_KEY_NOT_NEEDED"},
    {CKR_KEY_CHANGED, "CKR_KEY_CHANGED"},
    {CKR_KEY_NEEDED, "CKR_KEY_NEEDED"},
    {CKR_KEY_INDIGESTIBLE, "CKR_KEY_INDIGESTIBLE"},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED"},
    {CKR_KEY_NOT_WRAPPABLE, "CKR_KEY_NOT_WRAPPABLE"},
    {CKR_KEY_UNEXTRACTABLE, "CKR_KEY_UNEXTRACTABLE"},
    {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID"},
    {CKR_MECHANISM_PARAM_INVALID, "CKR_MECHANISM_PARAM_INVALID"},
    {CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID"},
    {CKR_OPERATION_ACTIVE, "CKR_OPERATION_ACTIVE"},
    {CKR_OPERATION_NOT_INITIALIZED, "CKR_OPERATION_NOT_INITIALIZED"},
    {CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT"},
    {CKR_PIN_INVALID, "CKR_PIN_INVALID"},
    {CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE"},
    {CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED"},
    {CKR_PIN_LOCKED, "CKR_PIN_LOCKED"},
    {CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED"},
    {CKR_SESSION_COUNT, "CKR_SESSION_COUNT"},
    {CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"},
    {CKR_SESSION_PARALLEL_NOT_SUPPORTED, "CKR_SESSION_PARALLEL_NOT_SUPPORTED"},
    {CKR_SESSION_READ_ONLY, "CKR_SESSION_READ_ONLY"},
    {CKR_SESSION_EXISTS, "CKR_SESSION_EXISTS"},
    {CKR_SESSION_READ_ONLY_EXISTS, "CKR_SESSION_READ_ONLY_EXISTS"},
    {CKR_SESSION_READ_WRITE_SO_EXISTS, "CKR_SESSION_READ_WRITE_SO_EXISTS"},
    {CKR_SIGNATURE_INVALID, "CKR_SIGNATURE_INVALID"},
    {CKR_SIGNATURE_LEN_RANGE, "CKR_SIGNATURE_LEN_RANGE"},
    {CKR_TEMPLATE_INCOMPLETE, "CKR_TEMPLATE_INCOMPLETE"},
    {CKR_TEMPLATE_INCONSISTENT, "CKR_TEMPLATE_INCONSISTENT"},
    {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT"},
    {CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED"},
    {CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED"},
    {CKR_UNWRAPPING_KEY_HANDLE_INVALID, "CKR_UNWRAPPING_KEY_HANDLE_INVALID"},
    {CKR_UNWRAPPING_KEY_SIZE_RANGE, "CKR_UNWRAPPING_KEY_SIZE_RANGE"},
    {CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT"},
    {CKR_USER_ALREADY_LOGGED_IN, "CKR_USER_ALREADY_LOGGED_IN"},
    {CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN"},
    {CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED"},
    {CKR_USER_TYPE_INVALID, "CKR_USER_TYPE_INVALID"},
    {CKR_USER_ANOTHER_ALREADY_LOGGED_IN, "CKR_USER_ANOTHER_ALREADY_LOGGED_IN"},
    {CKR_USER_TOO_MANY_TYPES, "CKR_USER_TOO_MANY_TYPES"},
    {CKR_WRAPPED_KEY_INVALID, "CKR_WRAPPED_KEY_INVALID"},
    {CKR_WRAPPED_KEY_LEN_RANGE, "CKR_WRAPPED_KEY_LEN_RANGE"},
    {CKR_WRAPPING_KEY_HANDLE_INVALID, "CKR_WRAPPING_KEY_HANDLE_INVALID"},
    {CKR_WRAPPING_KEY_SIZE_RANGE, "CKR_WRAPPING_KEY_SIZE_RANGE"},
    {CKR_WRAPPING_KEY_TYPE_INCONSISTENT, "CKR_WRAPPING_KEY_TYPE_INCONSISTENT"},
    {CKR_RANDOM_SEED_NOT_SUPPORTED, "CKR_RANDOM_SEED_NOT_SUPPORTED"},
    {CKR_RANDOM_NO_RNG, "CKR_RANDOM_NO_RNG"},
    {CKR_DOMAIN_PARAMS_INVALID, "CKR_DOMAIN_PARAMS_INVALID"},
    {CKR_CURVE_NOT_SUPPORTED, "CKR_CURVE_NOT_SUPPORTED"},
    {CKR_BUFFER_TOO_SMALL, "CKR_BUFFER_TOO_SMALL"},
    {CKR_SAVED_STATE_INVALID, "CKR_SAVED_STATE_INVALID"},
    {CKR_INFORMATION_SENSITIVE, "CKR_INFORMATION_SENSITIVE"},
    {CKR_STATE_UNSAVEABLE, "CKR_STATE_UNSAVEABLE"},
    {CKR_CRYPTOKI_NOT_INITIALIZED, "CKR_CRYPTOKI_NOT_INITIALIZED"},
    {CKR_CRYPTOKI_ALREADY_INITIALIZED, "CKR_CRYPTOKI_ALREADY_INITIALIZED"},
    {CKR_MUTEX_BAD, "CKR_MUTEX_BAD"},
    {CKR_MUTEX_NOT_LOCKED, "CKR_MUTEX_NOT_LOCKED"},
    {CKR_NEW_PIN_MODE, "CKR_NEW_PIN_MODE"},
    {CKR_NEXT_OTP, "CKR_NEXT_OTP"},
    {CKR_EXCEEDED_MAX_ITERATIONS, "CKR_EXCEEDED_MAX_ITERATIONS"},
    {CKR_FIPS_SELF_TEST_FAILED, "CKR_FIPS_SELF_TEST_FAILED"},
    {CKR_LIBRARY_LOAD_FAILED, "CKR_LIBRARY_LOAD_FAILED"},
    {CKR_PIN_TOO_WEAK, "CKR_PIN_TOO_WEAK"},
    {CKR_PUBLIC_KEY_INVALID, "CKR_PUBLIC_KEY_INVALID"},
    {CKR_FUNCTION_REJECTED, "CKR_FUNCTION_REJECTED"},
});
static_assert(std::ranges::adjacent_find(return_values, std::ranges::greater_equal{},
                                         &ReturnValueName::rv) == return_values.end(),
              "sorted and unique");

/// What a return value means wherever it appears; what is not here is token_failed.
struct Meaning {
    CK_RV rv;
    Refusal refusal;
};
constexpr std::array meanings = std::to_array<Meaning>({
    {CKR_CRYPTOKI_NOT_INITIALIZED, Refusal::module_refused},
    {CKR_SESSION_COUNT, Refusal::sessions_exhausted},
    {CKR_PIN_INCORRECT, Refusal::pin_wrong},
    {CKR_PIN_LOCKED, Refusal::pin_locked},
    {CKR_PIN_INVALID, Refusal::pin_refused},
    {CKR_PIN_LEN_RANGE, Refusal::pin_refused},
    {CKR_PIN_EXPIRED, Refusal::pin_refused},
    {CKR_USER_PIN_NOT_INITIALIZED, Refusal::pin_refused},
    {CKR_DEVICE_REMOVED, Refusal::device_removed},
    {CKR_TOKEN_NOT_PRESENT, Refusal::device_removed},
    {CKR_SESSION_CLOSED, Refusal::session_lost},
    {CKR_SESSION_HANDLE_INVALID, Refusal::session_lost},
    {CKR_USER_NOT_LOGGED_IN, Refusal::session_lost},
    {CKR_DATA_LEN_RANGE, Refusal::size_wrong},
    {CKR_KEY_SIZE_RANGE, Refusal::size_wrong},
    {CKR_MECHANISM_INVALID, Refusal::mechanism_missing},
    {CKR_FUNCTION_NOT_SUPPORTED, Refusal::mechanism_missing},
    {CKR_CURVE_NOT_SUPPORTED, Refusal::mechanism_missing},
    {CKR_KEY_HANDLE_INVALID, Refusal::object_missing},
    {CKR_OBJECT_HANDLE_INVALID, Refusal::object_missing},
    {CKR_ATTRIBUTE_READ_ONLY, Refusal::attribute_refused},
    {CKR_ATTRIBUTE_SENSITIVE, Refusal::attribute_refused},
    {CKR_ATTRIBUTE_TYPE_INVALID, Refusal::attribute_refused},
    {CKR_ATTRIBUTE_VALUE_INVALID, Refusal::attribute_refused},
    {CKR_ACTION_PROHIBITED, Refusal::attribute_refused},
    {CKR_TEMPLATE_INCOMPLETE, Refusal::attribute_refused},
    {CKR_TEMPLATE_INCONSISTENT, Refusal::attribute_refused},
    {CKR_TOKEN_WRITE_PROTECTED, Refusal::attribute_refused},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, Refusal::use_forbidden},
    {CKR_KEY_TYPE_INCONSISTENT, Refusal::use_forbidden},
    {CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, Refusal::use_forbidden},
    {CKR_WRAPPING_KEY_TYPE_INCONSISTENT, Refusal::use_forbidden},
});

}  // namespace

const char* name(Refusal refusal) {
    switch (refusal) {
        case Refusal::module_missing: return "module_missing";
        case Refusal::module_refused: return "module_refused";
        case Refusal::process_forked: return "process_forked";
        case Refusal::token_missing: return "token_missing";
        case Refusal::token_ambiguous: return "token_ambiguous";
        case Refusal::token_uninitialised: return "token_uninitialised";
        case Refusal::token_in_use: return "token_in_use";
        case Refusal::memory_not_lockable: return "memory_not_lockable";
        case Refusal::sessions_exhausted: return "sessions_exhausted";
        case Refusal::pin_wrong: return "pin_wrong";
        case Refusal::pin_locked: return "pin_locked";
        case Refusal::pin_refused: return "pin_refused";
        case Refusal::device_removed: return "device_removed";
        case Refusal::session_lost: return "session_lost";
        case Refusal::size_wrong: return "size_wrong";
        case Refusal::name_wrong: return "name_wrong";
        case Refusal::blob_malformed: return "blob_malformed";
        case Refusal::mechanism_missing: return "mechanism_missing";
        case Refusal::object_exists: return "object_exists";
        case Refusal::object_missing: return "object_missing";
        case Refusal::object_ambiguous: return "object_ambiguous";
        case Refusal::attribute_refused: return "attribute_refused";
        case Refusal::use_forbidden: return "use_forbidden";
        case Refusal::blob_refused: return "blob_refused";
        case Refusal::answer_malformed: return "answer_malformed";
        case Refusal::token_failed: return "token_failed";
    }
    return "unknown";
}

const char* name(PinTries tries) {
    switch (tries) {
        case PinTries::unknown: return "unknown";
        case PinTries::several: return "several";
        case PinTries::few: return "few";
        case PinTries::last: return "last";
    }
    return "unknown";
}

std::string return_value_name(unsigned long rv) {
    const auto* const known = std::ranges::lower_bound(return_values, rv, {}, &ReturnValueName::rv);
    if (known != return_values.end() && known->rv == rv) return known->name;
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "CK_RV 0x%08lX", rv);
    return text.data();
}

std::unexpected<Error> refused_as(Refusal refusal, const char* call, unsigned long rv) {
    return std::unexpected{
        Error{.refusal = refusal, .detail = call + (": " + return_value_name(rv)), .rv = rv}};
}

std::unexpected<Error> refused(const char* call, unsigned long rv) {
    const auto* const known = std::ranges::find(meanings, rv, &Meaning::rv);
    return refused_as(known == meanings.end() ? Refusal::token_failed : known->refusal, call, rv);
}

std::unexpected<Error> refusal(Refusal refusal, std::string detail) {
    return std::unexpected{Error{.refusal = refusal, .detail = std::move(detail)}};
}

bool is_connection_loss(unsigned long rv) {
    return rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_SESSION_CLOSED ||
           rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT || rv == CKR_USER_NOT_LOGGED_IN;
}

bool is_stale_handle(unsigned long rv) {
    return rv == CKR_KEY_HANDLE_INVALID || rv == CKR_OBJECT_HANDLE_INVALID ||
           rv == CKR_UNWRAPPING_KEY_HANDLE_INVALID || rv == CKR_WRAPPING_KEY_HANDLE_INVALID;
}

}  // namespace crypto::keys::pkcs11
