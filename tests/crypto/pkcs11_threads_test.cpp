// Sixteen threads over one token, every result checked: docs/pkcs11.md, "Sessions and threads".
// ONECARD_PKCS11_SECONDS: how long (3 unless it says).
#include <atomic>
#include <chrono>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "tests/crypto/pkcs11_fixture.hpp"
#include "tests/crypto/pkcs11_openssl.hpp"

namespace {

using namespace tests;
using p11::Use;

/// What each thread does in turn, and how often it went well.
struct Counts {
    std::atomic<unsigned> signatures = 0, seals = 0, children = 0, made = 0, lists = 0;
    std::atomic<unsigned> errors = 0;
};

std::chrono::seconds duration() {
    const char* const text = std::getenv("ONECARD_PKCS11_SECONDS");
    return std::chrono::seconds{text == nullptr ? 3 : std::atoi(text)};
}

class Worker {
public:
    Worker(p11::Token& token, Counts& counts, unsigned number,
           const crypto::purse::PurseKey& master)
        : token_{token}, counts_{counts}, number_{number}, master_{master} {}

    void step() {
        switch (n_++ % 8) {
            case 0: return make_and_destroy();
            case 1:
            case 5: return sign();
            case 2:
            case 6: return seal();
            case 3: return list();
            default: return diversify();
        }
    }

    [[nodiscard]] bool has_done_all() const { return n_ >= 8; }

private:
    void expect(bool holds, const char* what, const p11::Error* error = nullptr) {
        if (holds) return;
        if (++counts_.errors > 20) return;
        MESSAGE(what << (error == nullptr ? "" : ": " + error->detail));
    }
    template <class T>
    bool went(const p11::Result<T>& result, const char* what) {
        expect(result.has_value(), what, result ? nullptr : &result.error());
        return result.has_value();
    }

    void diversify() {
        const crypto::purse::Factor factor{
            {static_cast<std::uint8_t>(number_), 1, 2, 3, 4, static_cast<std::uint8_t>(n_ >> 16),
             static_cast<std::uint8_t>(n_ >> 8), static_cast<std::uint8_t>(n_)}};
        const auto child = token_.diversify(named("master"), std::span{&factor, 1});
        if (!went(child, "diversify")) return;
        expect(std::ranges::equal(child->value.bytes(),
                                  crypto::purse::diversify(master_, factor).value.bytes()),
               "another child");
        ++counts_.children;
    }
    void sign() {
        std::array<std::uint8_t, 32> digest{};
        digest[0] = static_cast<std::uint8_t>(n_);
        const auto signature = token_.sign(named("pair"), digest);
        const auto point = token_.public_key(named("pair"));
        if (!went(signature, "sign") || !went(point, "public key")) return;
        expect(openssl_verifies(*point, digest, *signature), "a wrong signature");
        ++counts_.signatures;
    }
    void seal() {
        ByteVector secret(32, static_cast<std::uint8_t>(number_ * 16 + n_)), out(32);
        const auto blob = token_.seal(named("seal"), secret, text("data"));
        if (!went(blob, "seal")) return;
        if (!went(token_.open_sealed(named("seal"), *blob, text("data"), out), "open")) return;
        expect(out == secret, "another secret");
        ++counts_.seals;
    }
    void make_and_destroy() {
        const auto spec = aes("own " + std::to_string(number_), Use::encrypt_blocks, 16);
        const ByteVector key(16, static_cast<std::uint8_t>(n_)), in(64, 7);
        ByteVector out(64);
        const bool bring = n_ % 16 == 1;  // or make
        if (!went(bring ? token_.import_key(spec, key) : token_.generate(spec), "make")) return;
        if (went(token_.encrypt_blocks(spec.name, in, out), "blocks")) {
            expect(!bring || out == openssl("AES-128-ECB", key, in), "other blocks");
        }
        if (went(token_.destroy(spec.name), "destroy")) ++counts_.made;
    }
    void list() {
        const auto all = token_.list();
        if (went(all, "list")) ++counts_.lists;
    }

    p11::Token& token_;
    Counts& counts_;
    unsigned number_;
    const crypto::purse::PurseKey& master_;
    unsigned n_ = 0;
};

}  // namespace

TEST_CASE("Token: sixteen threads with every result right and no error") {
    OpenToken token{16};
    const auto value = from_hex<16>("0123456789ABCDEFFEDCBA9876543210");
    const crypto::purse::PurseKey master{protocol::Suite::triple_des, value};
    good(token->import_key(des("master", Use::encrypt_blocks), value));
    good(token->generate(aes("seal", Use::seal)));
    good(token->generate(pair("pair")));
    Counts counts;
    const auto end = std::chrono::steady_clock::now() + duration();
    std::vector<std::thread> crowd;
    for (unsigned number = 0; number < 16; ++number) {
        crowd.emplace_back([&, number] {
            Worker worker{*token.token, counts, number, master};
            while (std::chrono::steady_clock::now() < end || !worker.has_done_all()) {
                worker.step();
            }
        });
    }
    for (auto& one : crowd) one.join();
    MESSAGE("children " << counts.children.load() << ", signatures " << counts.signatures.load()
                        << ", seals " << counts.seals.load() << ", keys made and destroyed "
                        << counts.made.load() << ", lists " << counts.lists.load());
    CHECK(counts.errors == 0);
    CHECK(counts.children > 0);
    CHECK(counts.signatures > 0);
    CHECK(counts.seals > 0);
    CHECK(counts.made > 0);
    CHECK(good(token->list()).size() == 4);
}

TEST_CASE("Gate: who wants to be alone is alone and is not starved by a crowd") {
    p11::Gate gate;
    std::atomic<bool> stop = false;
    std::atomic<int> together = 0, together_max = 0, broken = 0;
    bool alone = false;  // changed under the gate only
    std::vector<std::thread> crowd;
    for (int i = 0; i < 16; ++i) {
        crowd.emplace_back([&] {
            while (!stop) {
                const std::shared_lock inside{gate};
                const int now = ++together;
                if (now > together_max) together_max = now;
                std::this_thread::yield();
                if (alone) ++broken;
                --together;
            }
        });
    }
    while (together_max < 2) std::this_thread::yield();
    // Without a turn of its own this would wait for a moment when all sixteen are outside.
    for (int n = 0; n < 200; ++n) {
        const std::unique_lock inside{gate};
        alone = true;
        if (together != 0) ++broken;
        std::this_thread::yield();
        alone = false;
    }
    stop = true;
    for (auto& one : crowd) one.join();
    CHECK(broken == 0);
}
