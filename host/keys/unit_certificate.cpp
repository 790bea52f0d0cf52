#include "host/keys/unit_certificate.hpp"

#include <cerrno>

#include <boost/json.hpp>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "crypto/keys/enrolment.hpp"
#include "crypto/keys/x509_der.hpp"
#include "crypto/keys/x509_revocation.hpp"
#include "host/keys/certificate_register.hpp"
#include "host/keys/key_text.hpp"
#include "platform/files.hpp"
#include "platform/tls.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
using crypto::keys::P256PrivateKey;
using crypto::keys::X509Certificate;
using crypto::keys::X509Kind;
using crypto::keys::X509Subject;

constexpr std::size_t small_file_max = 64 * 1024;
constexpr std::uint8_t version_last = 0xFE;

Result<std::string> read_small(const std::filesystem::path& path) {
    auto content = platform::read_text_file(path, small_file_max);
    if (!content) return refuse(RefusalKind::file_failed, content.error().detail);
    return *std::move(content);
}

X509Subject subject_of(const Deployment& deployment) {
    return {platform::name(deployment.role), deployment.organisation, deployment.unit};
}

std::unexpected<Refusal> mismatch(std::string detail) {
    return refuse(RefusalKind::certificate_mismatch, std::move(detail));
}

Result<std::vector<X509Certificate>> read_chain(const std::string& pem, const std::string& what) {
    auto chain = crypto::keys::read_certificates(pem);
    if (chain) return *std::move(chain);
    return refuse(RefusalKind::input_wrong, what + ": " + crypto::keys::name(chain.error()));
}

/// The certificate in use, and its key in the store.
struct InUse {
    X509Certificate certificate;
    KeyName key;
};
Result<InUse> in_use(const Unit& unit) {
    auto chain = crypto::keys::read_certificates(unit.certificate_pem);
    if (!chain) {
        return mismatch((unit.directory / certificate_file).string() + ": " +
                        crypto::keys::name(chain.error()));
    }
    auto key = crypto::keys::find_tls_key(*unit.store, chain->front().key);
    if (!key) {
        return mismatch(unit.directory.string() +
                        ": the store has no key that certificate.pem certifies");
    }
    return InUse{std::move(chain->front()), *std::move(key)};
}

// ---- Requests

std::optional<KeyName> waiting_key(const KeyStore& store) {
    for (const auto& key : crypto::keys::tls_keys(store)) {
        if (key.state == KeyState::planned) return key.name;
    }
    return std::nullopt;
}

/// One above every version there ever was, destroyed ones too.
Result<KeyName> next_name(const KeyStore& store) {
    std::uint8_t last = 0;
    for (const auto& key : store.list()) {
        if (key.name.use == KeyUse::tls_identity) last = std::max(last, key.name.version.value());
    }
    if (last >= version_last) {
        return refuse(RefusalKind::versions_used_up,
                      "this store has had 254 TLS keys: deploy the unit again");
    }
    return crypto::keys::tls_identity(KeyVersion{static_cast<std::uint8_t>(last + 1)});
}

Result<void> set_state(KeyStore& store, const KeyName& key, KeyState state) {
    const auto id = store.find(key);
    const auto done = id ? store.set_state(*id, state) : std::unexpected{id.error()};
    if (!done) return store_refusal(text(key), done.error());
    return {};
}

Result<KeyName> make_key(KeyStore& store, const std::optional<KeyName>& former,
                         crypto::Random& keys, const platform::Clock& clock) {
    ONECARD_TRY(key, next_name(store));
    const P256PrivateKey secret = crypto::keys::generate_p256(keys);
    const auto point = crypto::keys::public_key_of(secret, keys);
    if (!point) return refuse(RefusalKind::random_failed, text(key) + ": out of range, once more");
    const json::object detail{{"key", text(key)}, {"fingerprint", fingerprint_text(*point)}};
    ONECARD_TRY(change, StoreChange::begin(
                            store, command(clock, "certificate-request", json::serialize(detail))));
    if (former) ONECARD_CHECK(set_state(store, *former, KeyState::destroyed));
    const auto added = store.add(key, KeyState::planned, secret.bytes());
    if (!added) return store_refusal(text(key), added.error());
    ONECARD_CHECK(change.commit());
    return key;
}

Result<std::string> write_request(const Unit& unit, const InUse* vouching, const KeyName& key,
                                  const X509Subject& subject, crypto::Random& random,
                                  std::string& fingerprint) {
    ONECARD_TRY(secret, reveal_tls(*unit.store, key));
    const auto point = crypto::keys::public_key_of(secret, random);
    if (!point) return store_refusal(text(key), crypto::keys::KeyError::key_value_wrong);
    fingerprint = crypto::keys::key_fingerprint(*point);
    const crypto::keys::X509Issuer own{*point, crypto::keys::software_signer(secret, random)};
    const auto refused = [&](crypto::keys::X509Error error) {
        return refuse(RefusalKind::certificate_refused, text(subject) + ": " + name(error));
    };
    if (vouching == nullptr) {
        auto pem = crypto::keys::write_enrolment_request(subject, own);
        if (!pem) return refused(pem.error());
        return *std::move(pem);
    }
    ONECARD_TRY(old_secret, reveal_tls(*unit.store, vouching->key));
    auto pem = crypto::keys::write_renewal_request(
        vouching->certificate, own, crypto::keys::software_signer(old_secret, random));
    if (!pem) return refused(pem.error());
    return *std::move(pem);
}

// ---- Installing

/// The unit's certificate below its city's authority, below its root: all of them good now.
Result<void> check_chain(const Unit& unit, const std::vector<X509Certificate>& chain,
                         const protocol::DateTime& now) {
    const X509Subject wanted = subject_of(unit.deployment);
    if (chain.front().kind != X509Kind::unit || chain.front().subject != wanted) {
        return mismatch(text(chain.front().subject) + " is not this unit, " + text(wanted));
    }
    if (chain.size() != 2) return mismatch("not a unit's certificate and its authority's");
    const X509Certificate& authority = chain.back();
    if (authority.subject != authority_subject(unit.deployment.city, unit.deployment.mark) ||
        !chain.front().signed_by(authority)) {
        return mismatch("it is not signed by the authority of city " +
                        city_digits(unit.deployment.city));
    }
    ONECARD_TRY(roots, read_chain(unit.root_pem, (unit.directory / root_file).string()));
    const bool below = std::ranges::any_of(
        roots, [&](const X509Certificate& root) { return authority.signed_by(root); });
    if (!below) return mismatch("its authority is not below this directory's national-root.pem");
    for (const X509Certificate& each : chain) {
        if (each.valid_at(now)) continue;
        return refuse(RefusalKind::certificate_expired, text(each.subject) + " is good from " +
                                                            utc_text(each.not_before) + " to " +
                                                            utc_text(each.not_after));
    }
    return {};
}

/// Nothing when there is no such file.
Result<std::string> present_lists(const std::filesystem::path& file) {
    constexpr std::size_t lists_size_max = std::size_t{16} * 1024 * 1024;
    auto content = platform::read_text_file(file, lists_size_max);
    if (content) return *std::move(content);
    if (content.error().error == platform::FileError::not_found) return std::string{};
    return refuse(RefusalKind::file_failed, content.error().detail);
}

Result<std::vector<crypto::keys::ReadX509List>> read_lists(const std::string& pem,
                                                           const std::string& what) {
    if (pem.empty()) return std::vector<crypto::keys::ReadX509List>{};
    auto lists = crypto::keys::read_x509_revocation_lists(pem);
    if (lists) return *std::move(lists);
    return refuse(RefusalKind::list_refused, what + ": " + name(lists.error()));
}

Result<void> check_not_revoked(const Unit& unit, const X509Certificate& certificate) {
    const auto file = unit.directory / platform::revoked_file_name;
    ONECARD_TRY(pem, present_lists(file));
    ONECARD_TRY(lists, read_lists(pem, file.string()));
    for (const auto& each : lists) {
        if (each.list.issuer == certificate.issuer && each.list.contains(certificate.serial)) {
            return refuse(RefusalKind::already_revoked,
                          serial_text(certificate.serial) + ", by " + file.string());
        }
    }
    return {};
}

/// C1. Nothing is logged when there is nothing to do.
Result<void> take_key(Unit& unit, const KeyName& key, const std::optional<KeyName>& present,
                      const X509Certificate& certificate, const platform::Clock& clock) {
    const auto goes = [&](const crypto::keys::KeyDescription& each) {
        return each.name.version < key.version && each.name != present;
    };
    const auto keys = crypto::keys::tls_keys(*unit.store);
    const auto own = std::ranges::find(keys, key, &crypto::keys::KeyDescription::name);
    if (own->state == KeyState::active && std::ranges::none_of(keys, goes)) return {};
    const json::object detail{{"certificate", serial_text(certificate.serial)},
                              {"fingerprint", fingerprint_text(certificate.key)},
                              {"not_after", utc_text(certificate.not_after)}};
    ONECARD_TRY(change, StoreChange::begin(*unit.store, command(clock, "certificate-install",
                                                                json::serialize(detail))));
    if (own->state == KeyState::planned) {
        ONECARD_CHECK(set_state(*unit.store, key, KeyState::active));
    }
    for (const auto& each : keys) {
        if (goes(each)) ONECARD_CHECK(set_state(*unit.store, each.name, KeyState::destroyed));
    }
    return change.commit();
}

// ---- Lists

/// Another program's `install-crl` waits while it lives: flock(2) on the directory.
class DirectoryLock {
public:
    explicit DirectoryLock(const std::filesystem::path& directory)
        : descriptor_{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {
        while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
        }
    }
    ~DirectoryLock() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;

private:
    int descriptor_;
};

/// Authorities in the same file as a list, below a root that the directory trusts.
std::vector<X509Certificate> authorities_beside(const std::string& pem,
                                                std::span<const X509Certificate> trusted) {
    const auto found = crypto::keys::read_certificates(pem);
    if (!found) return {};
    std::vector<X509Certificate> out;
    for (const X509Certificate& each : *found) {
        const bool below = std::ranges::any_of(trusted, [&](const X509Certificate& root) {
            return root.kind == X509Kind::root && each.signed_by(root);
        });
        if (below && each.kind == X509Kind::authority) out.push_back(each);
    }
    return out;
}

/// `known`: certificates that the directory trusts. A list that none of them signs says nothing,
/// and its number would keep the right one out.
Result<void> check_list(const crypto::keys::ReadX509List& list,
                        std::span<const X509Certificate> known) {
    for (const X509Certificate& authority : known) {
        if (authority.subject != list.list.issuer) continue;
        const auto verified = crypto::keys::verify_x509_revocation_list(list, authority);
        if (!verified) {
            return refuse(RefusalKind::list_refused,
                          "the list of " + text(list.list.issuer) + ": " + name(verified.error()));
        }
        return {};
    }
    return refuse(
        RefusalKind::list_refused,
        "the list of " + text(list.list.issuer) +
            ": put that authority's certificate into the same file, it is not known here");
}

Result<void> merge(std::vector<crypto::keys::ReadX509List>& lists,
                   crypto::keys::ReadX509List list) {
    const auto old = std::ranges::find(
        lists, list.list.issuer, [](const auto& each) -> const auto& { return each.list.issuer; });
    if (old == lists.end()) {
        lists.push_back(std::move(list));
        return {};
    }
    const bool same = old->der == list.der;
    if (!same && list.list.number <= old->list.number) {
        return refuse(RefusalKind::list_refused, "list " + std::to_string(list.list.number) +
                                                     " of " + text(list.list.issuer) + ", number " +
                                                     std::to_string(old->list.number) +
                                                     " is there: programs refuse older ones");
    }
    *old = std::move(list);
    return {};
}

}  // namespace

Result<Unit> open_unit(const std::filesystem::path& directory, crypto::Bytes passphrase,
                       crypto::Random& random) {
    const auto file = directory / deployment_file;
    ONECARD_TRY(description, read_small(file));
    ONECARD_TRY(deployment, parse_deployment(description, file.string()));
    ONECARD_TRY(certificate, read_small(directory / certificate_file));
    ONECARD_TRY(root, read_small(directory / root_file));
    ONECARD_TRY(store, open_store(directory / store_file, passphrase, random));
    if (mark_of(*store) != deployment.mark) {
        return refuse(RefusalKind::mark_mismatch,
                      directory.string() + ": the key store and deployment.json disagree");
    }
    return Unit{directory, std::move(deployment), std::move(store), std::move(certificate),
                std::move(root)};
}

Result<UnitRequest> request_certificate(Unit& unit, const RequestOrder& order, crypto::Random& keys,
                                        crypto::Random& random, const platform::Clock& clock) {
    std::optional<InUse> vouching;
    if (order.renew) {
        ONECARD_TRY(present, in_use(unit));
        if (!present.certificate.valid_at(platform::local_date_time(clock.unix_ms(), 0))) {
            return refuse(RefusalKind::certificate_expired,
                          "the certificate in use is good from " +
                              utc_text(present.certificate.not_before) + " to " +
                              utc_text(present.certificate.not_after) +
                              ": without --renew, and a custodian enrols the unit again");
        }
        vouching = std::move(present);
    }
    const auto waiting = waiting_key(*unit.store);
    UnitRequest out{{}, subject_of(unit.deployment), {}, {}, waiting && !order.again};
    if (out.resumed) {
        out.key = *waiting;
    } else {
        ONECARD_TRY(made, make_key(*unit.store, waiting, keys, clock));
        out.key = std::move(made);
    }
    ONECARD_TRY(pem, write_request(unit, vouching ? &*vouching : nullptr, out.key, out.subject,
                                   random, out.fingerprint));
    out.pem = std::move(pem);
    return out;
}

Result<Installed> install_certificate(Unit& unit, const std::string& pem,
                                      const platform::Clock& clock) {
    ONECARD_TRY(chain, read_chain(pem, "the certificate"));
    ONECARD_CHECK(check_chain(unit, chain, platform::local_date_time(clock.unix_ms(), 0)));
    for (const X509Certificate& each : chain) ONECARD_CHECK(check_not_revoked(unit, each));
    const auto key = crypto::keys::find_tls_key(*unit.store, chain.front().key);
    if (!key) {
        return mismatch(
            "the store has no key that it certifies: it answers another request, or "
            "one before `request --again`");
    }
    ONECARD_TRY(present, in_use(unit));
    if (key->version < present.key.version) {
        return refuse(RefusalKind::step_out_of_order,
                      text(*key) + " is older than the key in use, " + text(present.key));
    }
    ONECARD_CHECK(take_key(unit, *key, present.key, chain.front(), clock));
    // Of the file that came, the two certificates and nothing else: it may hold anything beside.
    std::string content;
    for (const X509Certificate& each : chain) {
        content += crypto::keys::der::to_pem("CERTIFICATE", each.der);
    }
    const bool changed = content != unit.certificate_pem;
    if (changed) {
        const auto written =
            platform::replace_file(unit.directory / certificate_file, std::string_view{content},
                                   platform::FileMode::everyone);
        if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
        unit.certificate_pem = std::move(content);
    }
    return Installed{std::move(chain.front()), *key, changed};
}

Result<std::size_t> install_lists(const std::filesystem::path& directory, const std::string& pem) {
    const auto file = directory / platform::revoked_file_name;
    const DirectoryLock alone{directory};
    ONECARD_TRY(chain_pem, read_small(directory / certificate_file));
    ONECARD_TRY(root_pem, read_small(directory / root_file));
    ONECARD_TRY(known, read_chain(chain_pem + root_pem, directory.string()));
    for (auto& each : authorities_beside(pem, known)) known.push_back(std::move(each));
    ONECARD_TRY(present, present_lists(file));
    ONECARD_TRY(lists, read_lists(present, file.string()));
    ONECARD_TRY(fresh, read_lists(pem, "--list"));
    for (auto& list : fresh) {
        ONECARD_CHECK(check_list(list, known));
        ONECARD_CHECK(merge(lists, std::move(list)));
    }
    std::string content;
    for (const auto& list : lists) content += to_pem(list);
    const auto written =
        platform::replace_file(file, std::string_view{content}, platform::FileMode::everyone);
    if (!written) return refuse(RefusalKind::file_failed, written.error().detail);
    return lists.size();
}

}  // namespace host::keys
