#include "crypto/keys/pkcs11/session_pool.hpp"

#include <algorithm>

namespace crypto::keys::pkcs11 {

Result<void> check_logged_in(const CK_FUNCTION_LIST& call, CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info{};
    const CK_RV rv = call.C_GetSessionInfo(session, &info);
    if (rv != CKR_OK) return refused("C_GetSessionInfo", rv);
    if (info.state == CKS_RW_USER_FUNCTIONS) return {};
    return refused("C_GetSessionInfo", CKR_USER_NOT_LOGGED_IN);
}

SessionPool::SessionPool(std::shared_ptr<Module> module, TokenInfo token, std::size_t sessions)
    : module_{std::move(module)}, token_{std::move(token)}, wanted_{sessions} {}

Result<std::unique_ptr<SessionPool>> SessionPool::open(std::shared_ptr<Module> module,
                                                       const TokenSelection& selection, Bytes pin,
                                                       std::size_t sessions) {
    ONECARD_TRY(token, module->choose(selection));
    if (!module->claim(token)) return refusal(Refusal::token_in_use, "token " + token.serial);
    // From here on the destructor gives the claim back.
    std::unique_ptr<SessionPool> pool{new SessionPool{
        std::move(module), token, std::clamp<std::size_t>(sessions, 1, sessions_max)}};
    ONECARD_CHECK(pool->keep_pin(pin));
    const std::unique_lock alone{pool->gate_};
    ONECARD_CHECK(pool->connect(Login::first));
    pool->permits_.release(static_cast<std::ptrdiff_t>(pool->wanted_));
    return pool;
}

SessionPool::~SessionPool() {
    // In a child they are the parent's sessions.
    if (module_->check_process()) {
        if (logged_in_ && !sessions_.empty()) {
            static_cast<void>(module_->call().C_Logout(sessions_.front()));
        }
        disconnect();
    }
    module_->release(token_);
}

Result<void> SessionPool::keep_pin(Bytes pin) {
    if (pin.empty()) return refusal(Refusal::pin_refused, "an empty PIN");
    pin_ = arena_.allocate(pin.size());
    if (pin_.empty()) return refusal(Refusal::memory_not_lockable, "for the PIN");
    std::ranges::copy(pin, pin_.begin());
    return {};
}

Result<CK_SESSION_HANDLE> SessionPool::take() {
    const std::lock_guard guard{idle_mutex_};
    // Another thread's new connection failed since we looked.
    if (idle_.empty()) return refused("no session", CKR_SESSION_HANDLE_INVALID);
    const CK_SESSION_HANDLE session = idle_.back();
    idle_.pop_back();
    return session;
}

void SessionPool::put_back(CK_SESSION_HANDLE session) {
    const std::lock_guard guard{idle_mutex_};
    idle_.push_back(session);
}

Result<void> SessionPool::ensure_connected() {
    std::uint64_t connection = 0;
    {
        const std::shared_lock together{gate_};
        if (!sessions_.empty()) return {};
        connection = connection_;
    }
    return renew(connection);
}

Result<void> SessionPool::renew(std::uint64_t connection) {
    const std::unique_lock alone{gate_};
    // Another thread's try since then may have failed: its reason is ours, not "no session".
    if (connection_ != connection && !sessions_.empty()) return {};
    disconnect();
    return connect(Login::again);
}

void SessionPool::abandon(std::uint64_t connection) {
    const std::unique_lock alone{gate_};
    if (connection_ == connection) disconnect();
}

void SessionPool::tell_loss(CK_SESSION_HANDLE session, Error& error) const {
    const bool vague = error.rv == CKR_GENERAL_ERROR || error.rv == CKR_DEVICE_ERROR ||
                       error.rv == CKR_FUNCTION_FAILED;
    if (!vague) return;
    auto state = check_logged_in(module_->call(), session);
    if (!state && is_connection_loss(state.error().rv)) error = std::move(state.error());
}

void SessionPool::replace(CK_SESSION_HANDLE soiled) {
    const std::unique_lock alone{gate_};
    const auto place = std::ranges::find(sessions_, soiled);
    if (place == sessions_.end()) return;  // a new connection has closed it
    // The new one first: closing a token's last session logs out (Base 2.40, 5.6, C_CloseSession).
    const auto fresh = open_session();
    if (!fresh) {
        disconnect();
        static_cast<void>(connect(Login::again));  // if it fails, the next call tries, and says so
        return;
    }
    static_cast<void>(module_->call().C_CloseSession(soiled));
    *place = *fresh;
    put_back(*fresh);
}

Result<void> SessionPool::connect(Login login) {
    if (pin_refusal_) return std::unexpected{*pin_refusal_};
    if (login == Login::again) {
        const auto found = module_->choose({.label = token_.label, .serial = token_.serial});
        if (!found) return refusal(Refusal::device_removed, found.error().detail);
        token_.slot = found->slot;
    }
    auto connected = open_sessions(login);
    if (connected) connected = log_in(login);
    if (!connected) disconnect();
    return connected;
}

Result<CK_SESSION_HANDLE> SessionPool::open_session() {
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    const CK_RV rv = module_->call().C_OpenSession(token_.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION,
                                                   nullptr, nullptr, &session);
    if (rv != CKR_OK) return refused("C_OpenSession", rv);
    return session;
}

Result<void> SessionPool::open_sessions(Login login) {
    while (sessions_.size() < wanted_) {
        const auto session = open_session();
        if (session) {
            sessions_.push_back(*session);
            put_back(*session);
            continue;
        }
        // A token with fewer sessions than we like: as many as it has, but then always so many.
        const bool enough =
            login == Login::first && session.error().rv == CKR_SESSION_COUNT && !sessions_.empty();
        if (!enough) return std::unexpected{session.error()};
        wanted_ = sessions_.size();
    }
    return {};
}

Result<void> SessionPool::log_in(Login login) {
    const CK_RV rv = module_->call().C_Login(sessions_.front(), CKU_USER, pin_.data(), pin_.size());
    if (rv == CKR_USER_ALREADY_LOGGED_IN && login == Login::first) {
        return refusal(Refusal::token_in_use, "C_Login: CKR_USER_ALREADY_LOGGED_IN");
    }
    if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN) {
        logged_in_ = true;
        return {};
    }
    auto error = refused("C_Login", rv).error();
    if (error.refusal == Refusal::pin_wrong) {
        if (const auto now = module_->describe(token_.slot)) {
            error.tries = now->tries;
            if (now->pin_locked) error.refusal = Refusal::pin_locked;
        }
    }
    if (error.refusal == Refusal::pin_wrong || error.refusal == Refusal::pin_locked ||
        error.refusal == Refusal::pin_refused) {
        pin_refusal_ = error;
    }
    return std::unexpected{std::move(error)};
}

void SessionPool::disconnect() {
    for (const CK_SESSION_HANDLE session : sessions_) {
        static_cast<void>(module_->call().C_CloseSession(session));
    }
    sessions_.clear();
    const std::lock_guard guard{idle_mutex_};
    idle_.clear();
    ++connection_;
}

}  // namespace crypto::keys::pkcs11
