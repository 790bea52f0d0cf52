#include "tests/crypto/pkcs11_faulty_module.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include <dlfcn.h>

#include "crypto/keys/pkcs11/gate.hpp"

namespace {

struct Fault {
    unsigned skip = 0;
    unsigned times = 0;
    CK_RV rv = CKR_OK;
};
struct State {
    std::mutex mutex;
    std::map<std::string, Fault> faults;
    std::map<std::string, unsigned> calls;
    std::set<CK_MECHANISM_TYPE> hidden;
    CK_FLAGS token_flags = 0;
    bool removed = false;
    bool ignores_templates = false;
    long calls_until_removed = -1;  ///< below zero: never
    CK_SLOT_ID slot = 0;            // of the last session
    CK_SESSION_HANDLE session = 0;
};
State state;
/// SoftHSM2 crashes when its sessions are closed under a call, so that a loss comes between calls.
crypto::keys::pkcs11::Gate in_call;
const CK_FUNCTION_LIST* real = nullptr;

/// CKR_OK: hand the call on.
CK_RV injected(const char* function, bool needs_token) {
    const std::lock_guard guard{state.mutex};
    ++state.calls[function];
    if (state.calls_until_removed >= 0 && state.calls_until_removed-- == 0) state.removed = true;
    if (state.removed && needs_token) return CKR_DEVICE_REMOVED;
    const auto fault = state.faults.find(function);
    if (fault == state.faults.end()) return CKR_OK;
    Fault& one = fault->second;
    if (one.skip > 0) {
        --one.skip;
        return CKR_OK;
    }
    if (one.times == 0) return CKR_OK;
    --one.times;
    return one.rv;
}

struct Name {
    const char* text;
    bool needs_token = true;
};
template <auto member, const Name& name, class Function>
struct Forward;
template <auto member, const Name& name, class... Arguments>
struct Forward<member, name, CK_RV (*)(Arguments...)> {
    static CK_RV call(Arguments... arguments) {
        const std::shared_lock calling{in_call};
        const CK_RV rv = injected(name.text, name.needs_token);
        return rv != CKR_OK ? rv : (real->*member)(arguments...);
    }
};

CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID* slots, CK_ULONG* count) {
    const std::shared_lock calling{in_call};
    if (const CK_RV rv = injected("C_GetSlotList", false); rv != CKR_OK) return rv;
    if (!state.removed) return real->C_GetSlotList(present, slots, count);
    *count = 0;
    return CKR_OK;
}
CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO* info) {
    const std::shared_lock calling{in_call};
    if (const CK_RV rv = injected("C_GetTokenInfo", true); rv != CKR_OK) return rv;
    const CK_RV rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK) info->flags |= state.token_flags;
    return rv;
}
CK_RV get_mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO* info) {
    const std::shared_lock calling{in_call};
    if (const CK_RV rv = injected("C_GetMechanismInfo", true); rv != CKR_OK) return rv;
    if (state.hidden.contains(type)) return CKR_MECHANISM_INVALID;
    return real->C_GetMechanismInfo(slot, type, info);
}
CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void* application, CK_NOTIFY notify,
                   CK_SESSION_HANDLE* session) {
    const std::shared_lock calling{in_call};
    if (const CK_RV rv = injected("C_OpenSession", true); rv != CKR_OK) return rv;
    const CK_RV rv = real->C_OpenSession(slot, flags, application, notify, session);
    const std::lock_guard guard{state.mutex};
    if (rv == CKR_OK) state.slot = slot;
    if (rv == CKR_OK) state.session = *session;
    return rv;
}
CK_RV generate_key(CK_SESSION_HANDLE session, CK_MECHANISM* mechanism, CK_ATTRIBUTE* attributes,
                   CK_ULONG count, CK_OBJECT_HANDLE* key) {
    const std::shared_lock calling{in_call};
    if (const CK_RV rv = injected("C_GenerateKey", true); rv != CKR_OK) return rv;
    std::vector<CK_ATTRIBUTE> kept{attributes, attributes + count};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    for (CK_ATTRIBUTE& one : kept) {
        if (!state.ignores_templates) break;
        if (one.type == CKA_EXTRACTABLE) one.pValue = &yes;
        if (one.type == CKA_SENSITIVE) one.pValue = &no;
    }
    return real->C_GenerateKey(session, mechanism, kept.data(), kept.size(), key);
}

#define FORWARD(function, needs_token)                                    \
    static constexpr Name name_##function{#function, needs_token};        \
    list.function = Forward<&CK_FUNCTION_LIST::function, name_##function, \
                            decltype(CK_FUNCTION_LIST::function)>::call

CK_FUNCTION_LIST forwarding() {
    CK_FUNCTION_LIST list = *real;
    FORWARD(C_Initialize, false);
    FORWARD(C_CloseSession, true);
    FORWARD(C_GetSessionInfo, true);
    FORWARD(C_Login, true);
    FORWARD(C_Logout, true);
    FORWARD(C_CreateObject, true);
    FORWARD(C_DestroyObject, true);
    FORWARD(C_GetAttributeValue, true);
    FORWARD(C_FindObjectsInit, true);
    FORWARD(C_FindObjects, true);
    FORWARD(C_FindObjectsFinal, true);
    FORWARD(C_EncryptInit, true);
    FORWARD(C_Encrypt, true);
    FORWARD(C_DecryptInit, true);
    FORWARD(C_Decrypt, true);
    FORWARD(C_SignInit, true);
    FORWARD(C_Sign, true);
    FORWARD(C_GenerateKeyPair, true);
    FORWARD(C_WrapKey, true);
    FORWARD(C_UnwrapKey, true);
    FORWARD(C_GenerateRandom, true);
    list.C_GetSlotList = get_slot_list;
    list.C_GetTokenInfo = get_token_info;
    list.C_GetMechanismInfo = get_mechanism_info;
    list.C_OpenSession = open_session;
    list.C_GenerateKey = generate_key;
    return list;
}

void reset() {
    const std::lock_guard guard{state.mutex};
    state.faults.clear();
    state.calls.clear();
    state.hidden.clear();
    state.token_flags = 0;
    state.removed = state.ignores_templates = false;
}

/// What a program that has no controls is to meet.
void read_environment() {
    if (const char* count = std::getenv("ONECARD_TOKEN_REMOVED_AFTER")) {
        state.calls_until_removed = std::strtol(count, nullptr, 10);
    }
    if (const char* fault = std::getenv("ONECARD_TOKEN_FAULT")) {
        const std::string text{fault};
        const std::size_t blank = text.find(' ');
        state.faults[text.substr(0, blank)] = {0, ~0U, std::stoul(text.substr(blank))};
    }
}

const tests::FaultyModule controls{
    .reset = reset,
    .fail =
        [](const char* function, unsigned nth, unsigned long rv, unsigned times) {
            const std::lock_guard guard{state.mutex};
            state.faults[function] = {nth - 1, times, rv};
        },
    .hide_mechanism = [](CK_MECHANISM_TYPE mechanism) { state.hidden.insert(mechanism); },
    .add_token_flags = [](CK_FLAGS flags) { state.token_flags |= flags; },
    .ignore_templates = [](bool yes) { state.ignores_templates = yes; },
    .remove =
        [] {
            const std::unique_lock alone{in_call};
            {
                const std::lock_guard guard{state.mutex};
                state.removed = true;
            }
            real->C_CloseAllSessions(state.slot);
        },
    .put_back =
        [] {
            const std::lock_guard guard{state.mutex};
            state.removed = false;
        },
    .log_out =
        [] {
            const std::unique_lock alone{in_call};
            real->C_Logout(state.session);
        },
    .close_sessions =
        [] {
            const std::unique_lock alone{in_call};
            real->C_CloseAllSessions(state.slot);
        },
    .calls =
        [](const char* function) {
            const std::lock_guard guard{state.mutex};
            return state.calls[function];
        },
};

}  // namespace

extern "C" const tests::FaultyModule* onecard_faulty_module() {
    return &controls;
}

extern "C" CK_RV C_GetFunctionList(CK_FUNCTION_LIST** list) {
    static CK_FUNCTION_LIST ours;
    if (real == nullptr) {
        void* const library = dlopen(ONECARD_SOFTHSM2, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library == nullptr) return CKR_LIBRARY_LOAD_FAILED;
        const auto get =
            reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
        CK_FUNCTION_LIST* found = nullptr;
        if (get == nullptr || get(&found) != CKR_OK) return CKR_LIBRARY_LOAD_FAILED;
        real = found;
        ours = forwarding();
        read_environment();
    }
    *list = &ours;
    return CKR_OK;
}
