#include "crypto/keys/pkcs11/share_keeper.hpp"

#include "crypto/keys/pkcs11/shared_token.hpp"
#include "crypto/keys/pkcs11/token_vault.hpp"

namespace crypto::keys::pkcs11 {
namespace {

constexpr std::size_t share_key_size = 32;

/// One key for all the shares that this token keeps: each is bound to its store by its data.
const ObjectName& share_key() {
    constexpr std::string_view id = "custodian share.";
    static const ObjectName name{{id.begin(), id.end()}, "onecard custodian"};
    return name;
}

class TokenShareKeeper final : public ShareKeeper {
public:
    TokenShareKeeper(std::shared_ptr<Module> module, std::string serial, Bytes pin)
        : module_{std::move(module)}, serial_{std::move(serial)}, pin_{pin} {}

    [[nodiscard]] const std::string& serial() const override { return serial_; }

    [[nodiscard]] KeyResult<std::vector<std::uint8_t>> seal(Bytes share, Bytes data) override {
        auto sealed = in_token<std::vector<std::uint8_t>>(
            [&](Token& token) -> Result<std::vector<std::uint8_t>> {
                const auto made =
                    token.generate({share_key(), Algorithm::aes, Use::seal, share_key_size});
                const bool there = !made && made.error().refusal == Refusal::object_exists;
                if (!made && !there) return std::unexpected{made.error()};
                return token.seal(share_key(), share, data);
            });
        if (!sealed) return std::unexpected{key_error(sealed.error())};
        return *std::move(sealed);
    }

    [[nodiscard]] KeyResult<void> open(Bytes sealed, Bytes data, MutableBytes out) override {
        const auto opened = in_token<void>(
            [&](Token& token) { return token.open_sealed(share_key(), sealed, data, out); });
        if (opened) return {};
        const Refusal why = opened.error().refusal;
        const bool not_ours = why == Refusal::blob_refused || why == Refusal::blob_malformed ||
                              why == Refusal::size_wrong;
        return std::unexpected{not_ours ? KeyError::share_refused : key_error(opened.error())};
    }

private:
    template <class T, class Operation>
    Result<T> in_token(Operation operation) const {
        ONECARD_TRY(token, shared_token(module_, serial_, pin_));
        return operation(*token);
    }

    std::shared_ptr<Module> module_;
    std::string serial_;
    Bytes pin_;
};

}  // namespace

std::shared_ptr<ShareKeeper> share_keeper(std::shared_ptr<Module> module, std::string serial,
                                          Bytes pin) {
    return std::make_shared<TokenShareKeeper>(std::move(module), std::move(serial), pin);
}

}  // namespace crypto::keys::pkcs11
