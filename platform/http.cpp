#include "platform/http.hpp"

#include <algorithm>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace platform {
namespace {

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

const char* name(HttpMethod method) {
    switch (method) {
        case HttpMethod::get: return "GET";
        case HttpMethod::post: return "POST";
        case HttpMethod::put: return "PUT";
        case HttpMethod::remove: return "DELETE";
    }
    return "unknown";
}

std::string_view HttpHeaders::get(std::string_view header) const {
    for (const auto& [key, value] : all_) {
        if (same_name(key, header)) return value;
    }
    return {};
}

void HttpHeaders::set(std::string_view header, std::string_view value) {
    all_.emplace_back(header, value);
}

HttpResponse HttpResponse::json(unsigned status, std::string body) {
    HttpResponse response{status, {}, std::move(body)};
    response.headers.set("Content-Type", "application/json");
    return response;
}

HttpResponse HttpResponse::bytes(unsigned status, protocol::Bytes body) {
    HttpResponse response{status, {}, std::string{body.begin(), body.end()}};
    response.headers.set("Content-Type", "application/octet-stream");
    return response;
}

HttpResponse HttpResponse::refusal(unsigned status, std::string_view error,
                                   std::string_view detail) {
    return json(status,
                boost::json::serialize(boost::json::value{{"error", error}, {"detail", detail}}));
}

std::vector<std::string_view> path_segments(std::string_view target) {
    std::string_view path = target.substr(0, target.find('?'));
    std::vector<std::string_view> segments;
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash: a target begins with one, and so does each rest
        const std::size_t end = std::min(path.find('/'), path.size());
        segments.push_back(path.substr(0, end));
        path.remove_prefix(end);
    }
    return segments;
}

std::string_view query_value(std::string_view target, std::string_view parameter) {
    const std::size_t mark = target.find('?');
    std::string_view rest = mark == std::string_view::npos ? "" : target.substr(mark + 1);
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        const std::size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == parameter) {
            return pair.substr(equals + 1);
        }
        rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    }
    return {};
}

const char* name(NetError error) {
    switch (error) {
        case NetError::name_unresolved: return "name_unresolved";
        case NetError::refused: return "refused";
        case NetError::unreachable: return "unreachable";
        case NetError::timeout: return "timeout";
        case NetError::tls_untrusted: return "tls_untrusted";
        case NetError::tls_rejected: return "tls_rejected";
        case NetError::tls_failed: return "tls_failed";
        case NetError::wrong_peer: return "wrong_peer";
        case NetError::closed: return "closed";
        case NetError::malformed: return "malformed";
        case NetError::too_large: return "too_large";
        case NetError::cancelled: return "cancelled";
    }
    return "unknown";
}

}  // namespace platform
