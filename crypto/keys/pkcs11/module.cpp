#include "crypto/keys/pkcs11/module.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <span>

#include <dlfcn.h>
#include <unistd.h>

#include "protocol/bytes.hpp"

namespace crypto::keys::pkcs11 {
namespace {

template <std::size_t size>
std::string padded_text(const unsigned char (&text)[size]) {  // Base 2.40, 3.2: spaces, no null
    std::string out{reinterpret_cast<const char*>(text), size};
    out.erase(out.find_last_not_of(std::string{" \0", 2}) + 1);
    return out;
}

PinTries tries_of(CK_FLAGS flags) {
    if ((flags & CKF_USER_PIN_FINAL_TRY) != 0) return PinTries::last;
    if ((flags & CKF_USER_PIN_COUNT_LOW) != 0) return PinTries::few;
    return PinTries::several;
}

/// From the version on, the list is pointers to functions, and 2.40 asks for a stub in each.
bool has_every_function(const CK_FUNCTION_LIST& list) {
    using Function = void (*)();
    constexpr std::size_t first = offsetof(CK_FUNCTION_LIST, C_Initialize);
    constexpr std::size_t count = (sizeof list - first) / sizeof(Function);
    const auto* bytes = reinterpret_cast<const unsigned char*>(&list) + first;
    const std::span<const Function> functions{reinterpret_cast<const Function*>(bytes), count};
    return std::ranges::none_of(functions, [](Function one) { return one == nullptr; });
}

std::string claim_of(const TokenInfo& token) {
    return token.serial + '\n' + token.model + '\n' + token.label;
}

}  // namespace

/// One module a path. It outlives everything, so that a module held by a static object still finds
/// it at the end.
struct Module::Registry {
    std::mutex mutex;
    std::condition_variable closed;
    std::map<std::filesystem::path, std::weak_ptr<Module>> modules;
};

Module::Registry& Module::registry() {
    static Registry* const only = new Registry;
    return *only;
}

Module::Module(std::filesystem::path path, const CK_FUNCTION_LIST* functions)
    : path_{std::move(path)}, functions_{functions}, process_{getpid()} {}

Module::~Module() {
    Registry& all = registry();
    const std::lock_guard guard{all.mutex};
    // In a child it is the parent's connection that would be torn down.
    if (finalise_ && getpid() == process_) static_cast<void>(functions_->C_Finalize(nullptr));
    all.modules.erase(path_);
    all.closed.notify_all();
}

Result<std::shared_ptr<Module>> Module::load(const std::filesystem::path& path) {
    std::error_code failure;
    const auto file = std::filesystem::canonical(path, failure);
    if (failure) return refusal(Refusal::module_missing, path.string() + ": " + failure.message());
    Registry& all = registry();
    std::unique_lock guard{all.mutex};
    for (;;) {
        const auto known = all.modules.find(file);
        if (known == all.modules.end()) break;
        if (auto module = known->second.lock()) {
            ONECARD_CHECK(module->check_process());
            return module;
        }
        all.closed.wait(guard);  // its last holder is about to finalise it
    }
    ONECARD_TRY(functions, open_library(file));
    // Not make_shared: the constructor is private. Until the module is registered, its destructor
    // must not run under the guard.
    std::shared_ptr<Module> module{new Module{file, functions}};
    const auto initialised = module->initialise();
    if (!initialised) {
        guard.unlock();
        return std::unexpected{initialised.error()};
    }
    all.modules.emplace(file, module);
    return module;
}

Result<const CK_FUNCTION_LIST*> Module::open_library(const std::filesystem::path& path) {
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) return refusal(Refusal::module_refused, dlerror());
    const auto get = reinterpret_cast<CK_C_GetFunctionList>(dlsym(library, "C_GetFunctionList"));
    if (get == nullptr) {
        dlclose(library);
        return refusal(Refusal::module_refused, path.string() + ": no C_GetFunctionList");
    }
    CK_FUNCTION_LIST* functions = nullptr;
    const CK_RV rv = get(&functions);
    if (rv != CKR_OK) return refused_as(Refusal::module_refused, "C_GetFunctionList", rv);
    if (functions == nullptr || functions->version.major < 2) {
        return refusal(Refusal::module_refused, path.string() + ": Cryptoki before 2.0");
    }
    if (!has_every_function(*functions)) {
        return refusal(Refusal::module_refused, path.string() + ": a function is missing");
    }
    return functions;
}

Result<void> Module::initialise() {
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    const CK_RV rv = functions_->C_Initialize(&arguments);
    finalise_ = rv == CKR_OK;
    // Other code of this process uses it: it stays theirs to finalise.
    if (rv == CKR_OK || rv == CKR_CRYPTOKI_ALREADY_INITIALIZED) return {};
    return refused_as(Refusal::module_refused, "C_Initialize", rv);
}

Result<void> Module::check_process() const {
    if (getpid() == process_) return {};
    return refusal(Refusal::process_forked, "opened before fork: open it again after exec");
}

Result<TokenInfo> Module::describe(CK_SLOT_ID slot) const {
    CK_TOKEN_INFO info{};
    const CK_RV rv = functions_->C_GetTokenInfo(slot, &info);
    if (rv != CKR_OK) return refused("C_GetTokenInfo", rv);
    return TokenInfo{.slot = slot,
                     .label = padded_text(info.label),
                     .serial = padded_text(info.serialNumber),
                     .model = padded_text(info.model),
                     .initialised = (info.flags & CKF_TOKEN_INITIALIZED) != 0,
                     .tries = tries_of(info.flags),
                     .pin_locked = (info.flags & CKF_USER_PIN_LOCKED) != 0};
}

Result<std::vector<TokenInfo>> Module::tokens() const {
    ONECARD_CHECK(check_process());
    std::vector<CK_SLOT_ID> slots;
    CK_RV rv = CKR_BUFFER_TOO_SMALL;
    // A token may be plugged in between the two calls. Base 2.40, 5.5: the call without a buffer
    // is the one that looks at the slots anew.
    for (int tries = 0; rv == CKR_BUFFER_TOO_SMALL && tries < 3; ++tries) {
        CK_ULONG count = 0;
        rv = functions_->C_GetSlotList(CK_TRUE, nullptr, &count);
        if (rv != CKR_OK) break;
        slots.resize(count + 1);
        count = slots.size();
        rv = functions_->C_GetSlotList(CK_TRUE, slots.data(), &count);
        if (rv == CKR_OK) slots.resize(count);
    }
    if (rv != CKR_OK) return refused("C_GetSlotList", rv);
    std::vector<TokenInfo> out;
    for (const CK_SLOT_ID slot : slots) {
        auto info = describe(slot);
        if (info) out.push_back(std::move(*info));
        // Pulled out meanwhile, or unreadable: not one that can be chosen.
    }
    return out;
}

Result<TokenInfo> Module::choose(const TokenSelection& selection) const {
    ONECARD_TRY(all, tokens());
    std::vector<TokenInfo> chosen;
    for (const TokenInfo& token : all) {
        if (token.initialised && (selection.label.empty() || selection.label == token.label) &&
            (selection.serial.empty() || selection.serial == token.serial)) {
            chosen.push_back(token);
        }
    }
    const std::string wanted =
        "label \"" + selection.label + "\", serial number \"" + selection.serial + "\"";
    if (chosen.size() > 1) return refusal(Refusal::token_ambiguous, wanted);
    if (chosen.size() == 1) return chosen.front();
    const bool only_blank = !all.empty() && std::ranges::none_of(all, &TokenInfo::initialised);
    return refusal(only_blank ? Refusal::token_uninitialised : Refusal::token_missing, wanted);
}

bool Module::claim(const TokenInfo& token) {
    const std::lock_guard guard{claims_mutex_};
    return claims_.insert(claim_of(token)).second;
}

void Module::release(const TokenInfo& token) {
    const std::lock_guard guard{claims_mutex_};
    claims_.erase(claim_of(token));
}

}  // namespace crypto::keys::pkcs11
