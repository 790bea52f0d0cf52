// OpenSSL 3 through EVP. Single DES lives in its legacy provider.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <openssl/evp.h>
#include <openssl/provider.h>

#include "tests/bench/batch_mac_peers.hpp"

namespace bench {
namespace {

using protocol::Suite;

void require(bool success, const char* what) {
    if (success) return;
    std::fprintf(stderr, "OpenSSL cannot %s\n", what);
    std::exit(1);
}

class Context {
public:
    explicit Context(const char* cipher) : cipher_{EVP_CIPHER_fetch(nullptr, cipher, nullptr)} {
        require(cipher_ != nullptr, cipher);
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() {
        EVP_CIPHER_CTX_free(context_);
        EVP_CIPHER_free(cipher_);
    }
    void set_key(const std::uint8_t* key) {
        static constexpr std::uint8_t zero[16] = {};
        const bool first = !std::exchange(ready_, true);
        require(EVP_EncryptInit_ex2(context_, first ? cipher_ : nullptr, key, zero, nullptr) == 1,
                "set a key");
        EVP_CIPHER_CTX_set_padding(context_, 0);
    }
    void encrypt(std::span<const std::uint8_t> in, std::uint8_t* out) {
        int size = 0;
        require(
            EVP_EncryptUpdate(context_, out, &size, in.data(), static_cast<int>(in.size())) == 1,
            "encrypt");
    }

private:
    EVP_CIPHER* cipher_;
    EVP_CIPHER_CTX* context_ = EVP_CIPHER_CTX_new();
    bool ready_ = false;
};

/// Loaded until the program ends.
class Providers {
public:
    Providers() {
        require(legacy_ != nullptr && default_ != nullptr,
                "load its legacy provider, where single DES is");
    }
    Providers(const Providers&) = delete;
    Providers& operator=(const Providers&) = delete;
    ~Providers() {
        OSSL_PROVIDER_unload(legacy_);
        OSSL_PROVIDER_unload(default_);
    }

private:
    OSSL_PROVIDER* legacy_ = OSSL_PROVIDER_load(nullptr, "legacy");
    OSSL_PROVIDER* default_ = OSSL_PROVIDER_load(nullptr, "default");
};
void load_providers() {
    static const Providers providers;
}

struct Ciphers {
    Context issuer;
    Context process;
    Context mac;
    Ciphers(Suite suite, const Master& master)
        : issuer{suite == Suite::sm4 ? "SM4-ECB" : "DES-EDE"},
          process{suite == Suite::sm4 ? "SM4-ECB" : "DES-EDE"},
          mac{suite == Suite::sm4 ? "SM4-CBC" : "DES-CBC"} {
        issuer.set_key(master.data());
    }
};

template <std::size_t size>
protocol::Mac mac_of(Context& context, const std::uint8_t* key,
                     const std::array<std::uint8_t, size>& text, std::size_t block) {
    std::array<std::uint8_t, size> out{};
    context.set_key(key);
    context.encrypt(text, out.data());
    protocol::Mac mac{};
    std::copy_n(out.end() - static_cast<std::ptrdiff_t>(block), mac.size(), mac.begin());
    return mac;
}

template <class Text>
protocol::Mac finish(Ciphers& ciphers, Suite suite, const std::uint8_t* key, const Text& input) {
    if (suite == Suite::sm4) return mac_of(ciphers.mac, key, pad<32>(input), 16);
    return mac_of(ciphers.mac, key, pad<24>(input), 8);
}

void tacs(Suite suite, const Master& master, std::span<const crypto::batch::TacRecord> records,
          std::span<protocol::Mac> macs) {
    load_providers();
    Ciphers ciphers{suite, master};
    for (std::size_t i = 0; i < records.size(); ++i) {
        std::array<std::uint8_t, 16> key{};
        ciphers.issuer.encrypt(factor_block(records[i].card_factor), key.data());
        if (suite == Suite::triple_des) {
            for (std::size_t j = 0; j < 8; ++j)
                key[j] = static_cast<std::uint8_t>(key[j] ^ key[8 + j]);
        }
        macs[i] = finish(ciphers, suite, key.data(), records[i].input);
    }
}

void purchase_macs(Suite suite, const Master& master,
                   std::span<const crypto::batch::PurchaseMacRecord> records,
                   std::span<protocol::Mac> macs) {
    load_providers();
    Ciphers ciphers{suite, master};
    for (std::size_t i = 0; i < records.size(); ++i) {
        std::array<std::uint8_t, 16> key{};
        std::array<std::uint8_t, 16> process{};
        ciphers.issuer.encrypt(factor_block(records[i].card_factor), key.data());
        ciphers.process.set_key(key.data());
        if (suite == Suite::sm4) {
            ciphers.process.encrypt(pad<16>(records[i].process_seed), process.data());
        } else {
            ciphers.process.encrypt(records[i].process_seed, process.data());
        }
        macs[i] = finish(ciphers, suite, process.data(), records[i].input);
    }
}

void sm3(std::span<const std::uint8_t> records, std::size_t record_size,
         std::span<std::array<std::uint8_t, 32>> digests) {
    EVP_MD* digest = EVP_MD_fetch(nullptr, "SM3", nullptr);
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    require(EVP_DigestInit_ex2(context, digest, nullptr) == 1, "start SM3");
    for (std::size_t i = 0; i < digests.size(); ++i) {
        if (i != 0) EVP_DigestInit_ex2(context, nullptr, nullptr);
        EVP_DigestUpdate(context, records.data() + i * record_size, record_size);
        EVP_DigestFinal_ex(context, digests[i].data(), nullptr);
    }
    EVP_MD_CTX_free(context);
    EVP_MD_free(digest);
}

}  // namespace

Peer openssl_peer() {
    return {"OpenSSL", tacs, purchase_macs, sm3};
}

}  // namespace bench
