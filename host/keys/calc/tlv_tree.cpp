#include "host/keys/calc/tlv_tree.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "platform/mask.hpp"

namespace host::keys::calc {
namespace {

using protocol::ByteReader;
using protocol::Bytes;
using protocol::ParseError;
using Nodes = std::expected<std::vector<TlvNode>, TlvFailure>;

/// `offset` is where `data` begins. Recursion is bounded by `depth`.
Nodes parse_level(Bytes data, std::size_t offset, std::size_t depth) {
    std::vector<TlvNode> nodes;
    ByteReader in{data};
    while (!in.empty()) {
        const std::size_t at = offset + data.size() - in.size();
        if (in.rest()[0] == 0x00) {
            if (!in.take_u8()) __builtin_trap();  // it is there
            continue;
        }
        const auto object = protocol::read_tlv(in);
        if (!object) return std::unexpected{TlvFailure{object.error(), at}};
        TlvNode node{object->tag, at, object->value, {}};
        if (object->constructed) {
            if (depth == tlv_depth_max) {
                return std::unexpected{TlvFailure{ParseError::too_large, at}};
            }
            const std::size_t value_at = offset + data.size() - in.size() - object->value.size();
            ONECARD_TRY(children, parse_level(object->value, value_at, depth + 1));
            node.children = std::move(children);
        }
        nodes.push_back(std::move(node));
    }
    return nodes;
}

std::string tag_text(std::uint32_t tag) {
    return fmt::format("{:0{}X}", tag, tag > 0xFFFF ? 6 : tag > 0xFF ? 4 : 2);
}

bool is_constructed(const TlvNode& node) {
    const std::uint32_t first = node.tag > 0xFFFF ? node.tag >> 16
                                : node.tag > 0xFF ? node.tag >> 8
                                                  : node.tag;
    return (first & protocol::constructed_bit) != 0;
}

void put_text(std::string& out, const std::vector<TlvNode>& nodes, std::size_t depth) {
    for (const TlvNode& node : nodes) {
        const std::string_view name = tag_name(node.tag);
        out += std::string(2 * depth, ' ') + tag_text(node.tag);
        if (!name.empty()) out += fmt::format(" ({})", name);
        if (is_constructed(node)) {
            out += fmt::format(", {} bytes\n", node.value.size());
            put_text(out, node.children, depth + 1);
        } else {
            out += ": " + platform::to_hex(node.value) + "\n";
        }
    }
}

boost::json::array json_of(const std::vector<TlvNode>& nodes) {
    boost::json::array out;
    for (const TlvNode& node : nodes) {
        boost::json::object object{{"tag", tag_text(node.tag)}, {"offset", node.offset}};
        if (const auto name = tag_name(node.tag); !name.empty()) object["name"] = name;
        object["length"] = node.value.size();
        object["value"] = platform::to_hex(node.value);
        if (is_constructed(node)) object["children"] = json_of(node.children);
        out.push_back(std::move(object));
    }
    return out;
}

}  // namespace

std::expected<std::vector<TlvNode>, TlvFailure> parse_tlv_tree(Bytes data) {
    return parse_level(data, 0, 0);
}

std::string tlv_text(const std::vector<TlvNode>& nodes) {
    std::string out;
    put_text(out, nodes, 0);
    return out;
}

std::string tlv_json(const std::vector<TlvNode>& nodes) {
    return boost::json::serialize(boost::json::object{{"objects", json_of(nodes)}});
}

}  // namespace host::keys::calc
