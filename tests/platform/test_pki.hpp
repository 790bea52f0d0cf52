#pragma once
// A nation, its cities and their units, made for one test. Everything can be made wrong on purpose.
#include "crypto/keys/x509_revocation.hpp"
#include "crypto/random/seeded_random.hpp"
#include "crypto/random/system_random.hpp"
#include "platform/clock.hpp"
#include "platform/tls.hpp"

namespace platform_test {

inline crypto::SystemRandom& test_random() {
    static crypto::SystemRandom random = crypto::SystemRandom::open().value();
    return random;
}

/// Around the machine's own clock: mbedTLS verifies dates against it.
inline protocol::DateTime utc_days_from_now(int days) {
    return platform::local_date_time(
        platform::SystemClock{}.unix_ms() + std::int64_t{days} * 86'400'000, 0);
}

struct Signer {
    crypto::keys::X509Subject subject;
    crypto::keys::P256PrivateKey key = crypto::keys::generate_p256(test_random());
    std::string certificate{};
};

struct UnitOptions {
    int not_before_days = -1;
    int not_after_days = 1;
    crypto::keys::X509Kind kind = crypto::keys::X509Kind::unit;
};

inline std::string sign(const Signer& signer, const crypto::keys::X509Subject& subject,
                        const crypto::keys::P256PrivateKey& key, UnitOptions options) {
    return crypto::keys::write_certificate(
               {options.kind, subject, signer.subject, crypto::keys::generate_serial(test_random()),
                utc_days_from_now(options.not_before_days),
                utc_days_from_now(options.not_after_days)},
               key, signer.key, test_random())
        .value();
}

inline Signer make_root(const std::string& name = "root") {
    Signer root{{"national-ca", "national", name}};
    root.certificate = sign(root, root.subject, root.key, {-1, 1, crypto::keys::X509Kind::root});
    return root;
}

inline Signer make_authority(const Signer& root, const std::string& city) {
    Signer authority{{"city-ca", city, "authority"}};
    authority.certificate =
        sign(root, authority.subject, authority.key, {-1, 1, crypto::keys::X509Kind::authority});
    return authority;
}

inline platform::TlsMaterial make_unit(const Signer& root, const Signer& authority,
                                       const crypto::keys::X509Subject& subject,
                                       UnitOptions options = {}) {
    platform::TlsMaterial unit;
    unit.private_key = crypto::keys::generate_p256(test_random());
    unit.certificate_pem =
        sign(authority, subject, unit.private_key, options) + authority.certificate;
    unit.trusted_pem = root.certificate;
    return unit;
}

struct ListOptions {
    std::uint64_t number = 1;
    int this_update_days = -1;
    int next_update_days = 1;
};
/// A list of `signer` that names the first certificate of each PEM.
inline std::string revoke(const Signer& signer, const std::vector<std::string>& certificates,
                          ListOptions options = {}) {
    namespace keys = crypto::keys;
    keys::X509RevocationList list{signer.subject,
                                  options.number,
                                  utc_days_from_now(options.this_update_days),
                                  utc_days_from_now(options.next_update_days),
                                  {}};
    for (const std::string& pem : certificates) {
        list.revoked.push_back({keys::read_certificates(pem).value().front().serial,
                                list.this_update, keys::RevocationReason::key_compromise});
    }
    const auto key = keys::public_key_of(signer.key, test_random()).value();
    return keys::write_x509_revocation_list(list,
                                            {key, keys::software_signer(signer.key, test_random())})
        .value();
}

inline const crypto::keys::X509Subject host_subject{"city-host", "3100", "host-3100"};
inline const crypto::keys::X509Subject terminal_subject{"terminal", "0000000000310001",
                                                        "0000000031000101"};

inline platform::TlsContext make_context(platform::TlsContext::Side side,
                                         const platform::TlsMaterial& material) {
    return platform::TlsContext::make(side, material, test_random()).value();
}

/// One city with a host and a terminal: what most tests need.
struct City {
    Signer root = make_root();
    Signer authority = make_authority(root, "3100");
    platform::TlsContext host =
        make_context(platform::TlsContext::Side::server, make_unit(root, authority, host_subject));
    platform::TlsContext terminal = make_context(platform::TlsContext::Side::client,
                                                 make_unit(root, authority, terminal_subject));
};

}  // namespace platform_test
