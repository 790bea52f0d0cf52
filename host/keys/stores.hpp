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
#include "host/keys/new_directory.hpp"
#include "host/keys/refusal.hpp"
#include "platform/clock.hpp"
#include "protocol/batch.hpp"

namespace host::keys {

using crypto::keys::KeyName;
using crypto::keys::KeyStore;
using crypto::keys::KeyUse;
using crypto::keys::name;
using crypto::keys::text;
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
using Custodian = crypto::keys::NewCustodian;
/// The people of a store, and how many of them open it together; of a new one, the token that is to
/// keep its secrets.
struct Custodians {
    std::vector<Custodian> people;
    unsigned quorum = 1;
    std::optional<crypto::keys::TokenPlan> token{};
};
/// The only custodian of a deployed store: a program that opens it alone.
inline constexpr const char* service_custodian = "service";
[[nodiscard]] inline Custodians service(crypto::Bytes passphrase) {
    return {{{service_custodian, passphrase}}, 1, std::nullopt};
}
/// Nation and cities: no one person opens them. `dual_control_missing`.
[[nodiscard]] Result<void> check_dual_control(const Custodians& custodians);

/// A line of a store's log. `detail` is a JSON object with nothing secret in it.
[[nodiscard]] crypto::keys::Command command(const platform::Clock& clock, std::string name,
                                            std::string detail = "{}");
/// UTC, RFC 3339: "2026-11-29T08:30:00Z".
[[nodiscard]] std::string utc_text(std::int64_t unix_ms);
[[nodiscard]] std::string utc_text(const protocol::DateTime& utc);
/// The same, read.
[[nodiscard]] std::optional<protocol::DateTime> parse_utc(std::string_view text);

/// A store being filled. Rehearsals seal it cheaply.
[[nodiscard]] Result<std::unique_ptr<KeyStore>> create_store(const std::filesystem::path& path,
                                                             const Custodians& custodians,
                                                             Mark mark,
                                                             crypto::keys::Command command,
                                                             crypto::Random& random);
/// For a process whose memory could not be locked: from here on it neither makes nor opens a store
/// of live keys, which could reach the swap. `store_failed`, memory_not_lockable.
void refuse_live_stores();
/// The PKCS#11 module through which this process opens stores with a token; set before any is
/// opened. docs/key_store.md, "With a token".
void set_token_module(std::filesystem::path module);
/// The token of that label or serial number, for a new store. `pin` is secret. `input_wrong`
/// without a module.
[[nodiscard]] Result<crypto::keys::TokenPlan> plan_token(const std::string& label_or_serial,
                                                         crypto::Bytes pin);

/// What opens a custodian's share instead of a passphrase: their own token, of that label or serial
/// number. `pin` is secret and outlives it. `input_wrong` without a module.
[[nodiscard]] Result<std::shared_ptr<crypto::keys::ShareKeeper>> custodian_token(
    const std::string& label_or_serial, crypto::Bytes pin);

/// `present` are the custodians who have come. A refusal says which of them was wrong.
[[nodiscard]] Result<std::unique_ptr<KeyStore>> open_store(const std::filesystem::path& path,
                                                           std::span<const Custodian> present,
                                                           crypto::Random& random);
/// A deployed store, which one program opens alone.
[[nodiscard]] Result<std::unique_ptr<KeyStore>> open_store(const std::filesystem::path& path,
                                                           crypto::Bytes passphrase,
                                                           crypto::Random& random);

/// A change in one commit with its log line; forgotten when it goes out of scope.
class StoreChange {
public:
    [[nodiscard]] static Result<StoreChange> begin(KeyStore& store, crypto::keys::Command command);
    [[nodiscard]] Result<void> commit();

private:
    explicit StoreChange(crypto::keys::Change change) : change_{std::move(change)} {}
    crypto::keys::Change change_;
};
/// A log line alone: something is about to leave, or has happened elsewhere.
[[nodiscard]] Result<void> record(KeyStore& store, crypto::keys::Command command);
/// What a store said, as a refusal that names the key or file.
[[nodiscard]] std::unexpected<Refusal> store_refusal(const std::string& what,
                                                     crypto::keys::KeyError error);

struct ActiveKey {
    crypto::keys::KeyId id;
    protocol::KeyVersion version;
};
/// The newest version that may make new things.
[[nodiscard]] std::optional<ActiveKey> newest_active(const KeyStore& store,
                                                     const std::string& label, KeyUse use,
                                                     Suite suite);
/// Those that chips in use may have been made with: active and verify_only, newest first.
[[nodiscard]] std::vector<ActiveKey> window_of(const KeyStore& store, const std::string& label,
                                               KeyUse use, Suite suite);

[[nodiscard]] Result<void> generate_key(
    KeyStore& store, const KeyName& key, std::size_t size, crypto::Random& random,
    crypto::keys::KeyState state = crypto::keys::KeyState::active);
/// The same secret under the same name in another store.
[[nodiscard]] Result<void> copy_key(const KeyStore& from, KeyStore& to, const KeyName& key,
                                    crypto::keys::KeyState state = crypto::keys::KeyState::active);
/// A fresh key pair; answers the public key.
[[nodiscard]] Result<crypto::sm2::PublicKey> generate_sm2(KeyStore& store, const KeyName& key,
                                                          crypto::Random& random);
[[nodiscard]] Result<crypto::sm2::PublicKey> sm2_public(const KeyStore& store, const KeyName& key,
                                                        crypto::Random& random);
/// A fresh P-256 key that only the store signs with.
[[nodiscard]] Result<void> generate_authority(KeyStore& store, const KeyName& key,
                                              crypto::Random& random);
/// A certificate authority whose key stays in its store. The store outlives it.
[[nodiscard]] Result<crypto::keys::X509Issuer> authority_in(const KeyStore& store,
                                                            const KeyName& key);
[[nodiscard]] Result<crypto::keys::P256PrivateKey> generate_tls(KeyStore& store, const KeyName& key,
                                                                crypto::Random& random);
[[nodiscard]] Result<crypto::keys::P256PrivateKey> reveal_tls(const KeyStore& store,
                                                              const KeyName& key);
[[nodiscard]] Result<crypto::purse::PurseKey> reveal_purse(const KeyStore& store,
                                                           const KeyName& key);

}  // namespace host::keys
