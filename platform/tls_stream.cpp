#include "platform/tls_stream.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace platform {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t linger_size_max = 4 * 1024 * 1024;

auto into(error_code& error) {
    return asio::redirect_error(asio::use_awaitable, error);
}

TlsRefusal refusal_of(const error_code& error) {
    return error == boost::beast::error::timeout ? TlsRefusal::timeout : TlsRefusal::closed;
}

}  // namespace

error_code TlsStream::code_of(TlsEngine::Progress progress) {
    switch (progress) {
        case TlsEngine::Progress::done: return {};
        case TlsEngine::Progress::ended: return asio::error::eof;
        case TlsEngine::Progress::need_input:
        case TlsEngine::Progress::failed: return asio::error::connection_reset;
    }
    return asio::error::connection_reset;
}

asio::awaitable<error_code> TlsStream::flush() {
    const auto output = engine_.output();
    error_code error;
    if (output.empty()) co_return error;
    co_await asio::async_write(socket_, asio::buffer(output.data(), output.size()), into(error));
    engine_.output_sent();
    co_return error;
}

asio::awaitable<TlsRefusal> TlsStream::handshake() {
    for (;;) {
        const auto progress = engine_.handshake();
        const error_code sent = co_await flush();
        if (progress == TlsEngine::Progress::failed) co_return engine_.refusal();
        if (sent) co_return refusal_of(sent);
        if (progress == TlsEngine::Progress::done) co_return TlsRefusal::none;
        error_code error;
        const std::size_t size =
            co_await socket_.async_read_some(asio::buffer(input_), into(error));
        if (error == asio::error::eof) {
            engine_.input_ended();
        } else if (error) {
            co_return refusal_of(error);
        } else {
            engine_.input({input_.data(), size});
        }
    }
}

asio::awaitable<void> TlsStream::shutdown() {
    engine_.close_notify();
    co_await flush();
    co_await linger();
}

asio::awaitable<void> TlsStream::linger() {
    error_code error;
    socket_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, error);
    std::size_t dropped = 0;
    while (!error && dropped < linger_size_max) {
        dropped += co_await socket_.async_read_some(asio::buffer(input_), into(error));
    }
    socket_.close();
}

}  // namespace platform
