#pragma once
// Counts that a document states: the test that makes the count holds the document against it.
#include <cstdint>
#include <fstream>
#include <string>

namespace tests {

/// 1234567 as the documents write it: 1,234,567.
[[nodiscard]] inline std::string with_commas(std::uint64_t number) {
    std::string out = std::to_string(number);
    for (std::size_t at = out.size(); at > 3; at -= 3) out.insert(at - 3, ",");
    return out;
}

/// The sentence, if docs/`name` lacks it, so that a failed CHECK shows it; else nothing. Where the
/// document breaks its lines does not matter.
[[nodiscard]] inline std::string missing_from(const std::string& name,
                                              const std::string& sentence) {
    std::ifstream file{ONECARD_TEST_DATA "/../../docs/" + name};
    std::string text;
    for (std::string word; file >> word;) text += word + ' ';
    return text.find(sentence) == std::string::npos ? sentence : "";
}

}  // namespace tests
