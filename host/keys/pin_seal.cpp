#include "host/keys/pin_seal.hpp"

#include "crypto/core/aead.hpp"

namespace host::keys {
namespace {

using crypto::purse::Factor;

constexpr Factor pin_factor{{'P', 'I', 'N', ' ', 'S', 'E', 'A', 'L'}};
constexpr std::size_t nonce_size = 12;  // NIST SP 800-38D, 8.2.2: random, 96 bits
constexpr std::size_t pin_size_max = 12;
using Block = crypto::SecretBytes<1 + pin_size_max>;  // length, digits, zeros
constexpr std::size_t sealed_size = nonce_size + Block::size + crypto::aead_tag_size;

crypto::Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
crypto::BlockEncryptor cipher_of(const crypto::purse::PurseKey& key) {
    return {crypto::Cipher::sm4, key.value.bytes()};
}

}  // namespace

Result<PinSeal> PinSeal::of(const KeyStore& keys, crypto::Random& random) {
    const KeyName name = crypto::keys::issuing_state_key();
    const auto id = keys.find(name);
    if (!id) {
        return refuse(RefusalKind::store_failed,
                      text(name) + ": the issuer's store has no such key: deploy the issuer again");
    }
    auto key = keys.derive(*id, std::array{pin_factor});
    if (!key) return store_refusal(text(name), key.error());
    return PinSeal{*std::move(key), random};
}

Result<std::vector<std::uint8_t>> PinSeal::seal(const std::string& pin,
                                                std::string_view content) const {
    if (pin.size() > pin_size_max) return refuse(RefusalKind::input_wrong, "a PIN is too long");
    Block block;
    block.bytes()[0] = static_cast<std::uint8_t>(pin.size());
    std::ranges::copy(pin, block.bytes().begin() + 1);
    std::array<std::uint8_t, nonce_size> nonce{};
    random_.get().fill(nonce);
    const auto tag = gcm_encrypt(cipher_of(key_), nonce, bytes_of(content), block.bytes());
    if (!tag) return refuse(RefusalKind::store_failed, crypto::name(tag.error()));
    std::vector<std::uint8_t> sealed{nonce.begin(), nonce.end()};
    sealed.insert(sealed.end(), block.bytes().begin(), block.bytes().end());
    sealed.insert(sealed.end(), tag->begin(), tag->end());
    return sealed;
}

std::optional<std::string> PinSeal::open(crypto::Bytes sealed, std::string_view content) const {
    if (sealed.size() != sealed_size) return std::nullopt;
    Block block;
    std::ranges::copy(sealed.subspan(nonce_size, Block::size), block.bytes().begin());
    const auto opened = gcm_decrypt(cipher_of(key_), sealed.first(nonce_size), bytes_of(content),
                                    block.bytes(), sealed.last(crypto::aead_tag_size));
    const std::size_t size = block.bytes()[0];
    if (!opened || size > pin_size_max) return std::nullopt;
    const auto digits = block.bytes().subspan(1, size);
    return std::string{digits.begin(), digits.end()};
}

}  // namespace host::keys
