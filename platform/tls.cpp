#include "platform/tls.hpp"

#include <array>
#include <cstdlib>

#include <mbedtls/ecp.h>

#include "platform/tls_state.hpp"

namespace platform {
namespace {

// RFC 5289, 3.2; the order is our preference.
constexpr std::array<int, 3> suites{MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                                    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, 0};
constexpr std::array<mbedtls_ecp_group_id, 2> curves{MBEDTLS_ECP_DP_SECP256R1, MBEDTLS_ECP_DP_NONE};
constexpr std::array<int, 3> digests{MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384, MBEDTLS_MD_NONE};
constexpr mbedtls_x509_crt_profile certificate_profile{
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) | MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECKEY) | MBEDTLS_X509_ID_FLAG(MBEDTLS_PK_ECDSA),
    MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1), 0};

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<crypto::Random*>(random)->fill({out, size});
    return 0;
}

/// PEM must be given with its terminating zero: mbedtls/x509_crt.h.
template <class Chain, class Parse>
bool parse_pem(const std::string& pem, Chain& chain, Parse parse) {
    return parse(&chain, reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1) == 0;
}

/// Q = dG (SEC 1, 3.2.1), blinded by `random`.
std::expected<void, TlsSetupError> load_key(TlsContext::State& state, const TlsPrivateKey& d) {
    if (mbedtls_pk_setup(&state.key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)) != 0) {
        return std::unexpected{TlsSetupError::out_of_memory};
    }
    mbedtls_ecp_keypair& pair = *mbedtls_pk_ec(state.key);
    const auto bytes = d.bytes();
    if (mbedtls_ecp_group_load(&pair.grp, MBEDTLS_ECP_DP_SECP256R1) != 0 ||
        mbedtls_mpi_read_binary(&pair.d, bytes.data(), bytes.size()) != 0) {
        return std::unexpected{TlsSetupError::out_of_memory};
    }
    if (mbedtls_ecp_check_privkey(&pair.grp, &pair.d) != 0) {
        return std::unexpected{TlsSetupError::private_key_out_of_range};
    }
    if (mbedtls_ecp_mul(&pair.grp, &pair.Q, &pair.d, &pair.grp.G, draw, &state.random) != 0) {
        return std::unexpected{TlsSetupError::out_of_memory};
    }
    return {};
}

/// Our own certificate must be one that a peer would take.
std::expected<void, TlsSetupError> load_own_identity(TlsContext::State& state) {
    if (mbedtls_pk_check_pair(&state.own.pk, &state.key) != 0) {
        return std::unexpected{TlsSetupError::key_mismatch};
    }
    auto identity = parse_subject(state.own.subject);
    if (!identity || state.own.next == nullptr) {
        return std::unexpected{TlsSetupError::own_identity_wrong};
    }
    const auto city = parse_authority(state.own.next->subject);
    if (!city) return std::unexpected{TlsSetupError::own_identity_wrong};
    identity->city = *city;
    if (!authority_may_vouch(*identity)) return std::unexpected{TlsSetupError::own_identity_wrong};
    state.own_identity = *std::move(identity);
    return {};
}

std::expected<void, TlsSetupError> configure(TlsContext::State& state, TlsContext::Side side) {
    mbedtls_ssl_config& config = state.config;
    const int endpoint =
        side == TlsContext::Side::server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    if (mbedtls_ssl_config_defaults(&config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ssl_conf_own_cert(&config, &state.own, &state.key) != 0) {
        return std::unexpected{TlsSetupError::out_of_memory};
    }
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(&config, suites.data());
    mbedtls_ssl_conf_curves(&config, curves.data());
    mbedtls_ssl_conf_sig_hashes(&config, digests.data());
    mbedtls_ssl_conf_cert_profile(&config, &certificate_profile);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &state.trusted,
                              state.revoked.version != 0 ? &state.revoked : nullptr);
    mbedtls_ssl_conf_rng(&config, draw, &state.random);
    mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    if (side == TlsContext::Side::client) {
        mbedtls_ssl_conf_session_tickets(&config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    }
    return {};
}

}  // namespace

TlsContext::State::State(crypto::Random& random_) : random{random_} {
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&trusted);
    mbedtls_x509_crl_init(&revoked);
    mbedtls_pk_init(&key);
}

TlsContext::State::~State() {
    mbedtls_ssl_config_free(&config);
    mbedtls_x509_crt_free(&own);
    mbedtls_x509_crt_free(&trusted);
    mbedtls_x509_crl_free(&revoked);
    mbedtls_pk_free(&key);  // wipes d
}

std::expected<TlsContext, TlsSetupError> TlsContext::make(Side side, const TlsMaterial& material,
                                                          crypto::Random& random) {
    auto state = std::make_shared<State>(random);
    if (!parse_pem(material.certificate_pem, state->own, mbedtls_x509_crt_parse)) {
        return std::unexpected{TlsSetupError::certificate_unreadable};
    }
    if (!parse_pem(material.trusted_pem, state->trusted, mbedtls_x509_crt_parse)) {
        return std::unexpected{TlsSetupError::trust_unreadable};
    }
    if (!material.revoked_pem.empty() &&
        !parse_pem(material.revoked_pem, state->revoked, mbedtls_x509_crl_parse)) {
        return std::unexpected{TlsSetupError::revocation_unreadable};
    }
    ONECARD_CHECK(load_key(*state, material.private_key));
    ONECARD_CHECK(load_own_identity(*state));
    ONECARD_CHECK(configure(*state, side));
    return TlsContext{std::move(state)};
}

const PeerIdentity& TlsContext::own_identity() const {
    return state_->own_identity;
}

const char* name(TlsSetupError error) {
    switch (error) {
        case TlsSetupError::certificate_unreadable: return "certificate_unreadable";
        case TlsSetupError::trust_unreadable: return "trust_unreadable";
        case TlsSetupError::revocation_unreadable: return "revocation_unreadable";
        case TlsSetupError::private_key_out_of_range: return "private_key_out_of_range";
        case TlsSetupError::key_mismatch: return "key_mismatch";
        case TlsSetupError::own_identity_wrong: return "own_identity_wrong";
        case TlsSetupError::out_of_memory: return "out_of_memory";
    }
    return "unknown";
}

const char* advice(TlsSetupError error) {
    switch (error) {
        case TlsSetupError::certificate_unreadable:
            return "the certificate file is not PEM X.509: deploy it again with onecard-keys";
        case TlsSetupError::trust_unreadable:
            return "the file of the national root is not PEM X.509: deploy it again";
        case TlsSetupError::revocation_unreadable:
            return "the file of revocation lists is not PEM X.509: fetch it again";
        case TlsSetupError::private_key_out_of_range:
            return "the key store's TLS key is not a P-256 private key: deploy again";
        case TlsSetupError::key_mismatch:
            return "the certificate belongs to another key than the key store's: deploy both "
                   "together";
        case TlsSetupError::own_identity_wrong:
            return "our certificate names no role of this system, or its city authority's "
                   "certificate does not follow it in the file";
        case TlsSetupError::out_of_memory: return "out of memory";
    }
    return "unknown";
}

const char* name(TlsRefusal refusal) {
    switch (refusal) {
        case TlsRefusal::none: return "none";
        case TlsRefusal::certificate_missing: return "certificate_missing";
        case TlsRefusal::certificate_untrusted: return "certificate_untrusted";
        case TlsRefusal::certificate_expired: return "certificate_expired";
        case TlsRefusal::certificate_future: return "certificate_future";
        case TlsRefusal::certificate_revoked: return "certificate_revoked";
        case TlsRefusal::certificate_unsuitable: return "certificate_unsuitable";
        case TlsRefusal::identity_malformed: return "identity_malformed";
        case TlsRefusal::authority_mismatch: return "authority_mismatch";
        case TlsRefusal::rejected_by_peer: return "rejected_by_peer";
        case TlsRefusal::no_common_suite: return "no_common_suite";
        case TlsRefusal::not_tls: return "not_tls";
        case TlsRefusal::closed: return "closed";
        case TlsRefusal::timeout: return "timeout";
        case TlsRefusal::failed: return "failed";
    }
    return "unknown";
}

}  // namespace platform
