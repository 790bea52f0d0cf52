#pragma once
// SoftHSM2 tokens in a directory of the test's own, and shorthand for what the tests ask of them.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include "crypto/keys/pkcs11/token.hpp"
#include "tests/crypto/pkcs11_faulty_module.hpp"
#include "tests/crypto/vectors.hpp"

namespace tests {

namespace p11 = crypto::keys::pkcs11;
using crypto::Bytes;
using crypto::MutableBytes;
using ByteVector = std::vector<std::uint8_t>;

inline Bytes text(std::string_view value) {
    return {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()};
}
inline constexpr std::string_view user_pin = "custodian 24601";
inline constexpr std::string_view officer_pin = "officer 24602";
inline constexpr std::string_view token_label = "OneCard test";

/// The value, or a failed test that says why.
template <class T>
T good(p11::Result<T> result) {
    if (!result) {
        FAIL(p11::name(result.error().refusal) << ": " << result.error().detail);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}
template <class T>
p11::Refusal why(const p11::Result<T>& result) {
    REQUIRE_FALSE(result.has_value());
    return result.error().refusal;
}

/// SoftHSM2 with no token at first. It reads its configuration at every C_Initialize.
class SoftHsm {
public:
    SoftHsm() {
        // SoftHSM2 writes every attribute of a new object to its file: in memory, if there is any.
        const std::filesystem::path memory = "/dev/shm";
        const bool fast = access(memory.c_str(), W_OK) == 0;
        const auto base = fast ? memory : std::filesystem::temp_directory_path();
        std::string name = (base / "onecard-pkcs11-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path_ = name;
        std::filesystem::create_directory(path_ / "tokens");
        std::ofstream{path_ / "softhsm2.conf"}
            << "directories.tokendir = " << (path_ / "tokens").string()
            << "\nobjectstore.backend = file\nlog.level = ERROR\n";
        setenv("SOFTHSM2_CONF", (path_ / "softhsm2.conf").c_str(), 1);
    }
    ~SoftHsm() { std::filesystem::remove_all(path_); }
    SoftHsm(const SoftHsm&) = delete;
    SoftHsm& operator=(const SoftHsm&) = delete;

    [[nodiscard]] const std::filesystem::path& directory() const { return path_; }

    /// A token with both PINs set; gives its serial number.
    std::string make_token(std::string_view label) const {
        const auto module = good(p11::Module::load(ONECARD_SOFTHSM2));
        const CK_FUNCTION_LIST& call = module->call();
        CK_SLOT_ID blank = 0;
        for (const auto& token : good(module->tokens())) {
            if (!token.initialised) blank = token.slot;
        }
        std::string padded{label};
        padded.resize(32, ' ');
        REQUIRE(call.C_InitToken(blank, pin(officer_pin), officer_pin.size(), pin(padded)) ==
                CKR_OK);
        CK_SESSION_HANDLE session = 0;
        REQUIRE(call.C_OpenSession(blank, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                   &session) == CKR_OK);
        REQUIRE(call.C_Login(session, CKU_SO, pin(officer_pin), officer_pin.size()) == CKR_OK);
        REQUIRE(call.C_InitPIN(session, pin(user_pin), user_pin.size()) == CKR_OK);
        const auto info = good(module->describe(blank));
        REQUIRE(call.C_CloseSession(session) == CKR_OK);
        return info.serial;
    }

    static CK_UTF8CHAR* pin(std::string_view value) {
        return reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(value.data()));
    }

private:
    std::filesystem::path path_;
};

inline p11::ObjectName named(std::string_view label, std::uint8_t id = 1) {
    return {{0x31, 0x00, id}, std::string{label}};
}
inline p11::KeySpec aes(std::string_view label, p11::Use use, std::size_t size = 32) {
    return {named(label), p11::Algorithm::aes, use, size};
}
inline p11::KeySpec des(std::string_view label, p11::Use use, std::size_t size = 16) {
    return {named(label), p11::Algorithm::triple_des, use, size};
}
inline p11::KeySpec pair(std::string_view label) {
    return {named(label), p11::Algorithm::p256, p11::Use::sign, 32};
}

/// One token, opened straight in SoftHSM2.
struct OpenToken {
    explicit OpenToken(std::size_t sessions = 4, const char* path = ONECARD_SOFTHSM2) {
        serial = hsm.make_token(token_label);
        module = good(p11::Module::load(path));
        open(sessions);
    }
    void open(std::size_t sessions = 4) {
        token = good(p11::Token::open(module, {.label = std::string{token_label}, .serial = {}},
                                      text(user_pin), {sessions}));
    }
    p11::Token* operator->() const { return token.get(); }

    /// A session of the test's own in the same application: logged in as the token is.
    [[nodiscard]] CK_SESSION_HANDLE raw_session() const {
        CK_SESSION_HANDLE session = 0;
        REQUIRE(module->call().C_OpenSession(token->info().slot,
                                             CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr,
                                             &session) == CKR_OK);
        return session;
    }
    [[nodiscard]] CK_OBJECT_HANDLE raw_handle(CK_SESSION_HANDLE session,
                                              const p11::ObjectName& name,
                                              CK_OBJECT_CLASS object_class) const {
        p11::Template wanted;
        wanted.number(CKA_CLASS, object_class);
        wanted.name(name);
        const CK_FUNCTION_LIST& call = module->call();
        REQUIRE(call.C_FindObjectsInit(session, wanted.data(), wanted.size()) == CKR_OK);
        CK_OBJECT_HANDLE found = 0;
        CK_ULONG count = 0;
        REQUIRE(call.C_FindObjects(session, &found, 1, &count) == CKR_OK);
        REQUIRE(call.C_FindObjectsFinal(session) == CKR_OK);
        REQUIRE(count == 1);
        return found;
    }

    SoftHsm hsm;
    std::string serial;
    std::shared_ptr<p11::Module> module;
    std::unique_ptr<p11::Token> token;
};

/// The same behind the test double, which fails when told to.
struct FaultyToken : OpenToken {
    explicit FaultyToken(std::size_t sessions = 4) : OpenToken{sessions, ONECARD_FAULTY_MODULE} {}
    ~FaultyToken() {
        faults().reset();
        token.reset();
    }
    FaultyToken(const FaultyToken&) = delete;
    FaultyToken& operator=(const FaultyToken&) = delete;
    static const FaultyModule& faults() {
        void* const library = dlopen(ONECARD_FAULTY_MODULE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        REQUIRE(library != nullptr);
        const auto get = reinterpret_cast<decltype(&onecard_faulty_module)>(
            dlsym(library, "onecard_faulty_module"));
        REQUIRE((get != nullptr));
        return *get();
    }
};

inline ByteVector encrypted(p11::Token& token, const p11::ObjectName& key, Bytes in) {
    ByteVector out(in.size());
    good(token.encrypt_blocks(key, in, out));
    return out;
}

}  // namespace tests
