#pragma once
// A PKCS#11 module: the shared library of a token's maker. docs/pkcs11.md.
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include <p11-kit/pkcs11.h>
#include <sys/types.h>

#include "crypto/keys/pkcs11/error.hpp"

namespace crypto::keys::pkcs11 {

/// Text without its padding of spaces.
struct TokenInfo {
    CK_SLOT_ID slot = 0;
    std::string label;
    std::string serial;
    std::string model;
    bool initialised = false;
    PinTries tries = PinTries::unknown;  ///< what its flags say of the user's PIN
    bool pin_locked = false;
};

/// Which token: what is empty does not matter. Both empty: the only one there is.
struct TokenSelection {
    std::string label;
    std::string serial;
};

/// Loaded and initialised as long as someone holds it; every load of a path gives the same one.
/// Finalised with its last holder, but never unloaded. Safe to use from several threads.
class Module {
public:
    /// module_missing, module_refused.
    [[nodiscard]] static Result<std::shared_ptr<Module>> load(const std::filesystem::path& path);
    ~Module();
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    /// The module's functions. No pointer is null.
    [[nodiscard]] const CK_FUNCTION_LIST& call() const { return *functions_; }
    /// Everything in a slot, blank tokens included.
    [[nodiscard]] Result<std::vector<TokenInfo>> tokens() const;
    /// token_missing, token_ambiguous, token_uninitialised.
    [[nodiscard]] Result<TokenInfo> choose(const TokenSelection& selection) const;
    [[nodiscard]] Result<TokenInfo> describe(CK_SLOT_ID slot) const;
    /// process_forked in a child: PKCS#11 2.20, 6.6.1 leaves what would happen undefined.
    [[nodiscard]] Result<void> check_process() const;

    /// One claim a token and process: false when it is taken. docs/pkcs11.md, "token_in_use".
    [[nodiscard]] bool claim(const TokenInfo& token);
    void release(const TokenInfo& token);

private:
    struct Registry;
    Module(std::filesystem::path path, const CK_FUNCTION_LIST* functions);
    [[nodiscard]] static Registry& registry();
    [[nodiscard]] static Result<const CK_FUNCTION_LIST*> open_library(
        const std::filesystem::path& path);
    [[nodiscard]] Result<void> initialise();

    std::filesystem::path path_;
    const CK_FUNCTION_LIST* functions_;
    pid_t process_;
    bool finalise_ = false;  // C_Initialize was ours
    std::mutex claims_mutex_;
    std::set<std::string> claims_;
};

}  // namespace crypto::keys::pkcs11
