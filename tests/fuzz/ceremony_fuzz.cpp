// Any text as ceremony.json, as a component sheet and as minutes: a named refusal, or something
// that is written again as it was read.
#include "host/keys/components.hpp"
#include "host/keys/minutes.hpp"

namespace {

using namespace host::keys;

void try_ceremony(std::string_view text) {
    const auto ceremony = parse_ceremony(text, "x");
    if (ceremony && to_json(*ceremony) != text) __builtin_trap();
}

void try_sheet(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    const auto components = parse_components(lines);
    if (components && components->size() != root_count) __builtin_trap();
}

/// Nothing that is not signed is valid.
void try_minutes(std::string_view text) {
    if (verify_minutes(text, AuditKey{}) == MinutesVerdict::valid) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view text{reinterpret_cast<const char*>(data) + 1, size - 1};
    switch (data[0]) {
        case 'c': try_ceremony(text); break;
        case 's': try_sheet(text); break;
        default: try_minutes(text); break;
    }
    return 0;
}
