#pragma once
// Configuration in TOML 1.0 files. Every failure names file, line and key. Keys nobody asked for
// are refused, so that a misspelt limit is not silently the default.
#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace platform {

enum class ConfigError : std::uint8_t {
    file_unreadable,
    syntax,  ///< not TOML
    key_missing,
    wrong_type,
    out_of_range,
    wrong_value,  ///< the right type, but not one of the accepted words or forms
    key_unknown,  ///< a key that this program does not know
};
[[nodiscard]] const char* name(ConfigError error);
struct ConfigFailure {
    ConfigError error;
    std::string file;
    unsigned line = 0;  ///< 0: the whole file
    std::string key;    ///< dotted: "listen.port"
    std::string detail;
    /// "host.toml:12: listen.port: out_of_range: 1..65535 expected".
    [[nodiscard]] std::string text() const;
};
template <class T>
using ConfigResult = std::expected<T, ConfigFailure>;

/// A table of a file. Keys are dotted paths below it. Copies share the file and the memory of which
/// keys were asked for.
class Config {
public:
    [[nodiscard]] static ConfigResult<Config> load(const std::filesystem::path& path);
    [[nodiscard]] static ConfigResult<Config> parse(std::string_view text, std::string file_name);

    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] ConfigResult<std::string> text(std::string_view key) const;
    [[nodiscard]] ConfigResult<std::string> text_or(std::string_view key,
                                                    std::string_view otherwise) const;
    [[nodiscard]] ConfigResult<std::int64_t> integer(std::string_view key, std::int64_t min,
                                                     std::int64_t max) const;
    [[nodiscard]] ConfigResult<std::int64_t> integer_or(std::string_view key,
                                                        std::int64_t otherwise, std::int64_t min,
                                                        std::int64_t max) const;
    [[nodiscard]] ConfigResult<bool> boolean_or(std::string_view key, bool otherwise) const;
    [[nodiscard]] ConfigResult<std::vector<std::string>> texts(std::string_view key) const;
    [[nodiscard]] ConfigResult<std::vector<std::int64_t>> integers(std::string_view key) const;
    /// A path; a relative one counts from the directory of the file.
    [[nodiscard]] ConfigResult<std::filesystem::path> path(std::string_view key) const;
    /// Hex digits of exactly `size` bytes: ids.
    [[nodiscard]] ConfigResult<std::vector<std::uint8_t>> hex(std::string_view key,
                                                              std::size_t size) const;
    /// [table] and [[array of tables]]. A missing array is empty.
    [[nodiscard]] ConfigResult<Config> table(std::string_view key) const;
    [[nodiscard]] ConfigResult<std::vector<Config>> tables(std::string_view key) const;

    /// A failure about one of this table's keys, for checks of the caller's own.
    [[nodiscard]] ConfigFailure failure(std::string_view key, ConfigError error,
                                        std::string detail) const;
    /// The last step: refuses the first key of the file that nobody asked for.
    [[nodiscard]] ConfigResult<void> finish() const;

private:
    struct File;
    struct Node;
    Config(std::shared_ptr<File> file, std::shared_ptr<const Node> node);
    std::shared_ptr<File> file_;
    std::shared_ptr<const Node> node_;
};

}  // namespace platform
