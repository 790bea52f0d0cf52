#include "terminal/upload/host_answers.hpp"

#include <boost/json.hpp>

#include "platform/mask.hpp"

namespace terminal {

namespace json = boost::json;

namespace {

std::unexpected<std::string> wrong(const char* what) {
    return std::unexpected<std::string>{what};
}

Answer<json::value> parse(std::string_view body) {
    json::error_code error;
    json::value value = json::parse({body.data(), body.size()}, error);
    if (error) return wrong("not JSON");
    return value;
}

Answer<std::uint32_t> number(const json::object& object, const char* key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr) return std::unexpected{std::string{key} + " missing"};
    json::error_code error;
    const auto found = value->to_number<std::uint32_t>(error);
    if (error) return std::unexpected{std::string{key} + " is no 32-bit number"};
    return found;
}

}  // namespace

Answer<Receipt> parse_receipt(std::string_view body) {
    ONECARD_TRY(value, parse(body));
    const json::object* object = value.if_object();
    if (object == nullptr) return wrong("not an object");
    const json::value* word = object->if_contains("receipt");
    if (word == nullptr || !word->is_string() || word->get_string() != "stored") {
        return wrong("receipt is not \"stored\"");
    }
    ONECARD_TRY(sequence, number(*object, "sequence"));
    ONECARD_TRY(records, number(*object, "records"));
    const json::value* digest = object->if_contains("digest");
    if (digest == nullptr || !digest->is_string()) return wrong("digest missing");
    const auto bytes = platform::from_hex<protocol::digest_size>(
        std::string_view{digest->get_string().data(), digest->get_string().size()});
    if (!bytes) return wrong("digest is not 64 hex digits");
    return Receipt{sequence, records, *bytes};
}

Answer<bool> parse_result(std::string_view body) {
    ONECARD_TRY(value, parse(body));
    const json::object* object = value.if_object();
    if (object == nullptr) return wrong("not an object");
    const json::value* complete = object->if_contains("complete");
    if (complete == nullptr || !complete->is_bool()) return wrong("complete missing");
    return complete->get_bool();
}

Answer<std::vector<protocol::BatchRecord>> parse_unresolved(std::string_view body) {
    ONECARD_TRY(value, parse(body));
    const json::value* list = &value;
    if (const json::object* object = value.if_object()) list = object->if_contains("records");
    if (list == nullptr || !list->is_array()) return wrong("not a list");
    if (list->get_array().size() > unresolved_count_max) return wrong("too many entries");
    std::vector<protocol::BatchRecord> out;
    for (const json::value& item : list->get_array()) {
        if (!item.is_string()) return wrong("an entry is not text");
        const auto bytes = platform::from_hex<protocol::BatchRecord::size>(
            std::string_view{item.get_string().data(), item.get_string().size()});
        if (!bytes) return wrong("an entry is not 192 hex digits");
        const auto record = protocol::BatchRecord::parse(*bytes);
        if (!record) return wrong("an entry is no record");
        if (record->kind != protocol::RecordKind::unresolved) return wrong("an entry is settled");
        out.push_back(*record);
    }
    return out;
}

std::string refusal_text(unsigned status, std::string_view body) {
    std::string text = "HTTP " + std::to_string(status);
    const auto value = parse(body);
    if (const json::object* object = value ? value->if_object() : nullptr) {
        for (const char* key : {"error", "detail"}) {
            const json::value* part = object->if_contains(key);
            if (part != nullptr && part->is_string()) {
                text += ": ";
                text.append(part->get_string().data(), part->get_string().size());
            }
        }
    }
    return text;
}

}  // namespace terminal
