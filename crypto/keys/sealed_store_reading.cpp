#include "crypto/keys/p256.hpp"
#include "crypto/keys/sealed_store.hpp"

namespace crypto::keys {
namespace {

std::unexpected<KeyError> refuse(KeyError why) {
    return std::unexpected{why};
}

bool is_suite_key(const Entry& entry) {
    return entry.size == purse::key_size && (entry.name.algorithm == KeyAlgorithm::triple_des ||
                                             entry.name.algorithm == KeyAlgorithm::sm4);
}

}  // namespace

bool SealedStore::rehearsal() const {
    return contents_.header.purpose == Purpose::rehearsal;
}

StoreIdentity SealedStore::identity() const {
    return identity_of(contents_.header, contents_.custodians, contents_.opened_by);
}

std::vector<KeyDescription> SealedStore::list() const {
    std::vector<KeyDescription> out;
    for (const Entry& entry : entries()) out.push_back({entry.name, entry.state, entry.size});
    return out;
}

KeyResult<KeyId> SealedStore::find(const KeyName& key) const {
    for (std::size_t i = 0; i < entries().size(); ++i) {
        if (entries()[i].name == key) return KeyId{static_cast<std::uint32_t>(i)};
    }
    return refuse(KeyError::key_unknown);
}

KeyResult<const Entry*> SealedStore::entry_of(KeyId key) const {
    if (key.value() >= entries().size()) return refuse(KeyError::key_unknown);
    return &entries()[key.value()];
}

KeyResult<KeyDescription> SealedStore::describe(KeyId key) const {
    ONECARD_TRY(entry, entry_of(key));
    return KeyDescription{entry->name, entry->state, entry->size};
}

KeyResult<CheckValue> SealedStore::check_value(KeyId key) const {
    ONECARD_TRY(entry, entry_of(key));
    if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
    return entry->check;
}

KeyResult<purse::PurseKey> SealedStore::derive(KeyId parent,
                                               std::span<const purse::Factor> factors) const {
    ONECARD_TRY(entry, entry_of(parent));
    if (entry->state != KeyState::active && entry->state != KeyState::verify_only) {
        return refuse(KeyError::key_state_forbids);
    }
    if (factors.empty() || !is_suite_key(*entry)) return refuse(KeyError::key_algorithm_wrong);
    const auto suite = entry->name.algorithm == KeyAlgorithm::sm4 ? protocol::Suite::sm4
                                                                  : protocol::Suite::triple_des;
    if (entry->place == KeyPlace::token) return vault_->diversify(entry->secret, factors);
    return with_secret(*entry, [&](Bytes secret) -> KeyResult<purse::PurseKey> {
        purse::PurseKey key{suite, secret.first<purse::key_size>()};
        for (const purse::Factor& factor : factors) key = purse::diversify(key, factor);
        return key;
    });
}

KeyResult<void> SealedStore::reveal(KeyId key, MutableBytes out) const {
    ONECARD_TRY(entry, entry_of(key));
    if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
    if (out.size() != entry->size) return refuse(KeyError::key_size_wrong);
    if (entry->name.use == KeyUse::token_pin) return refuse(KeyError::not_revealable);
    return with_secret(*entry, [&](Bytes secret) -> KeyResult<void> {
        std::ranges::copy(secret, out.begin());
        return {};
    });
}

KeyResult<const Entry*> SealedStore::p256_entry(KeyId key) const {
    ONECARD_TRY(entry, entry_of(key));
    if (entry->state == KeyState::destroyed) return refuse(KeyError::key_state_forbids);
    if (entry->name.algorithm != KeyAlgorithm::p256_private) {
        return refuse(KeyError::key_algorithm_wrong);
    }
    return entry;
}

KeyResult<std::array<std::uint8_t, 64>> SealedStore::sign_p256(
    KeyId key, std::span<const std::uint8_t, 32> digest) const {
    ONECARD_TRY(entry, p256_entry(key));
    if (entry->state != KeyState::active) return refuse(KeyError::key_state_forbids);
    if (entry->place == KeyPlace::token) return vault_->sign_p256(entry->secret, digest);
    return with_secret(*entry, [&](Bytes secret) -> KeyResult<P256Signature> {
        const P256PrivateKey signing_key{secret.first<32>()};
        Sha256Digest signed_digest{};
        std::ranges::copy(digest, signed_digest.begin());
        const auto signature = software_signer(signing_key, random_)(signed_digest);
        if (!signature) return refuse(KeyError::key_value_wrong);
        return *signature;
    });
}

KeyResult<std::array<std::uint8_t, 64>> SealedStore::p256_public(KeyId key) const {
    ONECARD_TRY(entry, p256_entry(key));
    if (entry->place == KeyPlace::token) return vault_->p256_public(entry->secret);
    return with_secret(*entry, [&](Bytes secret) -> KeyResult<P256PublicKey> {
        const auto point = public_key_of(P256PrivateKey{secret.first<32>()}, random_);
        if (!point) return refuse(KeyError::key_value_wrong);
        return *point;
    });
}

KeyResult<sm2::PrivateKey> SealedStore::audit_key() const {
    ONECARD_TRY(id, find(audit_key_name()));
    ONECARD_TRY(entry, entry_of(id));
    const auto public_key = sm2::PublicKey::parse(contents_.header.audit_key);
    if (!public_key) return refuse(KeyError::malformed);
    return with_secret(*entry, [&](Bytes secret) -> KeyResult<sm2::PrivateKey> {
        auto key = sm2::PrivateKey::load(secret, *public_key, random_);
        if (!key) return refuse(KeyError::malformed);
        return *std::move(key);
    });
}

KeyResult<sm2::Signature> SealedStore::attest(Bytes message) const {
    ONECARD_TRY(key, audit_key());
    const auto signature = sm2::sign(key, sm2::default_id, message, random_);
    if (!signature) return refuse(KeyError::key_value_wrong);
    return *signature;
}

}  // namespace crypto::keys
