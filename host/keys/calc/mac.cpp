#include "crypto/core/mac.hpp"

#include "crypto/core/sm3.hpp"
#include "crypto/keys/unionpay_mac.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

using crypto::Cipher;
using crypto::Padding;

struct Options {
    std::string algorithm;
    std::string cipher;
    std::string padding = "2";
    Value key;
    Value data;
    Value iv;
};

/// The cipher inside: a retail MAC over 3DES keys is one with single DES. ISO/IEC 9797-1:2011, 7.4.
Answer<Cipher> cipher_of(const Options& options) {
    if (options.cipher.empty()) return mistake("--cipher is needed for " + options.algorithm);
    ONECARD_TRY(cipher, cipher_named(options.cipher));
    const bool retail = options.algorithm == "retail" || options.algorithm == "unionpay";
    return retail && cipher == Cipher::triple_des ? Cipher::des : cipher;
}

Answer<Output> unionpay(const Options& options, Cipher cipher) {
    if (cipher != Cipher::des || options.iv.given()) {
        return mistake("--algorithm unionpay: --cipher des or 3des, and no --iv");
    }
    ONECARD_TRY(key, options.key.bytes({8, 16}));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    Output output;
    return output.add("mac", crypto::keys::unionpay_mac(key.bytes(), data.bytes()));
}

Answer<Output> block_mac(const Options& options) {
    ONECARD_TRY(cipher, cipher_of(options));
    if (options.algorithm == "unionpay") return unionpay(options, cipher);
    const std::size_t block = crypto::block_size(cipher);
    const bool cmac = options.algorithm == "cmac";
    const bool retail = options.algorithm == "retail";
    if (cmac && options.iv.given()) return mistake("--iv: cmac has none");
    ONECARD_TRY(key, retail ? options.key.bytes({2 * block}) : key_for(cipher, options.key));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    ONECARD_TRY(given, options.iv.optional_bytes({block}));
    const SecretBuffer iv = given ? std::move(*given) : SecretBuffer{};
    const Bytes message = std::as_const(data).bytes();
    const Padding padding = options.padding == "1" ? Padding::method_1 : Padding::method_2;
    const auto mac = cmac ? crypto::cmac(cipher, key.bytes(), message)
                     : retail
                         ? crypto::retail_mac(cipher, key.bytes(), message, padding, iv.bytes())
                         : crypto::cbc_mac(cipher, key.bytes(), message, padding, iv.bytes());
    Output output;
    return output.add("mac", mac.bytes());
}

Answer<Output> compute(const Options& options) {
    if (options.algorithm != "hmac-sm3") return block_mac(options);
    if (options.iv.given()) return mistake("--iv: hmac-sm3 has none");
    ONECARD_TRY(key, options.key.bytes(Sizes::any()));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    Output output;
    return output.add("mac", crypto::hmac_sm3(key.bytes(), data.bytes()));
}

}  // namespace

void add_mac(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command =
        calc.add("mac", "Message authentication codes (ISO/IEC 9797-1, HMAC), untruncated");
    command.choice("--algorithm", options->algorithm,
                   {"cbc-mac", "retail", "cmac", "hmac-sm3", "unionpay"},
                   "cbc-mac: algorithm 1; retail: algorithm 3; cmac: algorithm 5", Need::required);
    command.choice("--cipher", options->cipher, {"3des", "des", "sm4", "aes"},
                   "The block cipher; hmac-sm3 has none and ignores it", Need::optional);
    command.choice("--padding", options->padding, {"1", "2"},
                   "cbc-mac, retail: 1 zeros, 2 80 and zeros (2 if left out)", Need::optional);
    options->key.add_to(command, "--key", "The key; for retail the pair");
    options->data.add_to(command, "--data", "The message");
    options->iv.add_to(command, "--iv", "Starting value; zero if left out", Need::optional);
    run_when_chosen(command, run, [options] { return compute(*options); });
}

}  // namespace host::keys::calc
