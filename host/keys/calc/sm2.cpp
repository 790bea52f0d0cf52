#include "crypto/core/sm2.hpp"

#include "host/keys/calc/chosen_random.hpp"
#include "host/keys/calc/families.hpp"

namespace host::keys::calc {
namespace {

namespace sm2 = crypto::sm2;

struct Options {
    Value id, public_key, private_key, data, signature, k;
};

/// --k: the random number of a published example.
Answer<ChosenRandom> random_of(const Options& options) {
    ONECARD_TRY(k, options.k.optional_bytes({sm2::scalar_size}));
    return ChosenRandom::make(std::move(k));
}

std::unexpected<Complaint> wrong(const Value& value, sm2::Refusal refusal) {
    return mistake(value.name() + ": " + name(refusal));
}

Answer<SecretBuffer> id_of(const Options& options) {
    ONECARD_TRY(given, options.id.optional_bytes(Sizes::between(0, sm2::id_size_max)));
    return given ? std::move(*given) : SecretBuffer{sm2::default_id};
}

Answer<sm2::PublicKey> public_key_of(const Options& options) {
    ONECARD_TRY(bytes, options.public_key.bytes({64, 65}));
    Bytes x_y = std::as_const(bytes).bytes();
    if (x_y.size() == 65 && x_y[0] != 0x04) {
        return mistake("--public: 65 bytes begin with 04, the uncompressed form");
    }
    const auto key = sm2::PublicKey::parse(x_y.last(64));
    if (!key) return wrong(options.public_key, key.error());
    return *key;
}

Answer<sm2::PrivateKey> private_key_of(const Options& options, crypto::Random& random) {
    ONECARD_TRY(d, options.private_key.bytes({sm2::scalar_size}));
    auto key = sm2::PrivateKey::load(d.bytes(), random);
    if (!key) return wrong(options.private_key, key.error());
    return *std::move(key);
}

Answer<Output> sign(const Options& options) {
    ONECARD_TRY(random, random_of(options));
    ONECARD_TRY(key, private_key_of(options, random));
    ONECARD_TRY(id, id_of(options));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    if (options.public_key.given()) {
        ONECARD_TRY(public_key, public_key_of(options));
        if (public_key != key.public_key()) {
            return mistake("--public: not the public key of --private");
        }
    }
    const auto z = sm2::z(id.bytes(), key.public_key());
    const auto e = sm2::digest(id.bytes(), key.public_key(), data.bytes());
    if (!z || !e) return wrong(options.id, z ? e.error() : z.error());
    random.use_given();
    const auto signature = sm2::sign_digest(key, *e, random);
    if (!signature) return wrong(options.k, signature.error());
    Output output;
    return output.add("public", key.public_key().bytes())
        .add("z", *z)
        .add("e", *e)
        .add("signature", *signature);
}

Answer<Output> verify(const Options& options) {
    ONECARD_TRY(key, public_key_of(options));
    ONECARD_TRY(id, id_of(options));
    ONECARD_TRY(data, options.data.bytes(Sizes::any()));
    ONECARD_TRY(signature, options.signature.bytes({sm2::signature_size}));
    const auto verified = sm2::verify(key, id.bytes(), data.bytes(), signature.bytes());
    Output output;
    return output.add_verdict(verified.has_value());
}

Answer<Output> encrypt(const Options& options) {
    ONECARD_TRY(random, random_of(options));
    ONECARD_TRY(key, public_key_of(options));
    ONECARD_TRY(plain, options.data.bytes(Sizes::between(1, std::size_t{1} << 20)));
    SecretBuffer out{plain.size() + sm2::ciphertext_overhead};
    random.use_given();
    const auto done = sm2::encrypt(key, plain.bytes(), random, out.bytes());
    if (!done) return wrong(options.k, done.error());
    Output output;
    return output.add("data", out.bytes());
}

Answer<Output> decrypt(const Options& options) {
    ONECARD_TRY(random, random_of(options));
    ONECARD_TRY(key, private_key_of(options, random));
    ONECARD_TRY(cipher, options.data.bytes(
                            Sizes::between(sm2::ciphertext_overhead + 1, std::size_t{1} << 20)));
    SecretBuffer out{cipher.size() - sm2::ciphertext_overhead};
    const auto done = sm2::decrypt(key, cipher.bytes(), out.bytes());
    if (!done) return refused(std::string{"--data: "} + name(done.error()));
    Output output;
    return output.add("data", out.bytes());
}

struct Verb {
    const char* name;
    const char* help;
    Answer<Output> (*compute)(const Options&);
};

void add_options(Command& command, Options& options, std::string_view verb) {
    const bool signing = verb == "sign" || verb == "verify";
    const bool with_private = verb == "sign" || verb == "decrypt";
    if (signing) {
        options.id.add_to(command, "--id", "The signer's id; 1234567812345678 if left out",
                          Need::optional);
    }
    if (verb != "decrypt") {
        options.public_key.add_to(command, "--public", "x | y, 64 bytes",
                                  with_private ? Need::optional : Need::required);
    }
    if (with_private) options.private_key.add_to(command, "--private", "d, 32 bytes");
    options.data.add_to(command, "--data", verb == "decrypt" ? "04 | C1 | C3 | C2" : "The message");
    if (verb == "verify") options.signature.add_to(command, "--signature", "r | s, 64 bytes");
    if (verb == "sign" || verb == "encrypt") {
        options.k.add_to(command, "--k",
                         "Fixes the random number, to repeat a published example. Never with a "
                         "real key: it gives the key away",
                         Need::optional);
    }
}

}  // namespace

void add_sm2(Command& calc, Run& run) {
    Command group = calc.group("sm2", "SM2 signatures and encryption (GB/T 32918)");
    constexpr std::array verbs{Verb{"sign", "r | s over SM3(Z | data)", sign},
                               Verb{"verify", "Prints VALID or INVALID", verify},
                               Verb{"encrypt", "04 | C1 | C3 | C2", encrypt},
                               Verb{"decrypt", "The plaintext, if C3 fits", decrypt}};
    for (const Verb& verb : verbs) {
        const auto options = std::make_shared<Options>();
        Command command = group.add(verb.name, verb.help);
        add_options(command, *options, verb.name);
        run_when_chosen(command, run, [options, verb] { return verb.compute(*options); });
    }
}

}  // namespace host::keys::calc
