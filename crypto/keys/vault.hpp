#pragma once
// What keeps a store's secrets when the store's file does not: a PKCS#11 token. The file then holds
// what finds them again. docs/key_store.md, "With a token".
#include <functional>
#include <memory>

#include "crypto/keys/sealed_format.hpp"

namespace crypto::keys {

/// Safe to use from several threads.
class Vault {
public:
    /// Where a secret is now, and what the file writes down: a token object's id, or a sealed blob.
    struct Kept {
        KeyPlace place = KeyPlace::token;
        std::vector<std::uint8_t> bytes;
    };

    virtual ~Vault() = default;

    /// Makes what a new store needs: the key that seals.
    [[nodiscard]] virtual KeyResult<void> found() = 0;
    /// `hands_out`: of a store that people open, whose keys go to other stores.
    [[nodiscard]] virtual bool stays_inside(const KeyName& key, std::size_t size,
                                            bool hands_out) const = 0;
    /// Takes a secret in. `inside` only for what stays_inside allows.
    [[nodiscard]] virtual KeyResult<Kept> keep(const KeyName& key, Bytes secret, bool inside) = 0;
    /// Makes a p256_private inside.
    [[nodiscard]] virtual KeyResult<Kept> generate_p256() = 0;
    /// Forgets what was kept; what cannot be forgotten now is an orphan, and swept later.
    virtual void discard(KeyPlace place, Bytes kept) = 0;
    /// Removes this store's objects that no entry names: what interrupted changes left.
    virtual void sweep(std::span<const Bytes> in_use) = 0;

    /// A sealed blob, opened into locked memory of the secret's size.
    [[nodiscard]] virtual KeyResult<void> open(const KeyName& key, Bytes blob,
                                               MutableBytes out) = 0;
    [[nodiscard]] virtual KeyResult<purse::PurseKey> diversify(
        Bytes id, std::span<const purse::Factor> factors) = 0;
    [[nodiscard]] virtual KeyResult<std::array<std::uint8_t, 64>> sign_p256(
        Bytes id, std::span<const std::uint8_t, 32> digest) = 0;
    [[nodiscard]] virtual KeyResult<std::array<std::uint8_t, 64>> p256_public(Bytes id) = 0;
};

}  // namespace crypto::keys
