#include "terminal/desk/desk.hpp"

#include <boost/json.hpp>

#include "platform/mask.hpp"
#include "terminal/upload/host_answers.hpp"

namespace terminal {

namespace json = boost::json;

namespace {

constexpr unsigned http_ok = 200;  // RFC 9110, 15.3.1
constexpr std::size_t commands_max = 256;
constexpr unsigned rounds_max = 16;

std::unexpected<std::string> wrong(const char* what) {
    return std::unexpected<std::string>{what};
}
std::string text_of(const json::string& text) {
    return {text.data(), text.size()};
}

class Session {
public:
    Session(CardLink& chip, platform::HttpChannel& issuer) : chip_{chip}, issuer_{issuer} {}

    DeskReport run(const json::object& opening) {
        auto step = ask("/v1/issuing/sessions", opening);
        if (step && !step->done && step->session.empty()) {
            fail(DeskRefusal::answer_malformed, "session missing");
        }
        const std::string target = step ? "/v1/issuing/sessions/" + step->session : "";
        for (unsigned round = 0; step && failed_.refusal == DeskRefusal::none; ++round) {
            if (step->done) {
                failed_.number = step->number;
                return failed_;
            }
            if (round == rounds_max) fail(DeskRefusal::too_many_rounds, "");
            const auto responses = carry(step->commands);
            if (!responses) break;
            step = ask(target, {{"responses", *responses}});
        }
        return failed_;
    }

private:
    void fail(DeskRefusal refusal, std::string detail) {
        failed_.refusal = refusal;
        failed_.detail = std::move(detail);
    }
    /// Up to the first refusal of the chip: the issuer says what it means.
    std::optional<json::array> carry(const std::vector<std::vector<std::uint8_t>>& commands) {
        json::array responses;
        for (const auto& command : commands) {
            const auto response = chip_.transmit(command);
            ++failed_.commands;
            if (!response) {
                fail(DeskRefusal::chip_gone, name(response.error()));
                return std::nullopt;
            }
            responses.emplace_back(platform::to_hex(*response));
            const auto answer = protocol::ResponseApdu::parse(*response);
            if (!answer || !answer->ok()) break;
        }
        return responses;
    }
    std::optional<IssuingStep> ask(const std::string& target, const json::object& body) {
        platform::HttpRequest request;
        request.method = platform::HttpMethod::post;
        request.target = target;
        request.headers.set("Content-Type", "application/json");
        request.body = json::serialize(body);
        const auto response = issuer_.call(request);
        if (!response) {
            fail(DeskRefusal::issuer_unreachable,
                 std::string{name(response.error().error)} + ": " + response.error().detail);
            return std::nullopt;
        }
        if (response->status != http_ok) {
            fail(DeskRefusal::issuer_refused, refusal_text(response->status, response->body));
            return std::nullopt;
        }
        auto step = parse_issuing_step(response->body);
        if (!step) {
            fail(DeskRefusal::answer_malformed, step.error());
            return std::nullopt;
        }
        return std::move(*step);
    }

    CardLink& chip_;
    platform::HttpChannel& issuer_;
    DeskReport failed_;
};

}  // namespace

const char* name(DeskRefusal refusal) {
    switch (refusal) {
        case DeskRefusal::none: return "none";
        case DeskRefusal::chip_gone: return "chip_gone";
        case DeskRefusal::issuer_unreachable: return "issuer_unreachable";
        case DeskRefusal::issuer_refused: return "issuer_refused";
        case DeskRefusal::answer_malformed: return "answer_malformed";
        case DeskRefusal::too_many_rounds: return "too_many_rounds";
    }
    return "unknown";
}

std::expected<IssuingStep, std::string> parse_issuing_step(std::string_view body) {
    json::error_code error;
    const json::value value = json::parse({body.data(), body.size()}, error);
    const json::object* object = error ? nullptr : value.if_object();
    if (object == nullptr) return wrong("not a JSON object");
    IssuingStep step;
    if (const json::value* done = object->if_contains("done")) {
        const json::value* number = object->if_contains("number");
        if (!done->is_bool() || !done->get_bool()) return wrong("done is not true");
        if (number == nullptr || !number->is_string()) return wrong("number missing");
        step.done = true;
        step.number = text_of(number->get_string());
        return step;
    }
    if (const json::value* session = object->if_contains("session")) {
        if (!session->is_string()) return wrong("session is not text");
        step.session = text_of(session->get_string());
        constexpr std::string_view plain =
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
        if (step.session.find_first_not_of(plain) != std::string::npos) {
            return wrong("session holds characters that a path may not");
        }
    }
    const json::value* commands = object->if_contains("commands");
    if (commands == nullptr || !commands->is_array()) return wrong("commands missing");
    if (commands->get_array().empty()) return wrong("commands is empty");
    if (commands->get_array().size() > commands_max) return wrong("more than 256 commands");
    for (const json::value& item : commands->get_array()) {
        if (!item.is_string()) return wrong("a command is not text");
        auto bytes = platform::from_hex(text_of(item.get_string()));
        if (!bytes || !protocol::CommandApdu::parse(*bytes)) return wrong("a command is no APDU");
        step.commands.push_back(std::move(*bytes));
    }
    return step;
}

std::optional<std::string> chip_reference(Bytes atr) {
    // 3B T0 .. : the historical bytes are the last K, before TCK. ISO/IEC 7816-3:2006, 8.2.
    // Compact-TLV data objects after the category indicator 80. ISO/IEC 7816-4:2005, 8.1.1.
    constexpr std::uint8_t card_number_object = 0x68;  // tag 6 (pre-issuing data), eight bytes
    if (atr.size() < 3) return std::nullopt;
    const std::size_t count = atr[1] & 0x0F;
    if (atr.size() < 3 + count) return std::nullopt;
    protocol::ByteReader in{atr.subspan(atr.size() - 1 - count, count)};
    if (in.take_u8() != 0x80) return std::nullopt;
    while (!in.empty()) {
        const auto tag_and_size = in.take_u8();
        const auto value = in.take(*tag_and_size & 0x0F);
        if (!value) return std::nullopt;
        if (*tag_and_size == card_number_object) return "chip-" + platform::to_hex(*value);
    }
    return std::nullopt;
}

namespace {

json::object opening_of(Bytes atr, ChipKind kind, const std::string& reference) {
    return {{"kind", kind == ChipKind::card ? "card" : "sam"},
            {"atr", platform::to_hex(atr)},
            {"desk_reference", reference}};
}

}  // namespace

DeskReport issue(CardLink& chip, Bytes atr, ChipKind kind, const std::string& reference,
                 platform::HttpChannel& issuer) {
    return Session{chip, issuer}.run(opening_of(atr, kind, reference));
}

DeskReport block(CardLink& chip, Bytes atr, ChipKind kind, const std::string& reference,
                 platform::HttpChannel& issuer) {
    json::object opening = opening_of(atr, kind, reference);
    opening["purpose"] = "block";
    return Session{chip, issuer}.run(opening);
}

}  // namespace terminal
