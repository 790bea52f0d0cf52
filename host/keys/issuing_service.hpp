#pragma once
// The issuer's side of "Desk to issuer" (docs/online_messages.md): an HTTP handler without sockets,
// threads or a clock. `onecard-keys issuing serve` puts it behind platform's server. Issues chips
// (docs/keys.md, 5) and blocks those that the issuer has given up (docs/issuing.md, 2).
#include <functional>
#include <map>

#include "host/keys/chip_proof.hpp"
#include "host/keys/issue_store.hpp"
#include "platform/http.hpp"

namespace host::keys {

struct IssuingEvent {
    enum class Kind : std::uint8_t { issued, blocked, refused } kind;
    std::string desk;
    std::string number;  ///< masked; empty when no line is known
    std::string detail;
};

class IssuingService {
public:
    /// `keys`, `state` and `random` outlive the service.
    IssuingService(const KeyStore& keys, IssueStore& state, const IssuerPlace& place,
                   crypto::Random& random, std::function<void(const IssuingEvent&)> observer = {});

    /// Not entered twice at once: the server runs it on one worker.
    [[nodiscard]] platform::HttpResponse handle(const platform::HttpRequest& request);

private:
    /// Between two requests of a desk. Lost with the process: the desk begins again.
    struct Session {
        DeskReference who;
        ChipKind kind = ChipKind::card;
        IssueLine line;  ///< to block: known once the chip has said who it is
        enum class Stage : std::uint8_t {
            opening,
            personalising,
            proving,
            locating,     ///< to block: who is it?
            challenging,  ///< to block: waiting for the chip's challenge
            blocking,
        } stage = Stage::opening;
        std::size_t command_count = 0;
        protocol::Mac receipt{};
        ProofChallenge challenge{};
    };
    struct Reply {
        std::string body;
    };
    using Outcome = IssuingResult<Reply>;

    [[nodiscard]] platform::HttpResponse begin(const platform::HttpRequest& request);
    [[nodiscard]] platform::HttpResponse go_on(const platform::HttpRequest& request,
                                               const std::string& id);
    [[nodiscard]] Outcome open_session(const DeskReference& who, ChipKind kind);
    [[nodiscard]] Outcome open_blocking(const DeskReference& who, ChipKind kind);
    [[nodiscard]] std::string keep(Session session);
    [[nodiscard]] Outcome advance(Session& session, std::span<const ResponseBytes> responses);
    [[nodiscard]] Outcome identified(Session& session, std::span<const ResponseBytes> responses);
    [[nodiscard]] Outcome located(Session& session, std::span<const ResponseBytes> responses);
    [[nodiscard]] Outcome challenged(Session& session, std::span<const ResponseBytes> responses);
    [[nodiscard]] Outcome blocked(const Session& session, std::span<const ResponseBytes> responses);
    [[nodiscard]] Outcome ask_for_proof(Session& session);
    [[nodiscard]] Outcome concluded(const Session& session,
                                    std::span<const ResponseBytes> responses);
    [[nodiscard]] Outcome finish(const Session& session);
    [[nodiscard]] platform::HttpResponse answer(const std::string& desk, const Outcome& outcome);

    const KeyStore& keys_;
    IssueStore& state_;
    IssuerPlace place_;
    crypto::Random& random_;
    std::function<void(const IssuingEvent&)> observer_;
    std::map<std::string, Session> sessions_;
};

}  // namespace host::keys
