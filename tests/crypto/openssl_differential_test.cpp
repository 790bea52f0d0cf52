// Ciphers, modes, digests and MACs against OpenSSL 3 over random inputs of every small size:
// another implementation, linked by this test only.
#include <memory>

#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "crypto/core/aead.hpp"
#include "crypto/core/mac.hpp"
#include "crypto/core/sm3.hpp"
#include "crypto/core/stream_modes.hpp"
#include "crypto/keys/sha.hpp"
#include "crypto/random/seeded_random.hpp"
#include "tests/crypto/vectors.hpp"

namespace {

using namespace crypto;
using tests::to_hex;
using Data = std::vector<std::uint8_t>;

struct Free {
    void operator()(EVP_CIPHER_CTX* p) const { EVP_CIPHER_CTX_free(p); }
    void operator()(EVP_MAC* p) const { EVP_MAC_free(p); }
    void operator()(EVP_MAC_CTX* p) const { EVP_MAC_CTX_free(p); }
};

int size_of(const Data& data) {
    return static_cast<int>(data.size());
}

/// What OpenSSL's cipher of that name makes of `data`, without padding.
Data peer_encrypt(const char* name, const Data& key, const Data& iv, const Data& data) {
    const std::unique_ptr<EVP_CIPHER_CTX, Free> context{EVP_CIPHER_CTX_new()};
    const EVP_CIPHER* cipher = EVP_get_cipherbyname(name);
    REQUIRE_MESSAGE(cipher != nullptr, name);
    REQUIRE(EVP_EncryptInit_ex2(context.get(), cipher, key.data(), iv.data(), nullptr) == 1);
    REQUIRE(EVP_CIPHER_CTX_set_padding(context.get(), 0) == 1);
    Data out(data.size() + 32);
    int written = 0;
    int last = 0;
    REQUIRE(EVP_EncryptUpdate(context.get(), out.data(), &written, data.data(), size_of(data)) ==
            1);
    REQUIRE(EVP_EncryptFinal_ex(context.get(), out.data() + written, &last) == 1);
    out.resize(static_cast<std::size_t>(written + last));
    return out;
}

Data peer_digest(const char* name, const Data& data) {
    Data out(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    const EVP_MD* digest = EVP_get_digestbyname(name);
    REQUIRE(digest != nullptr);
    REQUIRE(EVP_Digest(data.data(), data.size(), out.data(), &size, digest, nullptr) == 1);
    out.resize(size);
    return out;
}

Data peer_mac(const char* kind, const char* parameter, const char* value, const Data& key,
              const Data& data) {
    const std::unique_ptr<EVP_MAC, Free> mac{EVP_MAC_fetch(nullptr, kind, nullptr)};
    const std::unique_ptr<EVP_MAC_CTX, Free> context{EVP_MAC_CTX_new(mac.get())};
    std::string text{value};
    const std::array parameters{
        OSSL_PARAM_construct_utf8_string(parameter, text.data(), text.size()),
        OSSL_PARAM_construct_end()};
    REQUIRE(EVP_MAC_init(context.get(), key.data(), key.size(), parameters.data()) == 1);
    REQUIRE(EVP_MAC_update(context.get(), data.data(), data.size()) == 1);
    Data out(EVP_MAX_MD_SIZE);
    std::size_t size = 0;
    REQUIRE(EVP_MAC_final(context.get(), out.data(), &size, out.size()) == 1);
    out.resize(size);
    return out;
}

struct Kind {
    Cipher cipher;
    std::size_t key_size;
    std::string name;  ///< OpenSSL's, without the mode
};
const std::vector<Kind> kinds{{Cipher::triple_des, 16, "DES-EDE"},
                              {Cipher::triple_des, 24, "DES-EDE3"},
                              {Cipher::sm4, 16, "SM4"},
                              {Cipher::aes, 16, "AES-128"},
                              {Cipher::aes, 24, "AES-192"},
                              {Cipher::aes, 32, "AES-256"}};

/// Random inputs from one seed a case.
struct Draws {
    SeededRandom random;
    explicit Draws(std::string_view label) : random{1, label} {}
    Data bytes(std::size_t size) {
        Data out(size);
        random.fill(out);
        return out;
    }
};

constexpr std::size_t size_max = 80;

Data cbc(const Kind& kind, const Data& key, const Data& iv, Data data) {
    REQUIRE(cbc_encrypt(BlockEncryptor{kind.cipher, key}, iv, data).has_value());
    return data;
}

}  // namespace

TEST_CASE("openssl: CBC of every cipher and key size, both directions (ISO/IEC 10116, 7)") {
    Draws draws{"cbc"};
    for (const Kind& kind : kinds) {
        const std::size_t block = block_size(kind.cipher);
        for (std::size_t size = 0; size <= size_max; size += block) {
            INFO(kind.name << " " << size);
            const auto key = draws.bytes(kind.key_size);
            const auto iv = draws.bytes(block);
            const auto data = draws.bytes(size);
            auto text = cbc(kind, key, iv, data);
            CHECK(text == peer_encrypt((kind.name + "-CBC").c_str(), key, iv, data));
            REQUIRE(cbc_decrypt(BlockDecryptor{kind.cipher, key}, iv, text).has_value());
            CHECK(text == data);
        }
    }
}

TEST_CASE("openssl: ECB of every cipher and key size, both directions (ISO/IEC 10116, 6)") {
    Draws draws{"ecb"};
    for (const Kind& kind : kinds) {
        const bool des = kind.cipher == Cipher::triple_des;
        const auto name = des ? kind.name : kind.name + "-ECB";  // OpenSSL's name of EDE in ECB
        const std::size_t block = block_size(kind.cipher);
        for (std::size_t size = block; size <= size_max; size += block) {
            INFO(kind.name << " " << size);
            const auto key = draws.bytes(kind.key_size);
            const auto data = draws.bytes(size);
            auto text = data;
            REQUIRE(ecb_encrypt(BlockEncryptor{kind.cipher, key}, text).has_value());
            CHECK(text == peer_encrypt(name.c_str(), key, Data(block), data));
            REQUIRE(ecb_decrypt(BlockDecryptor{kind.cipher, key}, text).has_value());
            CHECK(text == data);
        }
    }
}

TEST_CASE("openssl: CTR, OFB and CFB of every size, both directions (ISO/IEC 10116, 8 to 10)") {
    Draws draws{"stream"};
    for (const Kind& kind : kinds) {
        const std::size_t block = block_size(kind.cipher);
        for (std::size_t size = 0; size <= size_max; ++size) {
            INFO(kind.name << " " << size);
            const auto key = draws.bytes(kind.key_size);
            const auto iv = draws.bytes(block);
            const auto data = draws.bytes(size);
            const BlockEncryptor cipher{kind.cipher, key};
            auto text = data;
            if (block == 16) {  // OpenSSL has no CTR of 3DES
                REQUIRE(ctr_crypt(cipher, iv, text).has_value());
                CHECK(text == peer_encrypt((kind.name + "-CTR").c_str(), key, iv, data));
            }
            text = data;
            REQUIRE(ofb_crypt(cipher, iv, text).has_value());
            CHECK(text == peer_encrypt((kind.name + "-OFB").c_str(), key, iv, data));
            text = data;
            REQUIRE(cfb_encrypt(cipher, iv, text).has_value());
            CHECK(text == peer_encrypt((kind.name + "-CFB").c_str(), key, iv, data));
            REQUIRE(cfb_decrypt(cipher, iv, text).has_value());
            CHECK(text == data);
        }
    }
}

namespace {

/// GCM or CCM by OpenSSL: the ciphertext, then the tag.
Data peer_aead(const std::string& name, const Data& key, const Data& nonce, const Data& aad,
               const Data& data, bool ccm) {
    const std::unique_ptr<EVP_CIPHER_CTX, Free> context{EVP_CIPHER_CTX_new()};
    EVP_CIPHER_CTX* const c = context.get();
    const EVP_CIPHER* cipher = EVP_get_cipherbyname(name.c_str());
    REQUIRE(cipher != nullptr);
    int written = 0;
    Data out(data.size() + 16);
    REQUIRE(EVP_EncryptInit_ex2(c, cipher, nullptr, nullptr, nullptr) == 1);
    REQUIRE(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_IVLEN, size_of(nonce), nullptr) == 1);
    if (ccm) REQUIRE(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16, nullptr) == 1);
    REQUIRE(EVP_EncryptInit_ex2(c, nullptr, key.data(), nonce.data(), nullptr) == 1);
    if (ccm) REQUIRE(EVP_EncryptUpdate(c, nullptr, &written, nullptr, size_of(data)) == 1);
    if (!aad.empty()) {
        REQUIRE(EVP_EncryptUpdate(c, nullptr, &written, aad.data(), size_of(aad)) == 1);
    }
    const Data nothing(1);  // CCM wants a call even for an empty text
    const auto* const from = data.empty() ? nothing.data() : data.data();
    REQUIRE(EVP_EncryptUpdate(c, out.data(), &written, from, size_of(data)) == 1);
    REQUIRE(EVP_EncryptFinal_ex(c, out.data() + written, &written) == 1);
    REQUIRE(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + data.size()) == 1);
    return out;
}

template <class Seal, class Open>
void check_aead(const Kind& kind, const Data& nonce, Draws& draws, std::size_t size,
                const char* mode, Seal seal, Open open) {
    const auto key = draws.bytes(kind.key_size);
    const auto aad = draws.bytes(size % 37);
    const auto data = draws.bytes(size);
    const BlockEncryptor cipher{kind.cipher, key};
    auto text = data;
    const auto tag = seal(cipher, nonce, aad, text);
    REQUIRE(tag.has_value());
    auto both = text;
    both.insert(both.end(), tag->begin(), tag->end());
    const bool ccm = std::string_view{mode} == "-CCM";
    CHECK(both == peer_aead(kind.name + mode, key, nonce, aad, data, ccm));
    REQUIRE(open(cipher, nonce, aad, text, *tag).has_value());
    CHECK(text == data);
}

}  // namespace

TEST_CASE("openssl: GCM and CCM of AES, every size of text and nonce (SP 800-38D, 38C)") {
    Draws draws{"aead"};
    for (const Kind& kind : kinds) {
        if (kind.cipher != Cipher::aes) continue;  // OpenSSL 3.0 has neither of SM4
        for (std::size_t size = 0; size <= size_max; ++size) {
            INFO(kind.name << " " << size);
            check_aead(kind, draws.bytes(1 + size % 24), draws, size, "-GCM", gcm_encrypt,
                       gcm_decrypt);
            check_aead(kind, draws.bytes(7 + size % 7), draws, size, "-CCM", ccm_encrypt,
                       ccm_decrypt);
        }
    }
}

TEST_CASE("openssl: CMAC of every cipher and size (SP 800-38B)") {
    Draws draws{"cmac"};
    for (const Kind& kind : kinds) {
        for (std::size_t size = 0; size <= size_max; ++size) {
            INFO(kind.name << " " << size);
            const auto key = draws.bytes(kind.key_size);
            const auto data = draws.bytes(size);
            const auto name = kind.name + "-CBC";
            CHECK(to_hex(cmac(kind.cipher, key, Bytes{data}).bytes()) ==
                  to_hex(peer_mac("CMAC", OSSL_MAC_PARAM_CIPHER, name.c_str(), key, data)));
        }
    }
}

TEST_CASE("openssl: CBC-MAC and retail MAC by CBC of the padded text (ISO/IEC 9797-1, 7.2, 7.4)") {
    Draws draws{"mac"};
    for (std::size_t size = 0; size <= size_max; ++size) {
        INFO("size " << size);
        const auto data = draws.bytes(size);
        Data padded = data;
        padded.push_back(0x80);
        padded.resize((padded.size() + 7) / 8 * 8);
        const auto pair = draws.bytes(16);
        const Data left{pair.begin(), pair.begin() + 8};
        Data thrice = left;  // single DES is EDE with one key
        thrice.insert(thrice.end(), left.begin(), left.end());
        const auto chain = peer_encrypt("DES-EDE-CBC", thrice, Data(8), padded);
        const Data last{chain.end() - 8, chain.end()};
        CHECK(to_hex(cbc_mac(Cipher::des, left, Bytes{data}, Padding::method_2).bytes()) ==
              to_hex(last));
        // Retail: EDE of the last block's input under the pair; its middle ends are left's.
        Data input{padded.end() - 8, padded.end()};
        if (chain.size() > 8) {
            for (std::size_t i = 0; i < 8; ++i) input[i] ^= chain[chain.size() - 16 + i];
        }
        CHECK(to_hex(retail_mac(Cipher::des, pair, Bytes{data}, Padding::method_2).bytes()) ==
              to_hex(peer_encrypt("DES-EDE", pair, Data(8), input)));
    }
}

TEST_CASE("openssl: SM3, HMAC-SM3, SHA-1 and SHA-256 of every size (GB/T 32905, FIPS 180-4)") {
    Draws draws{"digest"};
    for (std::size_t size = 0; size <= 200; ++size) {
        INFO("size " << size);
        const auto data = draws.bytes(size);
        const auto key = draws.bytes(1 + size % 100);
        CHECK(to_hex(sm3(data)) == to_hex(peer_digest("SM3", data)));
        CHECK(to_hex(keys::sha1(data)) == to_hex(peer_digest("SHA1", data)));
        CHECK(to_hex(keys::sha256(data)) == to_hex(peer_digest("SHA256", data)));
        CHECK(to_hex(hmac_sm3(key, data)) ==
              to_hex(peer_mac("HMAC", OSSL_MAC_PARAM_DIGEST, "SM3", key, data)));
    }
}
