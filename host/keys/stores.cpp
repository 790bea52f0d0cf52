#include "host/keys/stores.hpp"

#include <utility>

#include "crypto/keys/pkcs11/share_keeper.hpp"
#include "crypto/keys/pkcs11/token_vault.hpp"
#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace host::keys {
namespace {

using crypto::keys::KeyAlgorithm;
using crypto::keys::KeyError;
using crypto::keys::KeyState;

/// Secret bytes of exactly `size`.
template <std::size_t size>
Result<crypto::SecretBytes<size>> reveal(const KeyStore& store, const KeyName& key) {
    const auto id = store.find(key);
    if (!id) return store_refusal(text(key), id.error());
    crypto::SecretBytes<size> secret;
    const auto revealed = store.reveal(*id, secret.bytes());
    if (!revealed) return store_refusal(text(key), revealed.error());
    return secret;
}

Result<void> add(KeyStore& store, const KeyName& key, crypto::Bytes secret,
                 KeyState state = KeyState::active) {
    const auto added = store.add(key, state, secret);
    if (!added) return store_refusal(text(key), added.error());
    return {};
}

bool& live_stores_refused() {
    static bool refused = false;
    return refused;
}
Result<void> check_memory(const std::filesystem::path& path, Mark mark) {
    if (mark != Mark::live || !live_stores_refused()) return {};
    return store_refusal(path.string(), KeyError::memory_not_lockable);
}

}  // namespace

const char* name(RefusalKind kind) {
    switch (kind) {
        case RefusalKind::input_wrong: return "input_wrong";
        case RefusalKind::target_exists: return "target_exists";
        case RefusalKind::file_failed: return "file_failed";
        case RefusalKind::store_failed: return "store_failed";
        case RefusalKind::mark_mismatch: return "mark_mismatch";
        case RefusalKind::city_mismatch: return "city_mismatch";
        case RefusalKind::nation_mismatch: return "nation_mismatch";
        case RefusalKind::city_founded: return "city_founded";
        case RefusalKind::certificate_refused: return "certificate_refused";
        case RefusalKind::passphrase_missing: return "passphrase_missing";
        case RefusalKind::dual_control_missing: return "dual_control_missing";
        case RefusalKind::random_failed: return "random_failed";
        case RefusalKind::log_malformed: return "log_malformed";
        case RefusalKind::key_not_rotatable: return "key_not_rotatable";
        case RefusalKind::key_unknown: return "key_unknown";
        case RefusalKind::rotation_open: return "rotation_open";
        case RefusalKind::nothing_planned: return "nothing_planned";
        case RefusalKind::nation_missing: return "nation_missing";
        case RefusalKind::versions_used_up: return "versions_used_up";
        case RefusalKind::not_delivered: return "not_delivered";
        case RefusalKind::cities_unconfirmed: return "cities_unconfirmed";
        case RefusalKind::fleet_unknown: return "fleet_unknown";
        case RefusalKind::sams_lack_it: return "sams_lack_it";
        case RefusalKind::still_needed: return "still_needed";
        case RefusalKind::step_out_of_order: return "step_out_of_order";
        case RefusalKind::not_deployed_here: return "not_deployed_here";
        case RefusalKind::key_mismatch: return "key_mismatch";
        case RefusalKind::city_outdated: return "city_outdated";
        case RefusalKind::ceremony_unknown: return "ceremony_unknown";
        case RefusalKind::ceremony_finished: return "ceremony_finished";
        case RefusalKind::custodian_not_invited: return "custodian_not_invited";
        case RefusalKind::custodian_missing: return "custodian_missing";
        case RefusalKind::passphrase_repeated: return "passphrase_repeated";
        case RefusalKind::component_exists: return "component_exists";
        case RefusalKind::component_malformed: return "component_malformed";
        case RefusalKind::component_weak: return "component_weak";
        case RefusalKind::component_repeated: return "component_repeated";
        case RefusalKind::component_missing: return "component_missing";
        case RefusalKind::component_foreign: return "component_foreign";
        case RefusalKind::request_refused: return "request_refused";
        case RefusalKind::fingerprint_wrong: return "fingerprint_wrong";
        case RefusalKind::key_certified: return "key_certified";
        case RefusalKind::certificate_unknown: return "certificate_unknown";
        case RefusalKind::already_revoked: return "already_revoked";
        case RefusalKind::certificate_mismatch: return "certificate_mismatch";
        case RefusalKind::certificate_expired: return "certificate_expired";
        case RefusalKind::list_refused: return "list_refused";
    }
    return "unknown";
}

// ---- Stores

std::unexpected<Refusal> store_refusal(const std::string& what, KeyError error) {
    return refuse(RefusalKind::store_failed,
                  what + ": " + crypto::keys::name(error) + ": " + crypto::keys::advice(error));
}

Result<void> check_dual_control(const Custodians& custodians) {
    if (custodians.people.size() >= 2 && custodians.quorum >= 2) return {};
    return refuse(RefusalKind::dual_control_missing,
                  "this store is opened by two people or more: name at least two custodians, and a "
                  "quorum of at least 2");
}

std::string utc_text(std::int64_t unix_ms) {
    const auto when = platform::local_date_time(unix_ms, 0);
    const std::string digits = platform::to_hex(when.bcd());  // YYYYMMDDhhmmss
    return digits.substr(0, 4) + "-" + digits.substr(4, 2) + "-" + digits.substr(6, 2) + "T" +
           digits.substr(8, 2) + ":" + digits.substr(10, 2) + ":" + digits.substr(12, 2) + "Z";
}

std::string utc_text(const protocol::DateTime& utc) {
    return utc_text(platform::unix_ms_of(utc, 0));
}

std::optional<protocol::DateTime> parse_utc(std::string_view text) {
    constexpr std::string_view shape = "0000-00-00T00:00:00Z";
    if (text.size() != shape.size()) return std::nullopt;
    std::string digits;
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] == '0') digits += text[i];
        if (shape[i] != '0' && text[i] != shape[i]) return std::nullopt;
    }
    const auto bcd = platform::from_hex<7>(digits);
    const auto when =
        bcd ? protocol::DateTime::parse(*bcd) : std::unexpected{protocol::ParseError::not_bcd};
    if (!when) return std::nullopt;
    return *when;
}

crypto::keys::Command command(const platform::Clock& clock, std::string name, std::string detail) {
    return {utc_text(clock.unix_ms()), std::move(name), std::move(detail)};
}

namespace {

std::filesystem::path& token_module() {
    static std::filesystem::path module;
    return module;
}
crypto::keys::VaultOpener token_opener() {
    if (token_module().empty()) return {};
    return crypto::keys::pkcs11::vault_opener(token_module());
}

struct ChosenToken {
    std::shared_ptr<crypto::keys::pkcs11::Module> module;
    std::string serial;
};
Result<ChosenToken> choose_token(const std::string& label_or_serial) {
    namespace pkcs11 = crypto::keys::pkcs11;
    if (token_module().empty()) {
        return refuse(RefusalKind::input_wrong, "a token needs its module: --hsm-module FILE");
    }
    const auto refused = [&](const pkcs11::Error& error) {
        return refuse(RefusalKind::store_failed,
                      label_or_serial + ": " + pkcs11::name(error.refusal) + ": " + error.detail);
    };
    const auto module = pkcs11::Module::load(token_module());
    if (!module) return refused(module.error());
    auto info = (*module)->choose({{}, label_or_serial});
    if (!info) info = (*module)->choose({label_or_serial, {}});
    if (!info) return refused(info.error());
    return ChosenToken{*module, info->serial};
}

}  // namespace

void set_token_module(std::filesystem::path module) {
    token_module() = std::move(module);
}

Result<crypto::keys::TokenPlan> plan_token(const std::string& label_or_serial, crypto::Bytes pin) {
    ONECARD_TRY(chosen, choose_token(label_or_serial));
    return crypto::keys::TokenPlan{chosen.serial, pin, token_opener()};
}

Result<std::shared_ptr<crypto::keys::ShareKeeper>> custodian_token(
    const std::string& label_or_serial, crypto::Bytes pin) {
    ONECARD_TRY(chosen, choose_token(label_or_serial));
    return crypto::keys::pkcs11::share_keeper(chosen.module, chosen.serial, pin);
}

void refuse_live_stores() {
    live_stores_refused() = true;
}

Result<std::unique_ptr<KeyStore>> create_store(const std::filesystem::path& path,
                                               const Custodians& custodians, Mark mark,
                                               crypto::keys::Command command,
                                               crypto::Random& random) {
    ONECARD_CHECK(check_memory(path, mark));
    using crypto::keys::DerivationCost;
    using crypto::keys::Purpose;
    const bool rehearsal = mark == Mark::rehearsal;
    auto store = crypto::keys::create_sealed_file(
        path,
        {rehearsal ? Purpose::rehearsal : Purpose::production, custodians.quorum, custodians.people,
         rehearsal ? DerivationCost::rehearsal() : DerivationCost{}, custodians.token},
        std::move(command), random);
    if (!store) return store_refusal(path.string(), store.error());
    return *std::move(store);
}

Result<std::unique_ptr<KeyStore>> open_store(const std::filesystem::path& given,
                                             std::span<const Custodian> present,
                                             crypto::Random& random) {
    // A change replaces the file: of a link, the one that it leads to.
    std::error_code unresolved;
    auto path = std::filesystem::canonical(given, unresolved);
    if (unresolved) path = given;
    auto opening = crypto::keys::StoreOpening::read(path);
    if (!opening) return store_refusal(path.string(), opening.error());
    for (const Custodian& custodian : present) {
        const auto done = opening->present(custodian);
        if (!done) return store_refusal(path.string() + ": " + custodian.name, done.error());
    }
    const auto identity = opening->identity();
    auto store = std::move(*opening).open(random, token_opener());
    if (store) {
        ONECARD_CHECK(check_memory(path, mark_of(**store)));
        return *std::move(store);
    }
    if (store.error() != KeyError::quorum_missing) {
        return store_refusal(path.string(), store.error());
    }
    return store_refusal(path.string() + ": " + std::to_string(present.size()) + " of " +
                             std::to_string(identity.quorum) + " custodians",
                         store.error());
}

Result<std::unique_ptr<KeyStore>> open_store(const std::filesystem::path& path,
                                             crypto::Bytes passphrase, crypto::Random& random) {
    const std::array alone{Custodian{service_custodian, passphrase}};
    return open_store(path, alone, random);
}

Result<StoreChange> StoreChange::begin(KeyStore& store, crypto::keys::Command command) {
    const std::string what = command.name;
    auto change = crypto::keys::Change::begin(store, std::move(command));
    if (!change) return store_refusal(what, change.error());
    return StoreChange{*std::move(change)};
}

Result<void> record(KeyStore& store, crypto::keys::Command command) {
    ONECARD_TRY(change, StoreChange::begin(store, std::move(command)));
    return change.commit();
}

Result<void> StoreChange::commit() {
    const auto done = change_.commit();
    if (!done) return store_refusal("commit", done.error());
    return {};
}

std::optional<ActiveKey> newest_active(const KeyStore& store, const std::string& label, KeyUse use,
                                       Suite suite) {
    std::optional<KeyName> best;
    for (const auto& key : store.list()) {
        const bool fits = key.name.label == label && key.name.use == use &&
                          key.name.algorithm == crypto::keys::algorithm_of(suite) &&
                          key.state == KeyState::active;
        if (fits && (!best || best->version < key.name.version)) best = key.name;
    }
    if (!best) return std::nullopt;
    const auto id = store.find(*best);
    if (!id) return std::nullopt;
    return ActiveKey{*id, best->version};
}

std::vector<ActiveKey> window_of(const KeyStore& store, const std::string& label, KeyUse use,
                                 Suite suite) {
    std::vector<ActiveKey> keys;
    for (const auto& key : store.list()) {
        const bool usable = key.state == KeyState::active || key.state == KeyState::verify_only;
        const bool fits = key.name.label == label && key.name.use == use &&
                          key.name.algorithm == crypto::keys::algorithm_of(suite);
        if (!usable || !fits) continue;
        if (const auto id = store.find(key.name)) keys.push_back({*id, key.name.version});
    }
    std::ranges::sort(keys, std::greater{}, &ActiveKey::version);
    return keys;
}

Result<void> generate_key(KeyStore& store, const KeyName& key, std::size_t size,
                          crypto::Random& random, KeyState state) {
    const auto made = store.generate(key, state, size, random);
    if (!made) return store_refusal(text(key), made.error());
    return {};
}

Result<void> copy_key(const KeyStore& from, KeyStore& to, const KeyName& key, KeyState state) {
    const auto id = from.find(key);
    if (!id) return store_refusal(text(key), id.error());
    const auto described = from.describe(*id);
    if (!described) return store_refusal(text(key), described.error());
    crypto::SecretBytes<256> secret;  // no key of ours is larger: crypto/keys/sealed_file.hpp
    if (described->size > secret.size) {
        return store_refusal(text(key), KeyError::key_size_wrong);
    }
    const auto bytes = secret.bytes().first(described->size);
    const auto revealed = from.reveal(*id, bytes);
    if (!revealed) return store_refusal(text(key), revealed.error());
    return add(to, key, bytes, state);
}

Result<crypto::sm2::PublicKey> generate_sm2(KeyStore& store, const KeyName& key,
                                            crypto::Random& random) {
    const auto pair = crypto::sm2::PrivateKey::generate(random);
    if (!pair) return refuse(RefusalKind::random_failed, crypto::sm2::name(pair.error()));
    ONECARD_CHECK(add(store, key, pair->bytes()));
    return pair->public_key();
}

Result<crypto::sm2::PublicKey> sm2_public(const KeyStore& store, const KeyName& key,
                                          crypto::Random& random) {
    ONECARD_TRY(secret, reveal<crypto::sm2::scalar_size>(store, key));
    const auto pair = crypto::sm2::PrivateKey::load(secret.bytes(), random);
    if (!pair) {
        return refuse(RefusalKind::store_failed,
                      text(key) + ": " + crypto::sm2::name(pair.error()));
    }
    return pair->public_key();
}

Result<void> generate_authority(KeyStore& store, const KeyName& key, crypto::Random& random) {
    return generate_key(store, key, crypto::keys::P256PrivateKey::size, random);
}

Result<crypto::keys::X509Issuer> authority_in(const KeyStore& store, const KeyName& key) {
    const auto id = store.find(key);
    if (!id) return store_refusal(text(key), id.error());
    const auto point = store.p256_public(*id);
    if (!point) return store_refusal(text(key), point.error());
    return crypto::keys::X509Issuer{*point,
                                    [&store, key = *id](const crypto::keys::Sha256Digest& digest)
                                        -> std::optional<crypto::keys::P256Signature> {
                                        const auto signature = store.sign_p256(key, digest);
                                        if (!signature) return std::nullopt;
                                        return *signature;
                                    }};
}

Result<crypto::keys::P256PrivateKey> generate_tls(KeyStore& store, const KeyName& key,
                                                  crypto::Random& random) {
    auto secret = crypto::keys::generate_p256(random);
    ONECARD_CHECK(add(store, key, secret.bytes()));
    return secret;
}

Result<crypto::keys::P256PrivateKey> reveal_tls(const KeyStore& store, const KeyName& key) {
    return reveal<32>(store, key);
}

Result<crypto::purse::PurseKey> reveal_purse(const KeyStore& store, const KeyName& key) {
    ONECARD_TRY(secret, reveal<crypto::purse::key_size>(store, key));
    const Suite suite = key.algorithm == KeyAlgorithm::triple_des ? Suite::triple_des : Suite::sm4;
    return crypto::purse::PurseKey{suite, secret.bytes()};
}

}  // namespace host::keys
