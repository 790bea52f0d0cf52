// Runs under valgrind, which reports every branch and every address that depends on undefined
// memory: what the card compares is declared undefined here. `constant_time_test leak` leaks on
// purpose. The ciphers: tests/crypto/constant_time_test.cpp. docs/card_security.md, 2.
#include <cstdio>
#include <cstring>

#include <valgrind/memcheck.h>

#include "firmware/os/pin.hpp"
#include "firmware/os/proof.hpp"

namespace {

using Memory = std::array<std::uint8_t, 16>;

template <class Object>
Object secret(Object object) {
    VALGRIND_MAKE_MEM_UNDEFINED(&object, sizeof object);
    return object;
}

/// What a proof says in the end, the status word shows: only that is public.
void print(const char* what, firmware::Proof proof) {
    VALGRIND_MAKE_MEM_DEFINED(&proof, sizeof proof);
    std::printf("%s: %d %d\n", what, proof.is_right(), proof.is_still_right());
}

void run_mac() {
    const auto expected = secret(std::array<std::uint8_t, 4>{1, 2, 3, 4});
    for (const std::uint8_t last : {std::uint8_t{4}, std::uint8_t{5}}) {
        const auto received = std::array<std::uint8_t, 4>{1, 2, 3, last};
        firmware::Proof proof;
        proof.compare(expected, received);
        print("MAC", proof);
    }
}

/// Neither the stored digits, nor how many they are, nor those that were offered.
void run_pin() {
    const auto memory = secret(Memory{0x12, 0x34, 0x56});
    const auto offered = secret(std::array<std::uint8_t, 3>{0x12, 0x34, 0x56});
    for (const std::size_t stored_size : {std::size_t{2}, std::size_t{3}, std::size_t{6}}) {
        const firmware::PaddedPin stored{memory, secret(stored_size)};
        const firmware::PaddedPin presented{offered};
        firmware::Proof proof;
        proof.compare(stored.bytes(), presented.bytes());
        print("PIN", proof);
    }
}

void leak() {
    const auto memory = secret(Memory{0x12});
    std::printf("a branch on a secret: %d\n",
                std::memcmp(memory.data(), Memory{2}.data(), 16) == 0);
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
    run_mac();
    run_pin();
    return 0;
}
