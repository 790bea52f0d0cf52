#pragma once
// Key stores and the directories they live in. docs/keys.md, 2 and 3.
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "crypto/core/sm2.hpp"
#include "crypto/keys/key_names.hpp"
#include "crypto/keys/sealed_file.hpp"
#include "crypto/keys/x509.hpp"
#include "host/keys/refusal.hpp"
#include "protocol/batch.hpp"

namespace host::keys {

using crypto::keys::KeyName;
using crypto::keys::KeyStore;
using crypto::keys::KeyUse;
using protocol::CityCode;
using protocol::IssuerId;
using protocol::Mark;
using protocol::Suite;

inline constexpr std::array suites{Suite::sm4, Suite::triple_des};

inline constexpr const char* store_file = "keys.store";
inline constexpr const char* certificate_file = "certificate.pem";
inline constexpr const char* root_file = "national-root.pem";
inline constexpr const char* city_file = "city.json";
inline constexpr const char* deployment_file = "deployment.json";

[[nodiscard]] constexpr const char* word(Mark mark) {
    return mark == Mark::rehearsal ? "rehearsal" : "live";
}
[[nodiscard]] inline Mark mark_of(const KeyStore& store) {
    return store.rehearsal() ? Mark::rehearsal : Mark::live;
}
[[nodiscard]] const char* name(KeyUse use);
[[nodiscard]] const char* name(crypto::keys::KeyAlgorithm algorithm);
[[nodiscard]] const char* name(crypto::keys::KeyState state);
/// "city/3100 load sm4 v1".
[[nodiscard]] std::string text(const KeyName& key);

/// A directory that appears whole or not at all: written beside, then renamed. Refuses an existing
/// target.
class NewDirectory {
public:
    [[nodiscard]] static Result<NewDirectory> begin(const std::filesystem::path& target);
    [[nodiscard]] std::filesystem::path operator/(const char* file) const { return draft_ / file; }
    [[nodiscard]] Result<void> write(const char* file, const std::string& content) const;
    [[nodiscard]] Result<void> publish() const;

private:
    NewDirectory(std::filesystem::path target, std::filesystem::path draft)
        : target_{std::move(target)}, draft_{std::move(draft)} {}
    std::filesystem::path target_;
    std::filesystem::path draft_;
};

/// A store being filled. Rehearsals seal it cheaply.
[[nodiscard]] Result<std::unique_ptr<KeyStore>> create_store(const std::filesystem::path& path,
                                                             crypto::Bytes passphrase, Mark mark,
                                                             crypto::Random& random);
[[nodiscard]] Result<std::unique_ptr<KeyStore>> open_store(const std::filesystem::path& path,
                                                           crypto::Bytes passphrase,
                                                           crypto::Random& random);

struct ActiveKey {
    crypto::keys::KeyId id;
    protocol::KeyVersion version;
};
/// The newest version that may make new things.
[[nodiscard]] std::optional<ActiveKey> newest_active(const KeyStore& store,
                                                     const std::string& label, KeyUse use,
                                                     Suite suite);

[[nodiscard]] Result<void> generate_key(KeyStore& store, const KeyName& key, std::size_t size,
                                        crypto::Random& random);
/// The same secret under the same name in another store.
[[nodiscard]] Result<void> copy_key(const KeyStore& from, KeyStore& to, const KeyName& key);
/// A fresh key pair; answers the public key.
[[nodiscard]] Result<crypto::sm2::PublicKey> generate_sm2(KeyStore& store, const KeyName& key,
                                                          crypto::Random& random);
[[nodiscard]] Result<crypto::sm2::PublicKey> sm2_public(const KeyStore& store, const KeyName& key,
                                                        crypto::Random& random);
[[nodiscard]] Result<crypto::keys::P256PrivateKey> generate_tls(KeyStore& store, const KeyName& key,
                                                                crypto::Random& random);
[[nodiscard]] Result<crypto::keys::P256PrivateKey> reveal_tls(const KeyStore& store,
                                                              const KeyName& key);
[[nodiscard]] Result<crypto::purse::PurseKey> reveal_purse(const KeyStore& store,
                                                           const KeyName& key);

}  // namespace host::keys
