#pragma once
// TlsEngine on a socket: a Beast AsyncStream. One operation at a time; time limits are the lower
// layer's (`next_layer().expires_after`). For the room's own .cpp files: Asio is heavy.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include "platform/tls_engine.hpp"

namespace platform {

class TlsStream {
public:
    using executor_type = boost::beast::tcp_stream::executor_type;
    using next_layer_type = boost::beast::tcp_stream;

    TlsStream(boost::beast::tcp_stream&& socket, const TlsContext& context)
        : socket_{std::move(socket)}, engine_{context} {}

    [[nodiscard]] executor_type get_executor() { return socket_.get_executor(); }
    [[nodiscard]] next_layer_type& next_layer() { return socket_; }
    [[nodiscard]] const TlsEngine& engine() const { return engine_; }

    /// `none`: go on.
    boost::asio::awaitable<TlsRefusal> handshake();
    /// Sends our close_notify and ends our direction; then reads and drops what still comes, so
    /// that our last words are not destroyed by a reset (RFC 9112, 9.6). Bounded in bytes, and in
    /// time by the lower layer.
    boost::asio::awaitable<void> shutdown();
    /// The same without close_notify: after a failed handshake, for the alert.
    boost::asio::awaitable<void> linger();

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
            Operation{*this, first_of<boost::asio::mutable_buffer>(buffers), {}, true}, token,
            socket_);
    }
    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_compose<Token, void(boost::system::error_code, std::size_t)>(
            Operation{*this, {}, first_of<boost::asio::const_buffer>(buffers), false}, token,
            socket_);
    }

private:
    static constexpr std::size_t input_size = 16 * 1024 + 512;  // one record, RFC 5246, 6.2.3

    template <class Buffer, class Buffers>
    static Buffer first_of(const Buffers& buffers) {
        const auto end = boost::asio::buffer_sequence_end(buffers);
        for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end; ++it) {
            if (Buffer{*it}.size() > 0) return Buffer{*it};
        }
        return {};
    }

    /// Engine, then output, then input, until the engine is done.
    struct Operation {
        TlsStream& stream;
        boost::asio::mutable_buffer into;
        boost::asio::const_buffer from;
        bool reading;
        enum class Stage : std::uint8_t { start, sending, receiving, posted } stage = Stage::start;
        TlsEngine::Progress progress = TlsEngine::Progress::done;
        std::size_t count = 0;
        bool suspended = false;

        template <class Self>
        void operator()(Self& self, boost::system::error_code error = {}, std::size_t size = 0) {
            switch (stage) {
                case Stage::start: break;
                case Stage::sending:
                    if (error) return self.complete(error, 0);
                    stream.engine_.output_sent();
                    if (progress == TlsEngine::Progress::need_input) return receive(self);
                    return self.complete(stream.code_of(progress), count);
                case Stage::receiving: {
                    if (error == boost::asio::error::eof) {
                        stream.engine_.input_ended();
                    } else if (error) {
                        return self.complete(error, 0);
                    } else {
                        stream.engine_.input({stream.input_.data(), size});
                    }
                    break;
                }
                case Stage::posted: return self.complete(stream.code_of(progress), count);
            }
            progress = step();
            if (!stream.engine_.output().empty()) return send(self);
            if (progress == TlsEngine::Progress::need_input) return receive(self);
            if (suspended) return self.complete(stream.code_of(progress), count);
            // A completion handler never runs inside the function that starts the operation.
            stage = Stage::posted;
            boost::asio::post(stream.get_executor(), std::move(self));
        }

        TlsEngine::Progress step() {
            if (reading) {
                return stream.engine_.read({static_cast<std::uint8_t*>(into.data()), into.size()},
                                           count);
            }
            return stream.engine_.write(
                {static_cast<const std::uint8_t*>(from.data()), from.size()}, count);
        }
        template <class Self>
        void send(Self& self) {
            stage = Stage::sending;
            suspended = true;
            const auto output = stream.engine_.output();
            boost::asio::async_write(
                stream.socket_, boost::asio::buffer(output.data(), output.size()), std::move(self));
        }
        template <class Self>
        void receive(Self& self) {
            stage = Stage::receiving;
            suspended = true;
            stream.socket_.async_read_some(boost::asio::buffer(stream.input_), std::move(self));
        }
    };

    [[nodiscard]] static boost::system::error_code code_of(TlsEngine::Progress progress);
    boost::asio::awaitable<boost::system::error_code> flush();

    boost::beast::tcp_stream socket_;
    TlsEngine engine_;
    std::array<std::uint8_t, input_size> input_{};
};

}  // namespace platform
