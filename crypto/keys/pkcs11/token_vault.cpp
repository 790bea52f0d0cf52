#include "crypto/keys/pkcs11/token_vault.hpp"

#include "crypto/keys/pkcs11/shared_token.hpp"

namespace crypto::keys::pkcs11 {
namespace {

constexpr std::size_t id_size = 16;
constexpr std::size_t sealing_key_size_aes = 32;
constexpr std::string_view sealing_id = "the sealing key.";  // 16 bytes, like every id of ours
static_assert(sealing_id.size() == id_size);

std::vector<std::uint8_t> bytes_of(std::string_view text) {
    return {text.begin(), text.end()};
}

/// CKA_LABEL of everything that belongs to a store: "onecard/" and its id in hex.
std::string label_of(const LogOwner& store) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string label = "onecard/";
    for (const std::uint8_t byte : store) {
        label += digits[byte >> 4];
        label += digits[byte & 0x0F];
    }
    return label;
}

/// What binds a sealed blob to its store and its key's name.
std::vector<std::uint8_t> additional_data(const std::string& label, const KeyName& key) {
    return bytes_of(label + " " + text(key));
}

template <class T>
KeyResult<T> answer(Result<T> result) {
    if (!result) return std::unexpected{key_error(result.error())};
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        return *std::move(result);
    }
}

class TokenVault final : public Vault {
public:
    TokenVault(std::shared_ptr<Token> token, std::string label)
        : token_{std::move(token)}, label_{std::move(label)} {}

    /// The key that seals what the token cannot compute with.
    [[nodiscard]] KeyResult<void> found() override {
        return answer(
            token_->generate({sealing_key(), Algorithm::aes, Use::seal, sealing_key_size_aes}));
    }

    [[nodiscard]] bool stays_inside(const KeyName& key, std::size_t size,
                                    bool hands_out) const override {
        if (key.algorithm == KeyAlgorithm::p256_private) {
            return key.use == KeyUse::certificate_authority;
        }
        // Hosts verify many cards at once with these two, in vector registers.
        const bool many_at_once =
            key.use == KeyUse::load || key.use == KeyUse::transaction_certificate;
        // A SAM is given the national roots themselves.
        const bool derives_only = key.label.starts_with("city/") && !many_at_once;
        return key.algorithm == KeyAlgorithm::triple_des && size == purse::key_size &&
               derives_only && !hands_out;
    }

    [[nodiscard]] KeyResult<Kept> keep(const KeyName& key, Bytes secret, bool inside) override {
        if (!inside || key.algorithm != KeyAlgorithm::triple_des) {
            auto blob = token_->seal(sealing_key(), secret, additional_data(label_, key));
            if (!blob) return std::unexpected{key_error(blob.error())};
            return Kept{KeyPlace::wrapped, *std::move(blob)};
        }
        ONECARD_TRY(id, fresh_id());
        ONECARD_CHECK(answer(token_->import_key(
            {name(id), Algorithm::triple_des, Use::encrypt_blocks, secret.size()}, secret)));
        return Kept{KeyPlace::token, std::move(id)};
    }

    [[nodiscard]] KeyResult<Kept> generate_p256() override {
        ONECARD_TRY(id, fresh_id());
        ONECARD_CHECK(
            answer(token_->generate({name(id), Algorithm::p256, Use::sign, p256_scalar_size})));
        return Kept{KeyPlace::token, std::move(id)};
    }

    void discard(KeyPlace place, Bytes kept) override {
        // A refusal leaves an orphan; the next sweep finds it.
        if (place == KeyPlace::token) (void)token_->destroy(name(kept));
    }

    void sweep(std::span<const Bytes> in_use) override {
        const auto objects = token_->list();
        if (!objects) return;
        for (const ObjectDescription& object : *objects) {
            const bool ours = object.name.label == label_ && object.name.id != bytes_of(sealing_id);
            const bool named = std::ranges::any_of(
                in_use, [&](Bytes id) { return std::ranges::equal(id, object.name.id); });
            if (ours && !named) (void)token_->destroy(object.name);
        }
    }

    [[nodiscard]] KeyResult<void> open(const KeyName& key, Bytes blob, MutableBytes out) override {
        return answer(token_->open_sealed(sealing_key(), blob, additional_data(label_, key), out));
    }
    [[nodiscard]] KeyResult<purse::PurseKey> diversify(
        Bytes id, std::span<const purse::Factor> factors) override {
        return answer(token_->diversify(name(id), factors));
    }
    [[nodiscard]] KeyResult<std::array<std::uint8_t, 64>> sign_p256(
        Bytes id, std::span<const std::uint8_t, 32> digest) override {
        return answer(token_->sign(name(id), digest));
    }
    [[nodiscard]] KeyResult<std::array<std::uint8_t, 64>> p256_public(Bytes id) override {
        const auto point = token_->public_key(name(id));
        if (!point) return std::unexpected{key_error(point.error())};
        std::array<std::uint8_t, 64> out{};
        std::copy(point->begin() + 1, point->end(), out.begin());
        return out;
    }

private:
    static constexpr std::size_t p256_scalar_size = 32;
    [[nodiscard]] ObjectName name(Bytes id) const { return {{id.begin(), id.end()}, label_}; }
    [[nodiscard]] ObjectName sealing_key() const { return {bytes_of(sealing_id), label_}; }
    [[nodiscard]] KeyResult<std::vector<std::uint8_t>> fresh_id() {
        std::vector<std::uint8_t> id(id_size);
        ONECARD_CHECK(answer(token_->random(id)));
        return id;
    }

    std::shared_ptr<Token> token_;
    std::string label_;
};

}  // namespace

KeyError key_error(const Error& error) {
    switch (error.refusal) {
        case Refusal::module_missing:
        case Refusal::module_refused:
        case Refusal::process_forked:
        case Refusal::token_missing:
        case Refusal::token_ambiguous:
        case Refusal::token_uninitialised:
        case Refusal::token_in_use: return KeyError::token_missing;
        case Refusal::memory_not_lockable: return KeyError::memory_not_lockable;
        case Refusal::pin_locked: return KeyError::token_pin_locked;
        case Refusal::pin_wrong:
        case Refusal::pin_refused: return KeyError::token_pin_wrong;
        case Refusal::device_removed:
        case Refusal::session_lost: return KeyError::token_gone;
        case Refusal::object_missing:
        case Refusal::object_ambiguous:
        case Refusal::attribute_refused:
        case Refusal::blob_malformed:
        case Refusal::blob_refused: return KeyError::token_key_missing;
        case Refusal::mechanism_missing: return KeyError::token_cannot;
        case Refusal::sessions_exhausted:
        case Refusal::size_wrong:
        case Refusal::name_wrong:
        case Refusal::object_exists:
        case Refusal::use_forbidden:
        case Refusal::answer_malformed:
        case Refusal::token_failed: return KeyError::token_failed;
    }
    return KeyError::token_failed;
}

VaultOpener vault_opener(std::filesystem::path path) {
    return [path = std::move(path)](const LogOwner& store, const std::string& serial,
                                    Bytes pin) -> KeyResult<std::unique_ptr<Vault>> {
        auto module = Module::load(path);
        if (!module) return std::unexpected{key_error(module.error())};
        auto token = shared_token(*module, serial, pin);
        if (!token) return std::unexpected{key_error(token.error())};
        return std::make_unique<TokenVault>(*std::move(token), label_of(store));
    };
}

}  // namespace crypto::keys::pkcs11
