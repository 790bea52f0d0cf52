// Runs under valgrind, which reports every branch and every address that depends on undefined
// memory. Secrets are declared undefined here, so whatever it reports is a leak in time.
// docs/algorithms.md, 7. `constant_time_test leak` leaks on purpose: a run that reports nothing
// there proves nothing here.
#include <cstdio>
#include <cstring>

#include <valgrind/memcheck.h>

#include "crypto/core/mac.hpp"
#include "crypto/core/sm3.hpp"
#include "crypto/purse/keys.hpp"

namespace {

using Block = std::array<std::uint8_t, 16>;

template <class Object>
Object secret(Object object) {
    VALGRIND_MAKE_MEM_UNDEFINED(&object, sizeof object);
    return object;
}
/// The result is public: printing it is no leak.
template <class Object>
void print(const char* what, Object object) {
    VALGRIND_MAKE_MEM_DEFINED(&object, sizeof object);
    std::printf("%s:", what);
    for (const std::uint8_t byte : object) std::printf(" %02X", byte);
    std::printf("\n");
}

void run_sm4() {
    const Block key_bytes = secret(Block{1, 2, 3});
    Block block = secret(Block{4, 5, 6});
    const crypto::Sm4Key key{key_bytes};
    key.encrypt_block(block, block);
    print("SM4 encrypts", block);
    key.decrypt_block(block, block);
    print("SM4 decrypts", block);
}

void run_sm3() {
    const auto message = secret(std::array<std::uint8_t, 150>{7, 8, 9});
    print("SM3", crypto::sm3(message));
    print("HMAC-SM3", crypto::hmac_sm3(crypto::Bytes{message}.first(70), message));
}

void run_macs() {
    const Block key = secret(Block{1});
    const auto message = secret(std::array<std::uint8_t, 22>{2});
    using crypto::Cipher;
    const auto mac =
        crypto::cbc_mac(Cipher::sm4, key, crypto::Bytes{message}, crypto::Padding::method_2);
    print("CBC-MAC", mac.first<8>());
    print("CMAC", crypto::cmac(Cipher::sm4, key, crypto::Bytes{message}).first<8>());
}

void run_purse() {
    const crypto::purse::PurseKey master{protocol::Suite::sm4, secret(Block{3})};
    const auto card =
        crypto::purse::diversify(master, protocol::IssuerId{}, protocol::CardNumber{});
    const auto key = crypto::purse::offline_process_key(
        card, {1, 2, 3, 4}, protocol::OfflineCounter{5}, protocol::TerminalSequence{6});
    const Block input{};
    print("MAC1", crypto::purse::purse_mac(key, input));
    print("TAC", crypto::purse::tac(card, input));
}

void run_comparison() {
    const Block one = secret(Block{1});
    const Block other = secret(Block{2});
    bool equal = crypto::equal_constant_time(one, other);
    VALGRIND_MAKE_MEM_DEFINED(&equal, sizeof equal);
    std::printf("comparison: %d\n", equal);
}

void leak() {
    const Block one = secret(Block{1});
    std::printf("a branch on a secret: %d\n", std::memcmp(one.data(), Block{2}.data(), 16) == 0);
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (!RUNNING_ON_VALGRIND) {
        std::puts("Run me under valgrind: without it I prove nothing.");
        return 2;
    }
    if (argument_count > 1 && std::strcmp(arguments[1], "leak") == 0) {
        leak();
        return 0;
    }
    run_sm4();
    run_sm3();
    run_macs();
    run_purse();
    run_comparison();
    return 0;
}
