// sm2_bench: SM2 of the linked engine beside OpenSSL 3 in the same run, on one thread.
//
// Rounds of the two alternate, each short; the median round of processor time is printed, and the
// best, so that a busy machine shows as a gap between them. OpenSSL's P-256, written in assembly,
// is the probe of the machine's speed.
#include <algorithm>
#include <ctime>
#include <functional>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "crypto/core/sm2.hpp"
#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/sm2_openssl.hpp"

namespace {

using namespace crypto;
using Operation = std::function<bool()>;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Rate {
    double median = 0, best = 0;  // operations a second
};

class Measurement {
public:
    explicit Measurement(Operation operation) : operation_{std::move(operation)} {}
    /// False when the operation did not do what it should.
    [[nodiscard]] bool round(double seconds) {
        const double start = cpu_seconds();
        double elapsed = 0;
        int count = 0;
        while (elapsed < seconds) {
            if (!operation_()) return false;
            ++count;
            elapsed = cpu_seconds() - start;
        }
        rates_.push_back(count / elapsed);
        return true;
    }
    [[nodiscard]] Rate rate() {
        std::ranges::sort(rates_);
        return {rates_[rates_.size() / 2], rates_.back()};
    }

private:
    Operation operation_;
    std::vector<double> rates_;
};

/// ECDSA over P-256, for the machine's speed.
class P256 {
public:
    P256() : key_{EVP_EC_gen("P-256")} {
        if (key_) sign();
    }
    bool sign() {
        signature_.resize(80);
        std::size_t size = signature_.size();
        const tests::openssl::KeyContext context{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        const bool worked = EVP_PKEY_sign_init(context.get()) == 1 &&
                            EVP_PKEY_sign(context.get(), signature_.data(), &size, digest_.data(),
                                          digest_.size()) == 1;
        signature_.resize(size);
        return worked;
    }
    bool verify() {
        const tests::openssl::KeyContext context{EVP_PKEY_CTX_new(key_.get(), nullptr)};
        return EVP_PKEY_verify_init(context.get()) == 1 &&
               EVP_PKEY_verify(context.get(), signature_.data(), signature_.size(), digest_.data(),
                               digest_.size()) == 1;
    }

private:
    tests::openssl::Owned<EVP_PKEY, EVP_PKEY_free> key_;
    std::vector<std::uint8_t> signature_;
    std::array<std::uint8_t, 32> digest_{1, 2, 3};
};

struct Row {
    std::string_view name;
    Operation ours, theirs;
};

bool run(const Row& row, int rounds, double seconds) {
    Measurement ours{row.ours};
    Measurement theirs{row.theirs};
    for (int i = 0; i < rounds; ++i) {
        if (!ours.round(seconds) || !theirs.round(seconds)) {
            fmt::print(stderr, "sm2_bench: {} failed\n", row.name);
            return false;
        }
    }
    const Rate a = ours.rate();
    const Rate b = theirs.rate();
    fmt::print("{:<10} {:>12.0f} {:>12.0f} {:>12.0f} {:>12.0f} {:>8.1f}\n", row.name, a.median,
               a.best, b.median, b.best, a.median / b.median);
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    const bool smoke = argc == 2 && std::string_view{argv[1]} == "--smoke";
    if (argc > 1 && !smoke) {
        fmt::print("usage: {} [--smoke]\n  --smoke  one short round, to see that it works\n",
                   argv[0]);
        return argc == 2 && std::string_view{argv[1]} == "--help" ? 0 : 2;
    }
    const int rounds = smoke ? 1 : 15;
    const double seconds = smoke ? 0.002 : 0.1;

    SeededRandom random{1, "sm2_bench"};
    const auto key = sm2::PrivateKey::generate(random);
    if (!key) return 1;
    const tests::openssl::Sm2Key peer{key->public_key().bytes(), key->bytes()};
    const std::vector<std::uint8_t> message(64, 0x5A);
    const Bytes id = sm2::default_id;
    const auto signature = peer.sign(id, message);
    const auto ciphertext = peer.encrypt(message);
    std::vector<std::uint8_t> sealed(ciphertext.size()), opened(message.size());
    P256 probe;

    fmt::print(
        "operations a second of processor time, one thread; {} rounds of {:.0f} ms; message of {} "
        "bytes\n",
        rounds, seconds * 1000, message.size());
    fmt::print("{:<10} {:>12} {:>12} {:>12} {:>12} {:>8}\n", "", "ours median", "best", "OpenSSL 3",
               "best", "ratio");
    const bool worked =
        run({"sign", [&] { return sm2::sign(*key, id, message, random).has_value(); },
             [&] { return !peer.sign(id, message).empty(); }},
            rounds, seconds) &&
        run({"verify",
             [&] { return sm2::verify(key->public_key(), id, message, signature).has_value(); },
             [&] { return peer.verify(id, message, signature); }},
            rounds, seconds) &&
        run({"encrypt",
             [&] { return sm2::encrypt(key->public_key(), message, random, sealed).has_value(); },
             [&] { return !peer.encrypt(message).empty(); }},
            rounds, seconds) &&
        run({"decrypt", [&] { return sm2::decrypt(*key, ciphertext, opened).has_value(); },
             [&] { return !peer.decrypt(ciphertext).empty(); }},
            rounds, seconds) &&
        run({"(P-256)", [&] { return probe.sign(); }, [&] { return probe.verify(); }}, rounds,
            seconds);
    fmt::print(
        "(P-256): OpenSSL's ECDSA, sign in the left columns and verify in the right; the machine's "
        "speed\n");
    return worked ? 0 : 1;
}
