#include "crypto/keys/emv_certificate.hpp"
#include "crypto/keys/sm2_certificate.hpp"
#include "host/keys/calc/families.hpp"
#include "platform/mask.hpp"

namespace host::keys::calc {
namespace {

using crypto::keys::EmvCertificateParts;
using crypto::keys::RsaPublicKey;

struct Options {
    std::string scheme;
    Value certificate, public_key, exponent, remainder, key_exponent, static_data, pan, date;
};

std::vector<std::uint8_t> copied(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

/// An optional value, or `otherwise`.
Answer<std::vector<std::uint8_t>> value_or(const Value& value,
                                           std::vector<std::uint8_t> otherwise) {
    ONECARD_TRY(given, value.optional_bytes(Sizes::between(0, std::size_t{1} << 16)));
    if (!given) return otherwise;
    return copied(given->bytes());
}

Answer<std::optional<protocol::Date>> date_of(const Options& options) {
    if (!options.date.given()) return std::nullopt;
    ONECARD_TRY(bytes, options.date.array<4>());
    const auto date = protocol::Date::parse(std::as_const(bytes).bytes());
    if (!date) return mistake(std::string{"--date YYYYMMDD: "} + protocol::name(date.error()));
    return *date;
}

/// The account number's digits, then F: as card certificates write it.
Answer<std::vector<std::uint8_t>> pan_of(const Options& options) {
    std::vector<std::uint8_t> out;
    if (!options.pan.given()) return out;
    ONECARD_TRY(characters, options.pan.characters());
    const Bytes digits = characters.bytes();
    const auto is_digit = [](std::uint8_t c) { return c >= '0' && c <= '9'; };
    if (digits.size() < 12 || digits.size() > 19 || !std::ranges::all_of(digits, is_digit)) {
        return mistake("--pan: 12 to 19 digits expected");
    }
    out.assign(10, 0xFF);
    for (std::size_t i = 0; i < digits.size(); ++i) {
        const auto digit = static_cast<unsigned>(digits[i] - '0');
        out[i / 2] = static_cast<std::uint8_t>(i % 2 == 0 ? digit << 4 | 0x0F
                                                          : (out[i / 2] & 0xF0U) | digit);
    }
    return out;
}

Output& conclude(Output& output, const char* reason) {
    if (reason) output.add_text("reason", reason);
    return output.add_verdict(reason == nullptr);
}

Answer<Output> sm2_certificate(const Options& options) {
    for (const Value* foreign : {&options.exponent, &options.remainder, &options.key_exponent}) {
        if (foreign->given()) return mistake(foreign->name() + " belongs to --scheme rsa");
    }
    ONECARD_TRY(bytes, options.certificate.bytes(Sizes::any()));
    ONECARD_TRY(signer_bytes, options.public_key.bytes({64}));
    ONECARD_TRY(static_data, value_or(options.static_data, {}));
    ONECARD_TRY(pan, pan_of(options));
    ONECARD_TRY(today, date_of(options));
    const auto signer = crypto::sm2::PublicKey::parse(signer_bytes.bytes());
    if (!signer) return mistake(std::string{"--public: "} + name(signer.error()));
    const auto certificate = crypto::keys::parse_sm2_certificate(bytes.bytes());
    if (!certificate) return refused(std::string{"--certificate: "} + name(certificate.error()));
    Output output;
    output.add_text("kind", name(certificate->kind))
        .add("subject", certificate->subject)
        .add("expiry", certificate->expiry)
        .add("serial", certificate->serial)
        .add("public", certificate->key.bytes())
        .add("signature", certificate->signature);
    if (!verify_sm2_signature(*certificate, *signer, static_data)) {
        return conclude(output, "signature_mismatch");
    }
    if (!pan.empty() && certificate->subject != pan) return conclude(output, "wrong_subject");
    const bool expired = today && crypto::keys::is_expired(certificate->expiry, *today);
    return conclude(output, expired ? "expired" : nullptr);
}

Answer<Output> rsa_certificate(const Options& options) {
    ONECARD_TRY(bytes, options.certificate.bytes(Sizes::any()));
    ONECARD_TRY(modulus, options.public_key.bytes(Sizes::between(64, 248)));
    ONECARD_TRY(exponent, value_or(options.exponent, {0x03}));
    ONECARD_TRY(remainder, value_or(options.remainder, {}));
    ONECARD_TRY(key_exponent, value_or(options.key_exponent, {0x03}));
    ONECARD_TRY(static_data, value_or(options.static_data, {}));
    ONECARD_TRY(pan, pan_of(options));
    ONECARD_TRY(today, date_of(options));
    const RsaPublicKey signer{copied(modulus.bytes()), exponent};
    const auto certificate = crypto::keys::recover_emv_certificate(
        signer, bytes.bytes(), EmvCertificateParts{remainder, key_exponent, static_data});
    if (!certificate) return refused(std::string{"--certificate: "} + name(certificate.error()));
    const bool card = certificate->kind == crypto::keys::EmvCertificateKind::card;
    Output output;
    output.add_text("kind", card ? "card" : "issuer")
        .add("subject", certificate->subject)
        .add("expiry", certificate->expiry)
        .add("serial", certificate->serial)
        .add("modulus", certificate->key.modulus)
        .add("exponent", certificate->key.exponent)
        .add("hash", certificate->hash);
    const auto checked = check_emv_certificate(*certificate, pan, today);
    return conclude(output, checked ? nullptr : name(checked.error()));
}

}  // namespace

void add_certificate(Command& calc, Run& run) {
    const auto options = std::make_shared<Options>();
    Command command =
        calc.add("certificate",
                 "A card's, SAM's, issuer's or root's certificate, taken apart and checked "
                 "(docs/card_certificates.md)");
    command.choice("--scheme", options->scheme, {"sm2", "rsa"}, "sm2: PBOC; rsa: EMV, recoverable",
                   Need::required);
    options->certificate.add_to(command, "--certificate", "The certificate");
    options->public_key.add_to(command, "--public",
                               "The signer's key: x | y, 64 bytes; rsa: the modulus");
    options->exponent.add_to(command, "--exponent", "rsa: the signer's; 03 if left out",
                             Need::optional);
    options->remainder.add_to(command, "--remainder", "rsa: the rest of the key (tag 92, 9F48)",
                              Need::optional);
    options->key_exponent.add_to(command, "--key-exponent",
                                 "rsa: the certified key's (tag 9F32, 9F47); 03 if left out",
                                 Need::optional);
    options->static_data.add_to(command, "--static-data",
                                "Cards: the static data that the certificate covers",
                                Need::optional);
    options->pan.add_to(command, "--pan", "Compare with this account number", Need::optional);
    options->date.add_to(command, "--date", "Check the expiry on this day, YYYYMMDD",
                         Need::optional);
    run_when_chosen(command, run, [options] {
        return options->scheme == "sm2" ? sm2_certificate(*options) : rsa_certificate(*options);
    });
}

}  // namespace host::keys::calc
