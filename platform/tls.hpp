#pragma once
// TLS 1.2 with mutual authentication (mbedTLS 2.28): who we are, whom we trust. P-256, ECDHE-ECDSA
// with AES-GCM only (RFC 5246, RFC 5289). One context serves many connections. Revocation:
// docs/certificates.md, 5.
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "crypto/core/random.hpp"
#include "platform/peer_identity.hpp"

namespace platform {

/// The private key's secret number d, big-endian. NIST P-256 (SEC 2, 2.4.2).
using TlsPrivateKey = crypto::SecretBytes<32>;

/// What a list past its nextUpdate means for a peer whose chain it speaks of.
enum class StaleLists : std::uint8_t {
    refuse,  ///< no connection: nobody knows who has been revoked since
    accept,  ///< its entries stay in force
};
[[nodiscard]] std::optional<StaleLists> parse_stale_lists(std::string_view word);

enum class TlsSetupError : std::uint8_t;
/// The file of revocation lists was read, or was to be.
struct RevocationReload {
    std::optional<TlsSetupError> refusal;  ///< nothing: the lists are in force
    std::size_t list_count = 0;            ///< in force now, whatever happened
    std::size_t entry_count = 0;
    std::string detail;  ///< the refused file, and what is wrong with it
};

/// The lists' file in a deployed directory. docs/keys.md, 3.
inline constexpr const char* revoked_file_name = "revoked.pem";

struct TlsMaterial {
    std::string certificate_pem;  ///< our own certificate, then our city authority's
    TlsPrivateKey private_key;    ///< out of a sealed key store, never from a PEM file
    std::string trusted_pem;      ///< the national root(s)
    std::string revoked_pem;      ///< revocation lists, may be empty
    /// Or a file of them, which may be missing: read when the context is made, and again before a
    /// connection when it has changed.
    std::filesystem::path revoked_file{};
    StaleLists stale_lists = StaleLists::refuse;
    /// Told of each reading of the file, from the thread that begins a connection.
    std::function<void(const RevocationReload&)> on_reload{};
};

enum class TlsSetupError : std::uint8_t {
    certificate_unreadable,  ///< not PEM, or not X.509
    trust_unreadable,        ///< the same of the roots
    revocation_unreadable,   ///< not PEM, not lists, or lists that docs/certificates.md, 4 refuses
    revocation_repeated,     ///< two lists of one authority
    revocation_forged,       ///< not signed by the root or authority of ours that it names
    revocation_rolled_back,  ///< reloading: a list is missing, older than ours, or another of its
                             ///< number
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
    /// Other revocation lists, for connections begun after this. A refusal changes nothing.
    [[nodiscard]] std::expected<void, TlsSetupError> reload_revoked(const std::string& pem) const;

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
    authority_revoked,          ///< the root has revoked the authority that signed it
    revocation_list_untrusted,  ///< the list of an authority in the chain is not that authority's
    revocation_list_stale,      ///< it is past its nextUpdate, and StaleLists::refuse
    revocation_list_future,     ///< its thisUpdate has not come: look at the clocks
    certificate_unsuitable,     ///< weak key or digest, or not for this use
    identity_malformed,         ///< the subject names no role, organisation and unit of ours
    authority_mismatch,         ///< a city's authority vouched for another city's unit
    rejected_by_peer,           ///< the peer sent a fatal alert about us
    no_common_suite,
    not_tls,  ///< bytes that are no TLS record
    closed,   ///< the peer left in the middle
    timeout,
    failed,  ///< anything else, see the text
};
[[nodiscard]] const char* name(TlsRefusal refusal);

}  // namespace platform
