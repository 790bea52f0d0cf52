#pragma once
// Figures that stand in docs/ and are counted by a test: the test compares its own row with the
// document's and fails when they differ, so that neither changes alone.
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <string>

#include <doctest/doctest.h>

namespace tests {

/// 1234567 as the documents write it: 1,234,567.
[[nodiscard]] inline std::string grouped(std::uint64_t number) {
    std::string out = std::to_string(number);
    for (std::size_t at = out.size(); at > 3;) out.insert(at -= 3, 1, ',');
    return out;
}

/// The line of docs/`document` that begins so; empty if there is none.
[[nodiscard]] inline std::string documented_line(const std::string& document,
                                                 const std::string& begin) {
    std::ifstream file{std::string{ONECARD_TEST_DATA "/../../docs/"} + document};
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(begin)) return line;
    }
    return {};
}

/// A table of docs/`document` has this row: its name, then its figures.
inline void check_documented(const std::string& document, const std::string& name,
                             std::initializer_list<std::uint64_t> figures) {
    std::string begin{"| "};
    begin.append(name).append(" | ");
    std::string row = begin;
    for (const std::uint64_t figure : figures) row.append(grouped(figure)).append(" | ");
    row.pop_back();
    CHECK(documented_line(document, begin) == row);
}

}  // namespace tests
