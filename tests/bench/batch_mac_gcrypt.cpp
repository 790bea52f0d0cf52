// libgcrypt.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <gcrypt.h>

#include "tests/bench/batch_mac_peers.hpp"

namespace bench {
namespace {

using protocol::Suite;

void require(gcry_error_t error, const char* what) {
    // A weak DES key is reported, and used all the same.
    if (error == 0 || gcry_err_code(error) == GPG_ERR_WEAK_KEY) return;
    std::fprintf(stderr, "libgcrypt cannot %s: %s\n", what, gcry_strerror(error));
    std::exit(1);
}

class Handle {
public:
    Handle(gcry_cipher_algos algorithm, gcry_cipher_modes mode) {
        require(gcry_cipher_open(&handle_, algorithm, mode, 0), "open a cipher");
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { gcry_cipher_close(handle_); }
    void set_key(std::span<const std::uint8_t> key) {
        require(gcry_cipher_setkey(handle_, key.data(), key.size()), "set a key");
    }
    void start(std::size_t block) {
        static constexpr std::uint8_t zero[16] = {};
        require(gcry_cipher_setiv(handle_, zero, block), "set an initial value");
    }
    void encrypt(std::span<const std::uint8_t> in, std::span<std::uint8_t> out) {
        require(gcry_cipher_encrypt(handle_, out.data(), out.size(), in.data(), in.size()),
                "encrypt");
    }

private:
    gcry_cipher_hd_t handle_ = nullptr;
};

void set_wide_key(Handle& handle, Suite suite, const std::array<std::uint8_t, 16>& key) {
    if (suite == Suite::sm4) return handle.set_key(key);
    std::array<std::uint8_t, 24> three{};  // two-key triple DES: left, right, left
    std::copy(key.begin(), key.end(), three.begin());
    std::copy_n(key.begin(), 8, three.begin() + 16);
    handle.set_key(three);
}

struct Ciphers {
    Handle issuer;
    Handle process;
    Handle mac;
    Ciphers(Suite suite, const Master& master)
        : issuer{wide(suite), GCRY_CIPHER_MODE_ECB},
          process{wide(suite), GCRY_CIPHER_MODE_ECB},
          mac{suite == Suite::sm4 ? GCRY_CIPHER_SM4 : GCRY_CIPHER_DES, GCRY_CIPHER_MODE_CBC} {
        set_wide_key(issuer, suite, master);
    }
    static gcry_cipher_algos wide(Suite suite) {
        return suite == Suite::sm4 ? GCRY_CIPHER_SM4 : GCRY_CIPHER_3DES;
    }
};

template <std::size_t size>
protocol::Mac mac_of(Handle& handle, const std::array<std::uint8_t, size>& text,
                     std::size_t block) {
    std::array<std::uint8_t, size> out{};
    handle.start(block);
    handle.encrypt(text, out);
    protocol::Mac mac{};
    std::copy_n(out.end() - static_cast<std::ptrdiff_t>(block), mac.size(), mac.begin());
    return mac;
}

template <class Text>
protocol::Mac finish(Ciphers& ciphers, Suite suite, std::span<const std::uint8_t, 16> key,
                     const Text& input) {
    if (suite == Suite::sm4) {
        ciphers.mac.set_key(key);
        return mac_of(ciphers.mac, pad<32>(input), 16);
    }
    ciphers.mac.set_key(key.first(8));
    return mac_of(ciphers.mac, pad<24>(input), 8);
}

void tacs(Suite suite, const Master& master, std::span<const crypto::batch::TacRecord> records,
          std::span<protocol::Mac> macs) {
    Ciphers ciphers{suite, master};
    for (std::size_t i = 0; i < records.size(); ++i) {
        std::array<std::uint8_t, 16> key{};
        ciphers.issuer.encrypt(factor_block(records[i].card_factor), key);
        if (suite == Suite::triple_des) {
            for (std::size_t j = 0; j < 8; ++j)
                key[j] = static_cast<std::uint8_t>(key[j] ^ key[8 + j]);
        }
        macs[i] = finish(ciphers, suite, key, records[i].input);
    }
}

void purchase_macs(Suite suite, const Master& master,
                   std::span<const crypto::batch::PurchaseMacRecord> records,
                   std::span<protocol::Mac> macs) {
    Ciphers ciphers{suite, master};
    for (std::size_t i = 0; i < records.size(); ++i) {
        std::array<std::uint8_t, 16> key{};
        std::array<std::uint8_t, 16> process{};
        ciphers.issuer.encrypt(factor_block(records[i].card_factor), key);
        set_wide_key(ciphers.process, suite, key);
        if (suite == Suite::sm4) {
            ciphers.process.encrypt(pad<16>(records[i].process_seed), process);
        } else {
            ciphers.process.encrypt(records[i].process_seed, std::span{process}.first(8));
        }
        macs[i] = finish(ciphers, suite, process, records[i].input);
    }
}

void sm3(std::span<const std::uint8_t> records, std::size_t record_size,
         std::span<std::array<std::uint8_t, 32>> digests) {
    for (std::size_t i = 0; i < digests.size(); ++i) {
        gcry_md_hash_buffer(GCRY_MD_SM3, digests[i].data(), records.data() + i * record_size,
                            record_size);
    }
}

}  // namespace

Peer gcrypt_peer() {
    static const bool ready = [] {
        gcry_check_version(nullptr);
        gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
        gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
        return true;
    }();
    static_cast<void>(ready);
    return {"libgcrypt", tacs, purchase_macs, sm3};
}

}  // namespace bench
