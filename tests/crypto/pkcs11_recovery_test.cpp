// crypto/keys/pkcs11 when the module fails: SoftHSM2 behind a test double that does what it is
// told. docs/pkcs11.md, "Sessions and threads".
#include <thread>

#include <sys/wait.h>

#include "tests/crypto/pkcs11_fixture.hpp"

/// SoftHSM2 2.6.1 forgets what C_EncryptInit made when a session is closed before C_Encrypt. A
/// declaration of the sanitizer's; nothing calls it elsewhere.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() {
    return "leak:libsofthsm2.so";
}

namespace {

using namespace tests;
using p11::Refusal;
using p11::Use;

const ByteVector value = from_hex("0123456789ABCDEFFEDCBA9876543210");
const ByteVector block(16);

p11::Result<void> blocks(p11::Token& token, const char* label) {
    ByteVector out(16);
    return token.encrypt_blocks(named(label), block, out);
}

}  // namespace

TEST_CASE("Module: one that cannot lock is refused with its reason") {
    const SoftHsm hsm;
    FaultyToken::faults().fail("C_Initialize", 1, CKR_CANT_LOCK, 1);
    const auto module = p11::Module::load(ONECARD_FAULTY_MODULE);
    CHECK(why(module) == Refusal::module_refused);
    CHECK(module.error().detail == "C_Initialize: CKR_CANT_LOCK");
    CHECK(p11::Module::load(ONECARD_FAULTY_MODULE).has_value());
    FaultyToken::faults().reset();
}

TEST_CASE("PIN: locked and expired and the last try each have their name") {
    FaultyToken token;
    token.token.reset();
    const auto open = [&] { return p11::Token::open(token.module, {}, text(user_pin)); };
    const auto& faults = FaultyToken::faults();
    faults.fail("C_Login", 1, CKR_PIN_LOCKED, 1);
    CHECK(why(open()) == Refusal::pin_locked);
    faults.fail("C_Login", 1, CKR_PIN_EXPIRED, 1);
    CHECK(why(open()) == Refusal::pin_refused);
    faults.fail("C_Login", 1, CKR_USER_PIN_NOT_INITIALIZED, 1);
    CHECK(why(open()) == Refusal::pin_refused);
    faults.add_token_flags(CKF_USER_PIN_FINAL_TRY);
    faults.fail("C_Login", 1, CKR_PIN_INCORRECT, 1);
    const auto last = open();
    CHECK(why(last) == Refusal::pin_wrong);
    CHECK(last.error().tries == p11::PinTries::last);
    // This wrong one was the last: now it is locked.
    faults.add_token_flags(CKF_USER_PIN_LOCKED);
    faults.fail("C_Login", 1, CKR_PIN_INCORRECT, 1);
    CHECK(why(open()) == Refusal::pin_locked);
}

TEST_CASE("Sessions: as many as the token has and none is a refusal") {
    FaultyToken token;
    token.token.reset();
    const auto& faults = FaultyToken::faults();
    faults.fail("C_OpenSession", 4, CKR_SESSION_COUNT, 1);
    token.open(16);
    CHECK(token->session_count() == 3);
    good(token->generate(aes("k", Use::encrypt_blocks)));
    std::vector<std::thread> crowd;
    std::atomic<int> done = 0;
    for (int i = 0; i < 16; ++i) {
        crowd.emplace_back([&] { done += blocks(*token.token, "k").has_value() ? 1 : 0; });
    }
    for (auto& one : crowd) one.join();
    CHECK(done == 16);
    token.token.reset();
    faults.fail("C_OpenSession", 1, CKR_SESSION_COUNT, 1);
    CHECK(why(p11::Token::open(token.module, {}, text(user_pin))) == Refusal::sessions_exhausted);
}

TEST_CASE("Recovery: each loss is mended once and the operation repeated") {
    const std::array losses{
        std::pair{CKR_SESSION_HANDLE_INVALID, Refusal::session_lost},
        std::pair{CKR_SESSION_CLOSED, Refusal::session_lost},
        std::pair{CKR_USER_NOT_LOGGED_IN, Refusal::session_lost},
        std::pair{CKR_DEVICE_REMOVED, Refusal::device_removed},
        std::pair{CKR_TOKEN_NOT_PRESENT, Refusal::device_removed},
    };
    FaultyToken token;
    const auto& faults = FaultyToken::faults();
    good(token->import_key(des("master", Use::encrypt_blocks), value));
    const auto expected = encrypted(*token.token, named("master"), block);
    for (const auto& [rv, refusal] : losses) {
        CAPTURE(p11::return_value_name(rv));
        for (const char* function : {"C_EncryptInit", "C_Encrypt"}) {
            const unsigned logins = faults.calls("C_Login");
            faults.fail(function, 1, rv, 1);
            CHECK(encrypted(*token.token, named("master"), block) == expected);
            CHECK(faults.calls("C_Login") == logins + 1);
            faults.fail(function, 1, rv, 2);
            const unsigned calls = faults.calls(function);
            CHECK(why(blocks(*token.token, "master")) == refusal);
            CHECK(faults.calls(function) == calls + 2);
            CHECK(encrypted(*token.token, named("master"), block) == expected);
        }
    }
}

TEST_CASE("Recovery: a vague error is a loss when the session is gone as well") {
    FaultyToken token;
    const auto& faults = FaultyToken::faults();
    good(token->import_key(des("master", Use::encrypt_blocks), value));
    good(token->generate(aes("seal", Use::seal)));
    const auto expected = encrypted(*token.token, named("master"), block);
    const auto blob = good(token->seal(named("seal"), value, {}));
    for (const auto rv : {CKR_GENERAL_ERROR, CKR_DEVICE_ERROR, CKR_FUNCTION_FAILED}) {
        faults.fail("C_Encrypt", 1, rv, 1);
        CHECK(why(blocks(*token.token, "master")) == Refusal::token_failed);
        faults.fail("C_Encrypt", 1, rv, 1);
        faults.fail("C_GetSessionInfo", 1, CKR_DEVICE_REMOVED, 1);
        CHECK(encrypted(*token.token, named("master"), block) == expected);
        // A lost token must not look like a blob that was altered.
        ByteVector out(16);
        faults.fail("C_Decrypt", 1, rv, 2);
        faults.fail("C_GetSessionInfo", 1, CKR_DEVICE_REMOVED, 2);
        CHECK(why(token->open_sealed(named("seal"), blob, {}, out)) == Refusal::device_removed);
        good(token->open_sealed(named("seal"), blob, {}, out));
        CHECK(out == value);
    }
}

TEST_CASE("Recovery: what makes or destroys is not repeated") {
    FaultyToken token;
    const auto& faults = FaultyToken::faults();
    for (const auto rv : {CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_REMOVED}) {
        const auto refusal =
            rv == CKR_DEVICE_REMOVED ? Refusal::device_removed : Refusal::session_lost;
        const auto spec = aes("made " + std::to_string(rv), Use::mac);
        unsigned calls = faults.calls("C_GenerateKey");
        faults.fail("C_GenerateKey", 1, rv, 1);
        CHECK(why(token->generate(spec)) == refusal);
        CHECK(faults.calls("C_GenerateKey") == calls + 1);
        CHECK(why(token->find(spec.name)) == Refusal::object_missing);
        good(token->generate(spec));
        faults.fail("C_DestroyObject", 1, rv, 1);
        CHECK(why(token->destroy(spec.name)) == refusal);
        good(token->destroy(spec.name));
    }
    // But a connection that died before is renewed before anything is made.
    faults.close_sessions();
    good(token->generate(aes("after", Use::mac)));
    CHECK(good(token->list()).size() == 1);
}

TEST_CASE("Recovery: sessions closed and user logged out under us") {
    FaultyToken token;
    const auto& faults = FaultyToken::faults();
    good(token->import_key(des("master", Use::encrypt_blocks), value));
    const auto expected = encrypted(*token.token, named("master"), block);
    for (int round = 0; round < 3; ++round) {
        faults.close_sessions();
        CHECK(encrypted(*token.token, named("master"), block) == expected);
        // Logged out, SoftHSM2 hides the key instead of refusing it.
        faults.log_out();
        CHECK(encrypted(*token.token, named("master"), block) == expected);
        faults.log_out();
        CHECK(good(token->find(named("master"))).kept_inside);
        faults.log_out();
        CHECK(good(token->list()).size() == 1);
        faults.log_out();
        CHECK(why(token->generate(des("master", Use::encrypt_blocks))) == Refusal::object_exists);
    }
}

TEST_CASE("Recovery: a token that is pulled out under sixteen threads and put back") {
    FaultyToken token{8};
    const auto& faults = FaultyToken::faults();
    good(token->import_key(des("master", Use::encrypt_blocks), value));
    const auto expected = encrypted(*token.token, named("master"), block);
    std::atomic<bool> stop = false;
    std::atomic<int> right = 0, wrong = 0, removed = 0, other = 0;
    std::vector<std::thread> crowd;
    for (int i = 0; i < 16; ++i) {
        crowd.emplace_back([&] {
            while (!stop) {
                ByteVector out(16);
                const auto result = token->encrypt_blocks(named("master"), block, out);
                if (result) {
                    ++(out == expected ? right : wrong);
                } else if (result.error().refusal == Refusal::device_removed ||
                           result.error().refusal == Refusal::session_lost) {
                    ++removed;
                    if (out != ByteVector(16)) ++wrong;
                } else {
                    ++other;
                    MESSAGE(result.error().detail);
                }
            }
        });
    }
    const auto wait_for = [](const std::atomic<int>& count) {
        for (const int from = count; count < from + 50;) std::this_thread::yield();
    };
    for (int round = 0; round < 5; ++round) {
        wait_for(right);
        faults.remove();
        wait_for(removed);
        faults.put_back();
    }
    wait_for(right);
    stop = true;
    for (auto& one : crowd) one.join();
    CHECK(wrong == 0);
    CHECK(other == 0);
    CHECK(encrypted(*token.token, named("master"), block) == expected);
}

TEST_CASE("Recovery: a PIN that was changed meanwhile is sent once and never again") {
    FaultyToken token;
    const auto& faults = FaultyToken::faults();
    good(token->generate(aes("k", Use::encrypt_blocks)));
    faults.close_sessions();
    faults.fail("C_Login", 1, CKR_PIN_INCORRECT, 1000);
    const unsigned logins = faults.calls("C_Login");
    std::vector<std::thread> crowd;
    std::atomic<int> refused = 0;
    for (int i = 0; i < 16; ++i) {
        crowd.emplace_back([&] {
            for (int n = 0; n < 5; ++n) {
                const auto result = blocks(*token.token, "k");
                refused += !result && result.error().refusal == Refusal::pin_wrong ? 1 : 0;
            }
        });
    }
    for (auto& one : crowd) one.join();
    CHECK(faults.calls("C_Login") == logins + 1);
    CHECK(refused == 16 * 5);
}

TEST_CASE("Sessions: one whose operation failed is replaced") {
    FaultyToken token{1};
    const auto& faults = FaultyToken::faults();
    good(token->generate(aes("k", Use::encrypt_blocks)));
    good(blocks(*token.token, "k"));
    // Not handed on: in SoftHSM2 the operation of C_EncryptInit stays active.
    faults.fail("C_Encrypt", 1, CKR_DEVICE_ERROR, 1);
    CHECK(why(blocks(*token.token, "k")) == Refusal::token_failed);
    const unsigned logins = faults.calls("C_Login");
    good(blocks(*token.token, "k"));
    CHECK(faults.calls("C_Login") == logins);
    // No second session for the exchange: everything is opened anew.
    faults.fail("C_Encrypt", 1, CKR_DEVICE_ERROR, 1);
    faults.fail("C_OpenSession", 1, CKR_SESSION_COUNT, 1);
    CHECK(why(blocks(*token.token, "k")) == Refusal::token_failed);
    good(blocks(*token.token, "k"));
    CHECK(faults.calls("C_Login") == logins + 1);
}

TEST_CASE("Answers: of a size that cannot be") {
    FaultyToken token;
    good(token->generate(aes("k", Use::encrypt_blocks)));
    FaultyToken::faults().fail("C_Encrypt", 1, CKR_BUFFER_TOO_SMALL, 1);
    CHECK(why(blocks(*token.token, "k")) == Refusal::answer_malformed);
    good(blocks(*token.token, "k"));
}

TEST_CASE("Fork: a child may not use its parent's token and does not break it") {
    FaultyToken token;
    good(token->generate(aes("k", Use::encrypt_blocks)));
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const auto used = blocks(*token.token, "k");
        const bool refused = !used && used.error().refusal == Refusal::process_forked &&
                             !token.module->tokens() && !p11::Module::load(ONECARD_FAULTY_MODULE);
        token.token.reset();
        token.module.reset();
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
    good(blocks(*token.token, "k"));
}

TEST_CASE("Module: one that ignores what it is asked makes no key that stays") {
    FaultyToken token;
    FaultyToken::faults().ignore_templates(true);
    CHECK(why(token->generate(aes("k", Use::mac))) == Refusal::attribute_refused);
    FaultyToken::faults().ignore_templates(false);
    CHECK(good(token->list()).empty());
}

TEST_CASE("Import: where values are not taken in clear they are wrapped inside first") {
    FaultyToken token;
    const auto& faults = FaultyToken::faults();
    const auto longer =
        from_hex("603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4");
    int n = 0;
    for (const auto rv :
         {CKR_TEMPLATE_INCONSISTENT, CKR_ATTRIBUTE_VALUE_INVALID, CKR_FUNCTION_NOT_SUPPORTED}) {
        for (const auto& [spec, from] :
             {std::pair{des("a", Use::encrypt_blocks, 16), Bytes{value}},
              std::pair{des("a", Use::encrypt_blocks, 24), Bytes{longer}.first(24)},
              std::pair{aes("a", Use::encrypt_blocks, 16), Bytes{longer}.first(16)},
              std::pair{aes("a", Use::encrypt_blocks, 24), Bytes{longer}.first(24)},
              std::pair{aes("a", Use::encrypt_blocks, 32), Bytes{longer}}}) {
            auto straight = spec, wrapped = spec;
            straight.name.label = "straight " + std::to_string(n);
            wrapped.name.label = "wrapped " + std::to_string(n++);
            good(token->import_key(straight, from));
            faults.fail("C_CreateObject", 1, rv, 1);
            const unsigned unwraps = faults.calls("C_UnwrapKey");
            good(token->import_key(wrapped, from));
            CHECK(faults.calls("C_UnwrapKey") == unwraps + 1);
            CHECK(encrypted(*token.token, straight.name, block) ==
                  encrypted(*token.token, wrapped.name, block));
            CHECK(good(token->find(wrapped.name)).kept_inside);
        }
    }
    // A device error is not such a refusal.
    faults.fail("C_CreateObject", 1, CKR_DEVICE_ERROR, 1);
    CHECK(why(token->import_key(des("x", Use::mac), value)) == Refusal::token_failed);
}

TEST_CASE("Mechanisms: each that is missing is refused by name or gone round") {
    FaultyToken token;
    token.token.reset();
    const auto& faults = FaultyToken::faults();
    for (const auto mechanism : {CKM_AES_CMAC, CKM_DES2_KEY_GEN, CKM_EC_KEY_PAIR_GEN, CKM_ECDSA,
                                 CKM_AES_ECB, CKM_AES_GCM, CKM_AES_KEY_WRAP}) {
        faults.hide_mechanism(mechanism);
    }
    token.open();
    good(token->generate(aes("mac", Use::mac)));
    ByteVector out(16);
    CHECK(why(token->cmac(named("mac"), text("x"), out)) == Refusal::mechanism_missing);
    CHECK(why(token->generate(des("two", Use::encrypt_blocks))) == Refusal::mechanism_missing);
    CHECK(why(token->generate(pair("pair"))) == Refusal::mechanism_missing);
    CHECK(why(token->sign(named("pair"), std::array<std::uint8_t, 32>{})) ==
          Refusal::mechanism_missing);
    good(token->generate(aes("blocks", Use::encrypt_blocks)));
    CHECK(why(blocks(*token.token, "blocks")) == Refusal::mechanism_missing);
    CHECK(why(token->generate(aes("seal", Use::seal))) == Refusal::mechanism_missing);
    CHECK(why(token->generate(aes("unwrap", Use::unwrap))) == Refusal::mechanism_missing);
    // Two keys as three: K1 K2 K1 computes the same.
    good(token->import_key(des("as three", Use::encrypt_blocks), value));
    CHECK(good(token->find(named("as three"))).size == 24);
    const std::array factors{crypto::purse::Factor{{1, 2, 3, 4, 5, 6, 7, 8}}};
    crypto::purse::PurseKey master{protocol::Suite::triple_des, from_hex<16>(to_hex(value))};
    CHECK(std::ranges::equal(good(token->diversify(named("as three"), factors)).value.bytes(),
                             crypto::purse::diversify(master, factors[0]).value.bytes()));
    // A module that does not allow values in clear and cannot unwrap.
    faults.fail("C_CreateObject", 1, CKR_TEMPLATE_INCONSISTENT, 1);
    CHECK(why(token->import_key(des("x", Use::mac), value)) == Refusal::attribute_refused);
}

TEST_CASE("Sealing: without GCM by key wrap with the same promises") {
    FaultyToken token;
    token.token.reset();
    FaultyToken::faults().hide_mechanism(CKM_AES_GCM);
    token.open();
    good(token->generate(aes("seal", Use::seal)));
    good(token->generate(aes("other", Use::seal)));
    for (std::size_t size = 1; size <= 40; ++size) {
        ByteVector secret(size), out(size);
        good(token->random(secret));
        const auto blob = good(token->seal(named("seal"), secret, text("data")));
        CHECK(blob[5] == 2);
        good(token->open_sealed(named("seal"), blob, text("data"), out));
        CHECK(out == secret);
    }
    ByteVector out(16);
    const auto blob = good(token->seal(named("seal"), value, text("data")));
    CHECK(why(token->open_sealed(named("seal"), blob, text("date"), out)) == Refusal::blob_refused);
    CHECK(why(token->open_sealed(named("other"), blob, text("data"), out)) ==
          Refusal::blob_refused);
    for (std::size_t i = 0; i < blob.size(); ++i) {
        auto changed = blob;
        changed[i] ^= 0x01;
        CAPTURE(i);
        const auto refusal = why(token->open_sealed(named("seal"), changed, text("data"), out));
        // A size of 17 needs as many bytes as 16: there it is the package that says no.
        CHECK((refusal == Refusal::blob_malformed || refusal == Refusal::blob_refused ||
               (i == 7 && refusal == Refusal::size_wrong)));
        CHECK(out == ByteVector(16));
    }
    ByteVector seventeen(17);
    auto resized = blob;
    resized[7] = 17;
    CHECK(why(token->open_sealed(named("seal"), resized, text("data"), seventeen)) ==
          Refusal::blob_refused);
    // No object of a call stays.
    CHECK(good(token->list()).size() == 2);
    // The module learns GCM: the key keeps sealing as it did.
    token.token.reset();
    FaultyToken::faults().reset();
    token.open();
    good(token->open_sealed(named("seal"), blob, text("data"), out));
    CHECK(out == value);
    good(token->generate(aes("new", Use::seal)));
    CHECK(why(token->open_sealed(named("new"), blob, text("data"), out)) == Refusal::blob_refused);
    CHECK(good(token->seal(named("new"), value, {}))[5] == 1);
}
