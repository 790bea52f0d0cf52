#include "platform/tls_engine.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include <mbedtls/error.h>

#include "platform/tls_state.hpp"

namespace platform {
namespace {

constexpr std::uint32_t unreliable_list = MBEDTLS_X509_BADCRL_NOT_TRUSTED |
                                          MBEDTLS_X509_BADCRL_BAD_MD | MBEDTLS_X509_BADCRL_BAD_PK |
                                          MBEDTLS_X509_BADCRL_BAD_KEY;
constexpr std::size_t record_size_max = 16 * 1024;  // RFC 5246, 6.2.1

TlsRefusal refusal_of_flags(std::uint32_t flags) {
    if (flags & MBEDTLS_X509_BADCERT_MISSING) return TlsRefusal::certificate_missing;
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED) return TlsRefusal::certificate_untrusted;
    if (flags & MBEDTLS_X509_BADCERT_REVOKED) return TlsRefusal::certificate_revoked;
    if (flags & unreliable_list) return TlsRefusal::revocation_list_untrusted;
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED) return TlsRefusal::certificate_expired;
    if (flags & MBEDTLS_X509_BADCERT_FUTURE) return TlsRefusal::certificate_future;
    if (flags & MBEDTLS_X509_BADCRL_EXPIRED) return TlsRefusal::revocation_list_stale;
    if (flags & MBEDTLS_X509_BADCRL_FUTURE) return TlsRefusal::revocation_list_future;
    return TlsRefusal::certificate_unsuitable;
}

TlsRefusal refusal_of_code(int code) {
    switch (code) {
        case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE: return TlsRefusal::certificate_missing;
        case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE: return TlsRefusal::rejected_by_peer;
        case MBEDTLS_ERR_SSL_NO_CIPHER_CHOSEN:
        case MBEDTLS_ERR_SSL_NO_USABLE_CIPHERSUITE:
        case MBEDTLS_ERR_SSL_BAD_HS_PROTOCOL_VERSION: return TlsRefusal::no_common_suite;
        case MBEDTLS_ERR_SSL_INVALID_RECORD:
        case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        case MBEDTLS_ERR_SSL_BAD_HS_CLIENT_HELLO: return TlsRefusal::not_tls;
        case MBEDTLS_ERR_SSL_CONN_EOF:
        case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return TlsRefusal::closed;
        default: return TlsRefusal::failed;
    }
}

}  // namespace

struct TlsEngine::State {
    explicit State(std::shared_ptr<TlsContext::State> context_)
        : context{std::move(context_)}, revision{context->current()} {
        mbedtls_ssl_init(&ssl);
        if (mbedtls_ssl_setup(&ssl, &revision->config) != 0) std::abort();  // out of memory
        mbedtls_ssl_set_bio(&ssl, this, send, receive, nullptr);
        mbedtls_ssl_set_verify(&ssl, judge, this);
    }
    ~State() { mbedtls_ssl_free(&ssl); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    static int send(void* self, const unsigned char* bytes, std::size_t size) {
        auto& out = static_cast<State*>(self)->out;
        out.insert(out.end(), bytes, bytes + size);
        return static_cast<int>(size);
    }
    static int receive(void* self, unsigned char* bytes, std::size_t size) {
        auto& state = *static_cast<State*>(self);
        const std::size_t waiting = state.in.size() - state.in_used;
        if (waiting == 0) return state.in_ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
        const std::size_t count = std::min(size, waiting);
        std::copy_n(state.in.begin() + static_cast<std::ptrdiff_t>(state.in_used), count, bytes);
        state.in_used += count;
        return static_cast<int>(count);
    }

    /// Called for each certificate of the verified chain, root first. RFC 5280, 6.
    static int judge(void* self, mbedtls_x509_crt* certificate, int depth, std::uint32_t* flags) {
        auto& state = *static_cast<State*>(self);
        if (state.context->stale_lists == StaleLists::accept) {
            *flags &= ~std::uint32_t{MBEDTLS_X509_BADCRL_EXPIRED};
        }
        if (depth > 0 && (*flags & MBEDTLS_X509_BADCERT_REVOKED)) state.authority_revoked = true;
        if (depth == 1) {
            const auto city = parse_authority(certificate->subject);
            state.authority_city = city.value_or("");
        }
        if (depth != 0) return 0;
        auto identity = parse_subject(certificate->subject);
        if (identity) identity->city = state.authority_city;
        if (!identity || identity->city.empty()) {
            state.identity_refusal = TlsRefusal::identity_malformed;
        } else if (!authority_may_vouch(*identity)) {
            state.identity_refusal = TlsRefusal::authority_mismatch;
        } else {
            state.peer = *std::move(identity);
            return 0;
        }
        *flags |= MBEDTLS_X509_BADCERT_OTHER;  // refuses the handshake with an alert
        return 0;
    }

    /// Only what is wrong beside the identity itself: a foreign certificate is named first as such.
    [[nodiscard]] TlsRefusal reason(int code) {
        if (code != MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) return refusal_of_code(code);
        const std::uint32_t flags = mbedtls_ssl_get_verify_result(&ssl);
        const std::uint32_t others = flags & ~std::uint32_t{MBEDTLS_X509_BADCERT_OTHER};
        if (others == 0) return identity_refusal;
        const TlsRefusal refused = refusal_of_flags(others);
        return refused == TlsRefusal::certificate_revoked && authority_revoked
                   ? TlsRefusal::authority_revoked
                   : refused;
    }

    [[nodiscard]] Progress progress(int code) {
        if (code >= 0) return Progress::done;
        if (code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE) {
            return Progress::need_input;
        }
        error = code;
        return Progress::failed;
    }

    std::shared_ptr<TlsContext::State> context;
    std::shared_ptr<const TlsRevision> revision;
    mbedtls_ssl_context ssl{};
    std::vector<std::uint8_t> in;
    std::size_t in_used = 0;
    bool in_ended = false;
    std::vector<std::uint8_t> out;
    std::string authority_city;
    bool authority_revoked = false;
    PeerIdentity peer;
    TlsRefusal identity_refusal = TlsRefusal::none;
    TlsRefusal refusal = TlsRefusal::none;
    int error = 0;
};

TlsEngine::TlsEngine(const TlsContext& context)
    : state_{std::make_unique<State>(context.state())} {}
TlsEngine::~TlsEngine() = default;
TlsEngine::TlsEngine(TlsEngine&&) noexcept = default;
TlsEngine& TlsEngine::operator=(TlsEngine&&) noexcept = default;

TlsEngine::Progress TlsEngine::handshake() {
    const int code = mbedtls_ssl_handshake(&state_->ssl);
    const Progress progress = state_->progress(code);
    if (progress == Progress::failed) state_->refusal = state_->reason(code);
    return progress;
}

TlsEngine::Progress TlsEngine::read(protocol::MutableBytes plain, std::size_t& count) {
    count = 0;
    const int code = mbedtls_ssl_read(&state_->ssl, plain.data(), plain.size());
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return Progress::ended;
    if (code == 0 && !plain.empty()) {  // the stream ended without close_notify: cut off
        state_->error = MBEDTLS_ERR_SSL_CONN_EOF;
        return Progress::failed;
    }
    if (code > 0) count = static_cast<std::size_t>(code);
    return state_->progress(code);
}

TlsEngine::Progress TlsEngine::write(protocol::Bytes plain, std::size_t& count) {
    count = 0;
    if (plain.empty()) return Progress::done;
    const int code =
        mbedtls_ssl_write(&state_->ssl, plain.data(), std::min(plain.size(), record_size_max));
    if (code > 0) count = static_cast<std::size_t>(code);
    return state_->progress(code);
}

void TlsEngine::close_notify() {
    mbedtls_ssl_close_notify(&state_->ssl);
}

void TlsEngine::input(protocol::Bytes encrypted) {
    auto& in = state_->in;
    in.erase(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(state_->in_used));
    state_->in_used = 0;
    in.insert(in.end(), encrypted.begin(), encrypted.end());
}

void TlsEngine::input_ended() {
    state_->in_ended = true;
}

protocol::Bytes TlsEngine::output() const {
    return state_->out;
}

void TlsEngine::output_sent() {
    state_->out.clear();
}

bool TlsEngine::lists_changed() const {
    return state_->revision != state_->context->current();
}

const PeerIdentity& TlsEngine::peer() const {
    return state_->peer;
}

TlsRefusal TlsEngine::refusal() const {
    return state_->refusal;
}

std::string TlsEngine::error_text() const {
    std::array<char, 160> text{};
    mbedtls_strerror(state_->error, text.data(), text.size());
    return text.data();
}

}  // namespace platform
