// What a connection is begun with: the configuration and the revocation lists in force.
// docs/certificates.md, 5.
#include <algorithm>

#include "crypto/keys/x509_reader.hpp"
#include "platform/tls_state.hpp"

namespace platform {
namespace {

using crypto::keys::ReadX509List;
using Lists = std::vector<ReadX509List>;
using Outcome = std::expected<void, TlsSetupError>;

constexpr std::size_t file_size_max = std::size_t{32} * 1024 * 1024;

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

std::unexpected<TlsSetupError> refuse(TlsSetupError error) {
    return std::unexpected{error};
}

Outcome configure(TlsRevision& revision, TlsContext::State& state) {
    mbedtls_ssl_config& config = revision.config;
    const bool server = state.side == TlsContext::Side::server;
    const int endpoint = server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT;
    if (mbedtls_ssl_config_defaults(&config, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ssl_conf_own_cert(&config, &state.own, &state.key) != 0) {
        return refuse(TlsSetupError::out_of_memory);
    }
    mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_ciphersuites(&config, suites.data());
    mbedtls_ssl_conf_curves(&config, curves.data());
    mbedtls_ssl_conf_sig_hashes(&config, digests.data());
    mbedtls_ssl_conf_cert_profile(&config, &certificate_profile);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &state.trusted,
                              revision.lists.empty() ? nullptr : &revision.revoked);
    mbedtls_ssl_conf_rng(&config, draw, &state.random);
    mbedtls_ssl_conf_renegotiation(&config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    if (!server) {
        mbedtls_ssl_conf_session_tickets(&config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    }
    return {};
}

/// Certificates at hand, as far as they are of our form.
std::vector<crypto::keys::X509Certificate> known(const TlsContext::State& state) {
    std::vector<crypto::keys::X509Certificate> out;
    for (const mbedtls_x509_crt* first : {&state.trusted, &state.own}) {
        for (const mbedtls_x509_crt* one = first; one != nullptr; one = one->next) {
            auto read = crypto::keys::parse_certificate({one->raw.p, one->raw.len});
            if (read) out.push_back(*std::move(read));
        }
    }
    return out;
}

/// The name of an authority that we know, under none of its keys.
bool is_forged(const ReadX509List& list,
               const std::vector<crypto::keys::X509Certificate>& certificates) {
    bool named = false;
    for (const auto& certificate : certificates) {
        if (certificate.subject != list.list.issuer) continue;
        if (verify_x509_revocation_list(list, certificate)) return false;
        named = true;
    }
    return named;
}

/// Each list in force is there again: the same one, or a later one.
bool goes_on(const Lists& old_lists, const Lists& new_lists) {
    return std::ranges::all_of(old_lists, [&](const ReadX509List& old) {
        return std::ranges::any_of(new_lists, [&](const ReadX509List& one) {
            return one.list.issuer == old.list.issuer &&
                   (one.list.number > old.list.number || one.der == old.der);
        });
    });
}

Outcome check(const Lists& lists, const TlsContext::State& state) {
    for (std::size_t i = 0; i < lists.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (lists[i].list.issuer == lists[j].list.issuer) {
                return refuse(TlsSetupError::revocation_repeated);
            }
        }
    }
    const auto certificates = known(state);
    for (const ReadX509List& list : lists) {
        if (is_forged(list, certificates)) return refuse(TlsSetupError::revocation_forged);
    }
    if (state.revision && !goes_on(state.revision->lists, lists)) {
        return refuse(TlsSetupError::revocation_rolled_back);
    }
    return {};
}

Outcome load(TlsRevision& revision, Lists lists) {
    for (const ReadX509List& list : lists) {
        if (mbedtls_x509_crl_parse_der(&revision.revoked, list.der.data(), list.der.size()) != 0) {
            return refuse(TlsSetupError::revocation_unreadable);
        }
    }
    revision.lists = std::move(lists);
    return {};
}

/// Tells the program, and answers the outcome.
Outcome report(const TlsContext::State& state, Outcome outcome, std::string detail = {}) {
    if (!state.on_reload) return outcome;
    RevocationReload event;
    if (!outcome) event.refusal = outcome.error();
    for (const ReadX509List& list : state.revision->lists) {
        ++event.list_count;
        event.entry_count += list.list.revoked.size();
    }
    event.detail = std::move(detail);
    state.on_reload(event);
    return outcome;
}

}  // namespace

TlsRevision::TlsRevision() {
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crl_init(&revoked);
}

TlsRevision::~TlsRevision() {
    mbedtls_ssl_config_free(&config);
    mbedtls_x509_crl_free(&revoked);
}

Outcome TlsContext::State::install(const std::string& pem) {
    Lists lists;
    if (!pem.empty()) {
        auto read = crypto::keys::read_x509_revocation_lists(pem);
        if (!read) return refuse(TlsSetupError::revocation_unreadable);
        lists = *std::move(read);
    }
    ONECARD_CHECK(check(lists, *this));
    auto next = std::make_shared<TlsRevision>();
    ONECARD_CHECK(load(*next, std::move(lists)));
    ONECARD_CHECK(configure(*next, *this));
    revision = std::move(next);
    return {};
}

Outcome TlsContext::State::look_at_file() {
    if (revoked_file.empty()) return {};
    const auto now = file_stamp(revoked_file);
    if (now == stamp) return {};
    stamp = now;
    if (!now) {  // there was one
        if (revision->lists.empty()) return {};
        return report(*this, refuse(TlsSetupError::revocation_rolled_back),
                      revoked_file.string() + ": gone");
    }
    const auto text = read_text_file(revoked_file, file_size_max);
    if (!text) {
        return report(*this, refuse(TlsSetupError::revocation_unreadable), text.error().detail);
    }
    const auto outcome = install(*text);
    return report(*this, outcome, revoked_file.string());
}

std::shared_ptr<const TlsRevision> TlsContext::State::current() {
    const std::scoped_lock lock{mutex};
    (void)look_at_file();  // refused: reported, and what is in force stays
    return revision;
}

}  // namespace platform
