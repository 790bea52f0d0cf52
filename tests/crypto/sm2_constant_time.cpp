// Constant time, shown: run under valgrind with every secret marked undefined, SM2 must not branch
// on one or use one as an address. (A. Langley, "ctgrind"; the engines are compiled with
// ONECARD_CONSTANT_TIME_CHECK, docs/sm2.md.) Exit 0: done, and the results are right. With --leak
// it branches on a secret on purpose: valgrind must see that.
#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include <valgrind/memcheck.h>

#include "crypto/core/sm2.hpp"

namespace {

using namespace crypto;

/// Numbers that valgrind holds to be unknown. xorshift64 (G. Marsaglia, J. Stat. Softw. 8 (2003)).
class SecretRandom final : public Random {
public:
    void fill(MutableBytes out) override {
        for (auto& byte : out) {
            state_ ^= state_ << 13;
            state_ ^= state_ >> 7;
            state_ ^= state_ << 17;
            byte = static_cast<std::uint8_t>(state_);
        }
        VALGRIND_MAKE_MEM_UNDEFINED(out.data(), out.size());
    }

private:
    std::uint64_t state_ = 88172645463325252ULL;
};

void reveal(MutableBytes bytes) {
    VALGRIND_MAKE_MEM_DEFINED(bytes.data(), bytes.size());
}

int fail(const char* what) {
    std::fprintf(stderr, "sm2_constant_time: %s\n", what);
    return 1;
}

int check() {
    SecretRandom random;
    const auto generated = sm2::PrivateKey::generate(random);
    if (!generated) return fail("generate");
    const auto key = sm2::PrivateKey::load(generated->bytes(), random);  // d is still secret
    if (!key) return fail("load");
    const std::vector<std::uint8_t> message(40, 0x33);
    for (int i = 0; i < 3; ++i) {
        const auto signature = sm2::sign(*key, sm2::default_id, message, random);
        if (!signature) return fail("sign");
        if (!sm2::verify(key->public_key(), sm2::default_id, message, *signature))
            return fail("verify");
    }
    std::vector<std::uint8_t> plaintext(70),
        ciphertext(plaintext.size() + sm2::ciphertext_overhead), opened(plaintext.size());
    random.fill(plaintext);
    if (!sm2::encrypt(key->public_key(), plaintext, random, ciphertext)) return fail("encrypt");
    reveal(ciphertext);
    if (!sm2::decrypt(*key, ciphertext, opened)) return fail("decrypt");
    reveal(plaintext);
    reveal(opened);
    if (opened != plaintext) return fail("decrypt gave another text");
    ciphertext.back() ^= 1;
    if (sm2::decrypt(*key, ciphertext, opened)) return fail("a changed ciphertext was taken");
    return 0;
}

/// The inverse comes out of everything a key goes through: valgrind must still hold it secret.
int leak() {
    SecretRandom random;
    const auto key = sm2::PrivateKey::generate(random);
    if (!key) return fail("generate");
    if (key->inverse()[0] < 0x80) std::puts("the first bit is 0");
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (RUNNING_ON_VALGRIND == 0) return fail("run this under valgrind");
    return argc > 1 && std::string_view{argv[1]} == "--leak" ? leak() : check();
}
