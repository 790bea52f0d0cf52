#pragma once
// A unit's side of its certificate: the request of a new key, and the certificate that answers it.
// docs/certificates.md, 6.
#include "crypto/keys/tls_key.hpp"
#include "host/keys/deployment.hpp"

namespace host::keys {

/// A deployed directory with its store, which one program opens alone.
struct Unit {
    std::filesystem::path directory;
    Deployment deployment;
    std::unique_ptr<KeyStore> store;
    std::string certificate_pem;  ///< as it is now
    std::string root_pem;
};
/// `mark_mismatch`: the store and deployment.json disagree.
[[nodiscard]] Result<Unit> open_unit(const std::filesystem::path& directory,
                                     crypto::Bytes passphrase, crypto::Random& random);

struct RequestOrder {
    bool renew = false;  ///< vouched for by the key in use
    bool again = false;  ///< another key than the one that waits already, which is destroyed
};
struct UnitRequest {
    std::string pem;  ///< PKCS#10; of a renewal the three blocks
    crypto::keys::X509Subject subject;
    std::string fingerprint;  ///< to be read out: with spaces
    KeyName key;
    bool resumed = false;  ///< the key was waiting already
};
/// The next key, planned beside the one in use, durable before anyone hears of it; the same one
/// when asked again. Of an old one nothing changes. `keys`: where the new key comes from.
/// Refusals in this order: certificate_mismatch, certificate_expired (renewals), versions_used_up,
/// store_failed.
[[nodiscard]] Result<UnitRequest> request_certificate(Unit& unit, const RequestOrder& order,
                                                      crypto::Random& keys, crypto::Random& random,
                                                      const platform::Clock& clock);

struct Installed {
    crypto::keys::X509Certificate certificate;
    KeyName key;
    bool changed = false;  ///< false: it was installed already
};
/// Two steps, and a program that starts between them or after a kill has a pair that fits:
/// C1. The store: the certificate's key becomes active; the key of certificate.pem stays; older
///     ones are destroyed.
/// C2. certificate.pem is replaced, and programs take the new key.
/// Repeating ends what was interrupted.
/// Refusals in this order: input_wrong, certificate_mismatch, certificate_expired,
/// already_revoked (by the directory's own lists), step_out_of_order (its key is older than the one
/// in use), store_failed, file_failed.
[[nodiscard]] Result<Installed> install_certificate(Unit& unit, const std::string& pem,
                                                    const platform::Clock& clock);

/// Puts revocation lists into a deployed directory's revoked.pem, in one step: each in the place of
/// its authority's older one. Needs no passphrase. Answers how many lists are there then.
/// `list_refused`: not lists of ours, an older number, not signed by an authority that the
/// directory knows (its root, its city's authority; other cities' are checked in the handshake).
[[nodiscard]] Result<std::size_t> install_lists(const std::filesystem::path& directory,
                                                const std::string& pem);

}  // namespace host::keys
