#include "crypto/core/aead.hpp"
#include "crypto/core/stream_modes.hpp"
#include "crypto/core/xts.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

using crypto::BlockDecryptor;
using crypto::BlockEncryptor;
using crypto::Cipher;

struct Options {
    std::string algorithm;
    std::string mode;
    Value key;
    Value data;
    Value iv;
    Value additional;
    Value tag;
    bool decrypt = false;
};

bool is_authenticated(const Options& options) {
    return options.mode == "gcm" || options.mode == "ccm";
}

Answer<void> apply_plain_mode(const Options& options, Cipher cipher, Bytes key, Bytes iv,
                              MutableBytes data) {
    const BlockEncryptor encryptor{cipher, key};
    const BlockDecryptor decryptor{cipher, key};
    const auto& mode = options.mode;
    const bool decrypt = options.decrypt;
    const crypto::ModeResult done =
        mode == "ecb" ? (decrypt ? ecb_decrypt(decryptor, data) : ecb_encrypt(encryptor, data))
        : mode == "cbc"
            ? (decrypt ? cbc_decrypt(decryptor, iv, data) : cbc_encrypt(encryptor, iv, data))
        : mode == "ctr" ? ctr_crypt(encryptor, iv, data)
        : mode == "ofb" ? ofb_crypt(encryptor, iv, data)
        : decrypt       ? cfb_decrypt(encryptor, iv, data)
                        : cfb_encrypt(encryptor, iv, data);
    if (done) return {};
    return mistake("--data: whole blocks of " + std::to_string(crypto::block_size(cipher)) +
                   " bytes expected in " + mode + ", " + std::to_string(data.size()) +
                   " bytes given");
}

Answer<Output> plain_mode(const Options& options, Cipher cipher) {
    if (options.additional.given() || options.tag.given()) {
        return mistake("--aad and --tag belong to gcm and ccm");
    }
    if (options.mode == "ecb" && options.iv.given()) return mistake("--iv: ecb has none");
    const std::size_t block = crypto::block_size(cipher);
    ONECARD_TRY(key, key_for(cipher, options.key));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    ONECARD_TRY(iv, options.iv.optional_bytes({block}));
    const SecretBuffer zero{block};
    ONECARD_CHECK(apply_plain_mode(options, cipher, key.bytes(), iv ? iv->bytes() : zero.bytes(),
                                   data.bytes()));
    Output output;
    return output.add("data", data.bytes());
}

Answer<Output> authenticated_mode(const Options& options, Cipher cipher) {
    const bool gcm = options.mode == "gcm";
    if (crypto::block_size(cipher) != 16) {
        return mistake("--mode: " + options.mode + " needs a cipher of 16-byte blocks: sm4 or aes");
    }
    if (options.tag.given() && !options.decrypt) return mistake("--tag belongs to --decrypt");
    ONECARD_TRY(key, key_for(cipher, options.key));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    ONECARD_TRY(iv, options.iv.bytes(gcm ? Sizes::between(1, 1024) : Sizes::between(7, 13)));
    ONECARD_TRY(given, options.additional.optional_bytes(Sizes::any()));
    const SecretBuffer additional = given ? std::move(*given) : SecretBuffer{};
    const BlockEncryptor encryptor{cipher, key.bytes()};
    Output output;
    if (options.decrypt) {
        ONECARD_TRY(tag, options.tag.bytes({16}));
        const auto open = gcm ? crypto::gcm_decrypt : crypto::ccm_decrypt;
        const auto opened =
            open(encryptor, iv.bytes(), additional.bytes(), data.bytes(), tag.bytes());
        if (!opened) return refused(std::string{"--tag: "} + name(opened.error()));
        return output.add("data", data.bytes());
    }
    const auto seal = gcm ? crypto::gcm_encrypt : crypto::ccm_encrypt;
    const auto tag = seal(encryptor, iv.bytes(), additional.bytes(), data.bytes());
    if (!tag) return mistake(std::string{"--data: "} + name(tag.error()));
    return output.add("data", data.bytes()).add("tag", *tag);
}

/// Two keys of one size: data, then tweak.
Answer<Output> xts_mode(const Options& options, Cipher cipher) {
    if (crypto::block_size(cipher) != 16) {
        return mistake("--mode: xts needs a cipher of 16-byte blocks: sm4 or aes");
    }
    if (options.additional.given() || options.tag.given()) {
        return mistake("--aad and --tag belong to gcm and ccm");
    }
    ONECARD_TRY(keys,
                cipher == Cipher::sm4 ? options.key.bytes({32}) : options.key.bytes({32, 64}));
    ONECARD_TRY(data, options.data.bytes(Sizes::between(16, std::size_t{1} << 24)));
    ONECARD_TRY(iv, options.iv.bytes({16}));
    const std::size_t half = keys.size() / 2;
    const Bytes key = std::as_const(keys).bytes().first(half);
    const BlockEncryptor tweak{cipher, std::as_const(keys).bytes().last(half)};
    const auto standard =
        options.mode == "xts" ? crypto::XtsStandard::ieee : crypto::XtsStandard::gb;
    const auto done =
        options.decrypt
            ? xts_decrypt(standard, BlockDecryptor{cipher, key}, tweak, iv.bytes(), data.bytes())
            : xts_encrypt(standard, BlockEncryptor{cipher, key}, tweak, iv.bytes(), data.bytes());
    if (!done) return mistake(std::string{"--data: "} + name(done.error()));
    Output output;
    return output.add("data", data.bytes());
}

Answer<Output> compute(const Options& options) {
    ONECARD_TRY(cipher, cipher_named(options.algorithm));
    if (options.mode.starts_with("xts")) return xts_mode(options, cipher);
    return is_authenticated(options) ? authenticated_mode(options, cipher)
                                     : plain_mode(options, cipher);
}

}  // namespace

void add_cipher(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command = calc.add("cipher", "Encrypt and decrypt: SM4, 3DES, DES, AES. No padding.");
    command.choice("--algorithm", options->algorithm, {"sm4", "3des", "des", "aes"}, "Which cipher",
                   Need::required);
    command.choice("--mode", options->mode,
                   {"ecb", "cbc", "ctr", "ofb", "cfb", "gcm", "ccm", "xts", "xts-gb"},
                   "Which mode of operation; xts is IEEE's, xts-gb GB/T 17964's", Need::required);
    options->key.add_to(command, "--key", "The key");
    options->data.add_to(command, "--data", "What to encrypt or decrypt");
    options->iv.add_to(command, "--iv", "Starting value, counter or nonce; zero if left out",
                       Need::optional);
    options->additional.add_to(command, "--aad", "gcm, ccm: additional data", Need::optional);
    options->tag.add_to(command, "--tag", "gcm, ccm with --decrypt: the tag", Need::optional);
    command.flag("--decrypt", options->decrypt, "Decrypt");
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
