#include "platform/tls.hpp"

#include <array>
#include <cstdlib>

#include <mbedtls/ecp.h>

#include "platform/tls_state.hpp"

namespace platform {
namespace {

int draw(void* random, unsigned char* out, std::size_t size) {
    static_cast<crypto::Random*>(random)->fill({out, size});
    return 0;
}

/// PEM must be given with its terminating zero: mbedtls/x509_crt.h.
bool parse_pem(const std::string& pem, mbedtls_x509_crt& chain) {
    return mbedtls_x509_crt_parse(&chain, reinterpret_cast<const unsigned char*>(pem.c_str()),
                                  pem.size() + 1) == 0;
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

}  // namespace

TlsContext::State::State(Side side_, const TlsMaterial& material, crypto::Random& random_)
    : side{side_},
      random{random_},
      stale_lists{material.stale_lists},
      revoked_file{material.revoked_file},
      on_reload{material.on_reload} {
    mbedtls_x509_crt_init(&own);
    mbedtls_x509_crt_init(&trusted);
    mbedtls_pk_init(&key);
}

TlsContext::State::~State() {
    mbedtls_x509_crt_free(&own);
    mbedtls_x509_crt_free(&trusted);
    mbedtls_pk_free(&key);  // wipes d
}

std::expected<TlsContext, TlsSetupError> TlsContext::make(Side side, const TlsMaterial& material,
                                                          crypto::Random& random) {
    auto state = std::make_shared<State>(side, material, random);
    if (!parse_pem(material.certificate_pem, state->own)) {
        return std::unexpected{TlsSetupError::certificate_unreadable};
    }
    if (!parse_pem(material.trusted_pem, state->trusted)) {
        return std::unexpected{TlsSetupError::trust_unreadable};
    }
    ONECARD_CHECK(load_key(*state, material.private_key));
    ONECARD_CHECK(load_own_identity(*state));
    const std::scoped_lock lock{state->mutex};
    ONECARD_CHECK(state->install(material.revoked_pem));
    ONECARD_CHECK(state->look_at_file());
    return TlsContext{state};
}

std::expected<void, TlsSetupError> TlsContext::reload_revoked(const std::string& pem) const {
    const std::scoped_lock lock{state_->mutex};
    return state_->install(pem);
}

const PeerIdentity& TlsContext::own_identity() const {
    return state_->own_identity;
}

std::optional<StaleLists> parse_stale_lists(std::string_view word) {
    if (word == "refuse") return StaleLists::refuse;
    if (word == "accept") return StaleLists::accept;
    return std::nullopt;
}

const char* name(TlsSetupError error) {
    switch (error) {
        case TlsSetupError::certificate_unreadable: return "certificate_unreadable";
        case TlsSetupError::trust_unreadable: return "trust_unreadable";
        case TlsSetupError::revocation_unreadable: return "revocation_unreadable";
        case TlsSetupError::revocation_repeated: return "revocation_repeated";
        case TlsSetupError::revocation_forged: return "revocation_forged";
        case TlsSetupError::revocation_rolled_back: return "revocation_rolled_back";
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
            return "the file of revocation lists is not PEM, or holds a list that we do not read: "
                   "fetch it again";
        case TlsSetupError::revocation_repeated:
            return "the file of revocation lists holds two of one authority: keep the newer one";
        case TlsSetupError::revocation_forged:
            return "a revocation list bears an authority's name and not its signature: ask where "
                   "the file comes from, then fetch it again";
        case TlsSetupError::revocation_rolled_back:
            return "a revocation list is missing, or older than the one in force: the one in force "
                   "stays; fetch the newest again";
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
        case TlsRefusal::authority_revoked: return "authority_revoked";
        case TlsRefusal::revocation_list_untrusted: return "revocation_list_untrusted";
        case TlsRefusal::revocation_list_stale: return "revocation_list_stale";
        case TlsRefusal::revocation_list_future: return "revocation_list_future";
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
