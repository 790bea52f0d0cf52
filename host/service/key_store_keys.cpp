#include "host/service/key_store_keys.hpp"

#include "crypto/keys/key_names.hpp"

namespace host {
namespace {

using crypto::keys::KeyAlgorithm;
using crypto::keys::KeyName;
using crypto::keys::KeyState;
using crypto::keys::KeyUse;
using protocol::CardNumber;
using protocol::KeyVersion;
using protocol::Suite;

std::optional<Suite> suite_of(KeyAlgorithm algorithm) {
    if (algorithm == KeyAlgorithm::sm4) return Suite::sm4;
    if (algorithm == KeyAlgorithm::triple_des) return Suite::triple_des;
    return std::nullopt;
}
bool may_check(KeyState state) {
    return state == KeyState::active || state == KeyState::verify_only;
}

class KeyStoreKeys final : public Keys {
public:
    KeyStoreKeys(const crypto::keys::KeyStore& store, protocol::CityCode city,
                 crypto::batch::IssuerKeyTable masters, crypto::sm2::PrivateKey list_key,
                 crypto::sm2::PrivateKey day_key, crypto::Random& random)
        : store_{store},
          city_{city},
          masters_{std::move(masters)},
          list_key_{std::move(list_key)},
          day_key_{std::move(day_key)},
          random_{random} {}
    [[nodiscard]] const crypto::batch::IssuerKeyTable& tac_masters() const override {
        return masters_;
    }
    [[nodiscard]] std::optional<crypto::purse::PurseKey> load_key(
        const CardNumber& card, Suite suite, KeyVersion version) const override {
        return card_key(crypto::keys::city_key(city_, KeyUse::load, suite, version), card);
    }
    [[nodiscard]] std::vector<crypto::purse::PurseKey> tac_keys(const CardNumber& card,
                                                                Suite suite) const override {
        std::vector<KeyName> names;
        const KeyName any = crypto::keys::city_key(city_, KeyUse::transaction_certificate, suite);
        for (const auto& [name, state, size] : store_.list()) {
            if (name.label == any.label && name.use == any.use && name.algorithm == any.algorithm) {
                names.push_back(name);
            }
        }
        std::ranges::sort(names, std::greater{}, &KeyName::version);
        std::vector<crypto::purse::PurseKey> keys;
        for (const KeyName& name : names) {
            if (auto key = card_key(name, card)) keys.push_back(*std::move(key));
        }
        return keys;
    }
    [[nodiscard]] std::optional<protocol::Signature> sign_list(
        protocol::Bytes message) const override {
        return sign(list_key_, message);
    }
    [[nodiscard]] std::optional<protocol::Signature> sign_statement(
        protocol::Bytes message) const override {
        return sign(day_key_, message);
    }

private:
    /// Nothing outside the window.
    [[nodiscard]] std::optional<crypto::purse::PurseKey> card_key(const KeyName& name,
                                                                  const CardNumber& card) const {
        const auto id = store_.find(name);
        if (!id) return std::nullopt;
        const auto description = store_.describe(*id);
        if (!description || !may_check(description->state)) return std::nullopt;
        const std::array factors{crypto::purse::factor_of(card)};
        auto key = store_.derive(*id, factors);
        if (!key) return std::nullopt;
        return std::move(*key);
    }
    [[nodiscard]] std::optional<protocol::Signature> sign(const crypto::sm2::PrivateKey& key,
                                                          protocol::Bytes message) const {
        const auto out = crypto::sm2::sign(key, crypto::sm2::default_id, message, random_);
        return out ? std::optional{*out} : std::nullopt;
    }
    const crypto::keys::KeyStore& store_;
    protocol::CityCode city_;
    crypto::batch::IssuerKeyTable masters_;
    crypto::sm2::PrivateKey list_key_;
    crypto::sm2::PrivateKey day_key_;
    crypto::Random& random_;
};

std::expected<crypto::batch::IssuerKeyTable, KeysRefusal> tac_table(
    const crypto::keys::KeyStore& store, protocol::CityCode city,
    const protocol::IssuerId& issuer) {
    crypto::batch::IssuerKeyTable out;
    for (const auto& description : store.list()) {
        const KeyName& key = description.name;
        const auto suite = suite_of(key.algorithm);
        if (key.label != crypto::keys::city_label(city) || !suite ||
            key.use != KeyUse::transaction_certificate || !may_check(description.state)) {
            continue;
        }
        crypto::SecretBytes<crypto::purse::key_size> master;
        const auto id = store.find(key);
        if (!id || description.size != master.size || !store.reveal(*id, master.bytes())) {
            return std::unexpected{KeysRefusal::key_unusable};
        }
        const crypto::batch::IssuerKeyName name{issuer, crypto::batch::KeyPurpose::tac, key.version,
                                                *suite};
        if (!out.add(name, master.bytes())) return std::unexpected{KeysRefusal::key_unusable};
    }
    if (out.size() == 0) return std::unexpected{KeysRefusal::tac_master_missing};
    return out;
}

std::expected<crypto::sm2::PrivateKey, KeysRefusal> signing_key(const crypto::keys::KeyStore& store,
                                                                const KeyName& name,
                                                                KeysRefusal missing,
                                                                crypto::Random& random) {
    const auto id = store.find(name);
    if (!id) return std::unexpected{missing};
    crypto::SecretBytes<crypto::sm2::scalar_size> secret;
    if (!store.reveal(*id, secret.bytes())) return std::unexpected{KeysRefusal::key_unusable};
    auto key = crypto::sm2::PrivateKey::load(secret.bytes(), random);
    if (!key) return std::unexpected{KeysRefusal::key_unusable};
    return std::move(*key);
}

}  // namespace

const char* name(KeysRefusal refusal) {
    switch (refusal) {
        case KeysRefusal::tac_master_missing: return "tac_master_missing";
        case KeysRefusal::list_key_missing: return "list_key_missing";
        case KeysRefusal::day_key_missing: return "day_key_missing";
        case KeysRefusal::key_unusable: return "key_unusable";
    }
    return "unknown";
}

std::expected<std::unique_ptr<Keys>, KeysRefusal> keys_from(const crypto::keys::KeyStore& store,
                                                            protocol::CityCode city,
                                                            const protocol::IssuerId& issuer,
                                                            crypto::Random& random) {
    ONECARD_TRY(table, tac_table(store, city, issuer));
    ONECARD_TRY(list_key,
                signing_key(store, crypto::keys::city_signature(city, KeyUse::list_signature),
                            KeysRefusal::list_key_missing, random));
    ONECARD_TRY(day_key,
                signing_key(store, crypto::keys::city_signature(city, KeyUse::day_signature),
                            KeysRefusal::day_key_missing, random));
    return std::make_unique<KeyStoreKeys>(store, city, std::move(table), std::move(list_key),
                                          std::move(day_key), random);
}

}  // namespace host
