#include "crypto/keys/pkcs11/shared_token.hpp"

namespace crypto::keys::pkcs11 {
namespace {

struct OpenTokens {
    std::mutex mutex;
    std::map<std::pair<const Module*, std::string>, std::weak_ptr<Token>> by_serial;
};
OpenTokens& open_tokens() {
    static OpenTokens tokens;
    return tokens;
}

}  // namespace

Result<std::shared_ptr<Token>> shared_token(const std::shared_ptr<Module>& module,
                                            const std::string& serial, Bytes pin) {
    OpenTokens& tokens = open_tokens();
    const std::lock_guard guard{tokens.mutex};
    std::weak_ptr<Token>& known = tokens.by_serial[{module.get(), serial}];
    if (auto token = known.lock()) {
        if (token->pin_is(pin)) return token;
        return refusal(Refusal::pin_wrong, "token " + serial + " is open with another PIN");
    }
    ONECARD_TRY(opened, Token::open(module, {{}, serial}, pin));
    std::shared_ptr<Token> token{std::move(opened)};
    known = token;
    return token;
}

}  // namespace crypto::keys::pkcs11
