#pragma once
// One TLS connection as a function of bytes: what arrived goes in, what must be sent comes out. It
// owns no socket and no clock, so a test is a list of byte strings. tls_stream.hpp adds the socket.
#include "platform/tls.hpp"

namespace platform {

class TlsEngine {
public:
    explicit TlsEngine(const TlsContext& context);
    ~TlsEngine();
    TlsEngine(TlsEngine&&) noexcept;
    TlsEngine& operator=(TlsEngine&&) noexcept;

    enum class Progress : std::uint8_t {
        done,        ///< the step is finished
        need_input,  ///< send output(), then call again after input()
        ended,       ///< the peer closed in good order (close_notify)
        failed,      ///< send output() (an alert), then give up; refusal() and error_text() say why
    };
    /// To be repeated until it is not `need_input`. No other step before it is `done`.
    [[nodiscard]] Progress handshake();
    /// Plain bytes out; `count` is 0 unless `done`.
    [[nodiscard]] Progress read(protocol::MutableBytes plain, std::size_t& count);
    /// Plain bytes in, at most one record's worth: `count` were taken and are in output().
    [[nodiscard]] Progress write(protocol::Bytes plain, std::size_t& count);
    /// Puts our close_notify into output(). RFC 5246, 7.2.1.
    void close_notify();

    /// What the peer sent.
    void input(protocol::Bytes encrypted);
    /// The peer's stream has ended: no more input will come.
    void input_ended();
    /// What must be sent; valid until the next call of anything else.
    [[nodiscard]] protocol::Bytes output() const;
    void output_sent();

    /// Other revocation lists are in force than when this connection began: it should end, so that
    /// the peer is judged again.
    [[nodiscard]] bool lists_changed() const;
    /// After a successful handshake.
    [[nodiscard]] const PeerIdentity& peer() const;
    /// After a failed one. Never `none` then.
    [[nodiscard]] TlsRefusal refusal() const;
    [[nodiscard]] std::string error_text() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace platform
