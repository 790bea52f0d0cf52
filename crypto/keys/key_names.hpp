#pragma once
// The names of OneCard's keys, in one place: who makes a key and who looks for it use the same
// function. docs/keys.md, 2.
#include "crypto/keys/key_store.hpp"

namespace crypto::keys {

constexpr protocol::KeyVersion first_version{1};

[[nodiscard]] constexpr KeyAlgorithm algorithm_of(protocol::Suite suite) {
    return suite == protocol::Suite::triple_des ? KeyAlgorithm::triple_des : KeyAlgorithm::sm4;
}

/// "national".
[[nodiscard]] inline KeyName national_key(KeyUse use, KeyAlgorithm algorithm,
                                          protocol::KeyVersion version = first_version) {
    return {"national", use, algorithm, version};
}
[[nodiscard]] inline KeyName national_key(KeyUse use, protocol::Suite suite,
                                          protocol::KeyVersion version = first_version) {
    return national_key(use, algorithm_of(suite), version);
}
[[nodiscard]] inline KeyName national_authority() {
    return {"national", KeyUse::certificate_authority, KeyAlgorithm::p256_private, first_version};
}

/// "component/first": one custodian's part of a root, in a file of its own. docs/ceremony.md, 3.
[[nodiscard]] inline KeyName component_key(const std::string& custodian, KeyUse use,
                                           protocol::Suite suite) {
    return {"component/" + custodian, use, algorithm_of(suite), first_version};
}
/// Signs the certificates of issuers of cards: one version per index of the scheme.
/// docs/card_certificates.md, 4.
[[nodiscard]] inline KeyName national_card_authority(KeyAlgorithm algorithm,
                                                     protocol::KeyVersion index) {
    return {"national", KeyUse::card_certificate_authority, algorithm, index};
}

/// "city/3100".
[[nodiscard]] std::string city_label(protocol::CityCode city);
/// A city's master: after the first level of diversification, before the card's.
[[nodiscard]] inline KeyName city_key(protocol::CityCode city, KeyUse use, KeyAlgorithm algorithm,
                                      protocol::KeyVersion version = first_version) {
    return {city_label(city), use, algorithm, version};
}
[[nodiscard]] inline KeyName city_key(protocol::CityCode city, KeyUse use, protocol::Suite suite,
                                      protocol::KeyVersion version = first_version) {
    return city_key(city, use, algorithm_of(suite), version);
}
/// `use` is list_signature or day_signature.
[[nodiscard]] inline KeyName city_signature(protocol::CityCode city, KeyUse use,
                                            protocol::KeyVersion version = first_version) {
    return {city_label(city), use, KeyAlgorithm::sm2_private, version};
}
[[nodiscard]] inline KeyName city_authority(protocol::CityCode city) {
    return {city_label(city), KeyUse::certificate_authority, KeyAlgorithm::p256_private,
            first_version};
}
/// Signs the certificates of a city's cards and SAMs.
[[nodiscard]] inline KeyName city_card_authority(protocol::CityCode city, KeyAlgorithm algorithm,
                                                 protocol::KeyVersion version = first_version) {
    return {city_label(city), KeyUse::card_certificate_authority, algorithm, version};
}

/// "device/0000000000003101": the device id in hex.
[[nodiscard]] std::string device_label(const protocol::DeviceId& device);
[[nodiscard]] inline KeyName batch_signature(const protocol::DeviceId& device,
                                             protocol::KeyVersion version = first_version) {
    return {device_label(device), KeyUse::batch_signature, KeyAlgorithm::sm2_private, version};
}
/// An issuer's own, for what its state keeps secret: PINs of cards not yet issued.
[[nodiscard]] inline KeyName issuing_state_key() {
    return {"issuing-state", KeyUse::key_wrapping, KeyAlgorithm::sm4, first_version};
}
/// A deployed store's TLS key; a renewal makes the next version. docs/certificates.md, 6.
[[nodiscard]] inline KeyName tls_identity(protocol::KeyVersion version = first_version) {
    return {"tls", KeyUse::tls_identity, KeyAlgorithm::p256_private, version};
}

}  // namespace crypto::keys
