#pragma once
// The fare file: TOML, docs/gate.md, "Fares".
#include <filesystem>

#include "platform/config.hpp"
#include "terminal/fares/fare_table.hpp"

namespace terminal {

[[nodiscard]] platform::ConfigResult<FareTable> load_fare_file(const std::filesystem::path& path);
[[nodiscard]] platform::ConfigResult<FareTable> parse_fares(std::string_view text,
                                                            const std::string& file_name);

}  // namespace terminal
