#include "host/service/city.hpp"

#include "crypto/core/sm2.hpp"

namespace host {

const Peer* City::peer(protocol::CityCode city) const {
    const auto found = std::ranges::find(peers, city, &Peer::city);
    return found != peers.end() ? &*found : nullptr;
}
const Peer* City::peer_of(const protocol::IssuerId& of_issuer) const {
    const auto found = std::ranges::find(peers, of_issuer, &Peer::issuer);
    return found != peers.end() ? &*found : nullptr;
}

bool signature_is_right(const std::array<std::uint8_t, 64>& public_key, protocol::Bytes message,
                        const protocol::Signature& signature) {
    const auto key = crypto::sm2::PublicKey::parse(public_key);
    return key && crypto::sm2::verify(*key, crypto::sm2::default_id, message, signature);
}

}  // namespace host
