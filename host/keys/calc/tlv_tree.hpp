#pragma once
// Bytes as a tree of BER-TLV objects, for people. ISO/IEC 8825-1:2021, 8.1; ISO/IEC 7816-4:2005,
// 5.2.2. Pure; any bytes give a tree or a named refusal that says where.
#include <expected>
#include <string>
#include <vector>

#include "protocol/tlv.hpp"

namespace host::keys::calc {

struct TlvNode {
    std::uint32_t tag = 0;
    std::size_t offset = 0;  ///< of the tag, from the beginning of the data
    protocol::Bytes value;
    std::vector<TlvNode> children;  ///< of a constructed object
};
struct TlvFailure {
    protocol::ParseError error;
    std::size_t offset;  ///< of the object that cannot be read
};
constexpr std::size_t tlv_depth_max = 16;

/// Refers to the caller's bytes. Filling zeros between objects are skipped (ISO/IEC 7816-4:2005,
/// 5.2.2.1: 00 before, between and after objects has no meaning).
[[nodiscard]] std::expected<std::vector<TlvNode>, TlvFailure> parse_tlv_tree(protocol::Bytes data);

[[nodiscard]] std::string tlv_text(const std::vector<TlvNode>& nodes);
[[nodiscard]] std::string tlv_json(const std::vector<TlvNode>& nodes);

/// "Application PAN"; empty for a tag we do not know.
[[nodiscard]] std::string_view tag_name(std::uint32_t tag);

}  // namespace host::keys::calc
