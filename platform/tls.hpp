#pragma once
// TLS 1.2 with mutual authentication (mbedTLS 2.28): who we are, whom we trust. P-256, ECDHE-ECDSA
// with AES-GCM only (RFC 5246, RFC 5289). One context serves many connections.
#include <expected>
#include <memory>
#include <string>

#include "crypto/core/random.hpp"
#include "platform/peer_identity.hpp"

namespace platform {

/// The private key's secret number d, big-endian. NIST P-256 (SEC 2, 2.4.2).
using TlsPrivateKey = crypto::SecretBytes<32>;

struct TlsMaterial {
    std::string certificate_pem;  ///< our own certificate, then our city authority's
    TlsPrivateKey private_key;    ///< out of a sealed key store, never from a PEM file
    std::string trusted_pem;      ///< the national root(s)
    std::string revoked_pem;      ///< revocation lists, may be empty
};

enum class TlsSetupError : std::uint8_t {
    certificate_unreadable,    ///< not PEM, or not X.509
    trust_unreadable,          ///< the same of the roots
    revocation_unreadable,     ///< the same of the revocation lists
    private_key_out_of_range,  ///< d is not in [1, n-1]
    key_mismatch,              ///< the certificate is another key's
    own_identity_wrong,        ///< our own certificate's subject is not one of ours
    out_of_memory,
};
[[nodiscard]] const char* name(TlsSetupError error);
/// One sentence: what is wrong and what to do about it.
[[nodiscard]] const char* advice(TlsSetupError error);

/// Cheap to copy; every copy is the same context. `random` must outlive all of them and be safe
/// from the threads that use their connections.
class TlsContext {
public:
    enum class Side : std::uint8_t { server, client };
    [[nodiscard]] static std::expected<TlsContext, TlsSetupError> make(Side side,
                                                                       const TlsMaterial& material,
                                                                       crypto::Random& random);
    /// Our own certificate's subject.
    [[nodiscard]] const PeerIdentity& own_identity() const;

    struct State;
    [[nodiscard]] const std::shared_ptr<State>& state() const { return state_; }

private:
    explicit TlsContext(std::shared_ptr<State> state) : state_{std::move(state)} {}
    std::shared_ptr<State> state_;
};

/// Why a handshake ended without a connection.
enum class TlsRefusal : std::uint8_t {
    none,
    certificate_missing,    ///< the peer showed none
    certificate_untrusted,  ///< not signed below our roots
    certificate_expired,    ///< or its authority's
    certificate_future,     ///< not valid yet: look at the clocks
    certificate_revoked,
    certificate_unsuitable,  ///< weak key or digest, or not for this use
    identity_malformed,      ///< the subject names no role, organisation and unit of ours
    authority_mismatch,      ///< a city's authority vouched for another city's unit
    rejected_by_peer,        ///< the peer sent a fatal alert about us
    no_common_suite,
    not_tls,  ///< bytes that are no TLS record
    closed,   ///< the peer left in the middle
    timeout,
    failed,  ///< anything else, see the text
};
[[nodiscard]] const char* name(TlsRefusal refusal);

}  // namespace platform
