#pragma once
// Sessions of one token, shared by threads, opened and logged in again when they are lost.
// docs/pkcs11.md, "Sessions and threads".
#include <mutex>
#include <optional>
#include <semaphore>
#include <shared_mutex>
#include <type_traits>

#include "crypto/keys/locked_arena.hpp"
#include "crypto/keys/pkcs11/gate.hpp"
#include "crypto/keys/pkcs11/module.hpp"

namespace crypto::keys::pkcs11 {

constexpr std::size_t sessions_max = 64;

/// A session lent to one thread for one operation.
struct Session {
    const CK_FUNCTION_LIST& call;
    CK_SESSION_HANDLE handle;
    std::uint64_t connection;  ///< object handles live as long as this number
};

/// session_lost (CKR_USER_NOT_LOGGED_IN) when nobody is: a token that was logged out hides its
/// private objects instead of refusing them.
[[nodiscard]] Result<void> check_logged_in(const CK_FUNCTION_LIST& call, CK_SESSION_HANDLE session);

enum class Beside : std::uint8_t {
    others,  ///< uses of keys
    nobody,  ///< changes of the token's objects
};
enum class Repeat : std::uint8_t {
    once,   ///< after a new connection: the operation changes nothing on the token
    never,  ///< it may have happened: the caller must look
};

class SessionPool {
public:
    /// Opens up to `sessions` (1..sessions_max) and logs in as CKU_USER. `pin` is copied into
    /// locked memory. Refusals: token_missing to pin_refused, in the order of Refusal.
    [[nodiscard]] static Result<std::unique_ptr<SessionPool>> open(std::shared_ptr<Module> module,
                                                                   const TokenSelection& selection,
                                                                   Bytes pin, std::size_t sessions);
    ~SessionPool();
    SessionPool(const SessionPool&) = delete;
    SessionPool& operator=(const SessionPool&) = delete;

    /// Calls `operation(const Session&)`, which returns some Result<T>, with a session of its own;
    /// renews the connection when the answer says it is lost. `operation` may run twice.
    template <class Operation>
    auto run(Beside beside, Repeat repeat, Operation operation)
        -> std::invoke_result_t<Operation&, const Session&>;

    [[nodiscard]] const TokenInfo& token() const { return token_; }
    [[nodiscard]] std::size_t session_count() const { return wanted_; }
    [[nodiscard]] bool pin_is(Bytes pin) const { return equal_constant_time(pin_, pin); }

private:
    using Permits = std::counting_semaphore<sessions_max>;
    SessionPool(std::shared_ptr<Module> module, TokenInfo token, std::size_t sessions);

    template <class Operation>
    auto attempt(Beside beside, Operation& operation, std::uint64_t& connection)
        -> std::invoke_result_t<Operation&, const Session&>;
    /// Inside the gate. A session whose operation failed may still have it active: `soiled`.
    template <class Operation>
    auto with_session(Operation& operation, std::uint64_t& connection,
                      std::optional<CK_SESSION_HANDLE>& soiled)
        -> std::invoke_result_t<Operation&, const Session&>;

    [[nodiscard]] Result<CK_SESSION_HANDLE> take();
    void put_back(CK_SESSION_HANDLE session);

    [[nodiscard]] Result<void> keep_pin(Bytes pin);
    [[nodiscard]] Result<void> ensure_connected();
    /// A new connection, unless another thread has made one since `connection`.
    [[nodiscard]] Result<void> renew(std::uint64_t connection);
    /// The next call makes a new connection.
    void abandon(std::uint64_t connection);
    void replace(CK_SESSION_HANDLE soiled);
    /// A token that goes in the middle of a call often answers CKR_GENERAL_ERROR or
    /// CKR_DEVICE_ERROR: if its session is gone as well, the error becomes that.
    void tell_loss(CK_SESSION_HANDLE session, Error& error) const;

    // Alone inside the gate:
    enum class Login : std::uint8_t { first, again };
    [[nodiscard]] Result<void> connect(Login login);
    [[nodiscard]] Result<void> open_sessions(Login login);
    [[nodiscard]] Result<CK_SESSION_HANDLE> open_session();
    [[nodiscard]] Result<void> log_in(Login login);
    void disconnect();

    std::shared_ptr<Module> module_;
    TokenInfo token_;
    std::size_t wanted_;
    LockedArena arena_;
    MutableBytes pin_;
    bool logged_in_ = false;
    /// Taken before the gate and kept while its holder puts things right, so that whoever is inside
    /// finds a session and nobody waits for one there.
    Permits permits_{0};
    Gate gate_;
    // Changed alone inside the gate:
    std::vector<CK_SESSION_HANDLE> sessions_;  // none: the token was gone at the last try
    std::uint64_t connection_ = 0;
    std::optional<Error> pin_refusal_;  // the PIN is never sent again
    std::mutex idle_mutex_;
    std::vector<CK_SESSION_HANDLE> idle_;
};

template <class Operation>
auto SessionPool::run(Beside beside, Repeat repeat, Operation operation)
    -> std::invoke_result_t<Operation&, const Session&> {
    ONECARD_CHECK(module_->check_process());
    struct Permit {
        explicit Permit(Permits& from) : permits{from} { permits.acquire(); }
        ~Permit() { permits.release(); }
        Permit(const Permit&) = delete;
        Permit& operator=(const Permit&) = delete;
        Permits& permits;
    } const permit{permits_};
    ONECARD_CHECK(ensure_connected());
    std::uint64_t connection = 0;
    auto result = attempt(beside, operation, connection);
    if (result || !is_connection_loss(result.error().rv)) return result;
    ONECARD_CHECK(renew(connection));
    if (repeat == Repeat::never) return result;
    result = attempt(beside, operation, connection);
    if (!result && is_connection_loss(result.error().rv)) abandon(connection);
    return result;
}

template <class Operation>
auto SessionPool::attempt(Beside beside, Operation& operation, std::uint64_t& connection)
    -> std::invoke_result_t<Operation&, const Session&> {
    std::optional<CK_SESSION_HANDLE> soiled;
    auto result = [&] {
        if (beside == Beside::others) {
            const std::shared_lock together{gate_};
            return with_session(operation, connection, soiled);
        }
        const std::unique_lock alone{gate_};
        return with_session(operation, connection, soiled);
    }();
    if (soiled) replace(*soiled);
    return result;
}

template <class Operation>
auto SessionPool::with_session(Operation& operation, std::uint64_t& connection,
                               std::optional<CK_SESSION_HANDLE>& soiled)
    -> std::invoke_result_t<Operation&, const Session&> {
    connection = connection_;
    ONECARD_TRY(handle, take());
    auto result = operation(Session{module_->call(), handle, connection_});
    if (!result) tell_loss(handle, result.error());
    const bool clean = result || result.error().rv == CKR_OK ||
                       is_connection_loss(result.error().rv);  // renew() closes it then
    if (clean) {
        put_back(handle);
    } else {
        soiled = handle;
    }
    return result;
}

}  // namespace crypto::keys::pkcs11
