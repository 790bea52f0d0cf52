#include "platform/config.hpp"

#include <set>

#include <toml++/toml.h>

#include "platform/files.hpp"
#include "platform/mask.hpp"

namespace platform {
namespace {

constexpr std::size_t config_size_max = 4 * 1024 * 1024;

unsigned line_of(const toml::source_region& region) {
    return static_cast<unsigned>(region.begin.line);
}

}  // namespace

struct Config::File {
    std::string name;
    std::filesystem::path directory;
    toml::table root;
    std::set<const toml::node*> asked;
};
/// A table of the file and the dotted path to it.
struct Config::Node {
    const toml::table* table = nullptr;
    std::string prefix;
    [[nodiscard]] std::string full(std::string_view key) const {
        return prefix.empty() ? std::string{key} : prefix + "." + std::string{key};
    }
};

namespace {

/// Every table on the way to a key that was asked for counts as asked for.
const toml::node* look_up(std::set<const toml::node*>& asked, const toml::table& from,
                          std::string_view key) {
    const toml::table* table = &from;
    for (;;) {
        const std::size_t dot = key.find('.');
        const toml::node* node = table->get(key.substr(0, dot));
        if (node == nullptr) return nullptr;
        asked.insert(node);
        if (dot == std::string_view::npos) return node;
        table = node->as_table();
        if (table == nullptr) return nullptr;
        key.remove_prefix(dot + 1);
    }
}

struct Unknown {
    std::string key;
    unsigned line = 0;
};

std::optional<Unknown> find_unknown(const std::set<const toml::node*>& asked,
                                    const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
        const std::string path =
            prefix.empty() ? std::string{key.str()} : prefix + "." + std::string{key.str()};
        if (!asked.contains(&node)) return Unknown{path, line_of(node.source())};
        if (const toml::table* inner = node.as_table()) {
            if (auto found = find_unknown(asked, *inner, path)) return found;
        }
        const toml::array* array = node.as_array();
        if (array == nullptr || !array->is_array_of_tables()) continue;
        for (const toml::node& element : *array) {
            if (auto found = find_unknown(asked, *element.as_table(), path)) return found;
        }
    }
    return std::nullopt;
}

}  // namespace

const char* name(ConfigError error) {
    switch (error) {
        case ConfigError::file_unreadable: return "file_unreadable";
        case ConfigError::syntax: return "syntax";
        case ConfigError::key_missing: return "key_missing";
        case ConfigError::wrong_type: return "wrong_type";
        case ConfigError::out_of_range: return "out_of_range";
        case ConfigError::wrong_value: return "wrong_value";
        case ConfigError::key_unknown: return "key_unknown";
    }
    return "unknown";
}

std::string ConfigFailure::text() const {
    std::string out = file;
    if (line != 0) out += ":" + std::to_string(line);
    if (!key.empty()) out += ": " + key;
    out += std::string{": "} + name(error);
    if (!detail.empty()) out += ": " + detail;
    return out;
}

Config::Config(std::shared_ptr<File> file, std::shared_ptr<const Node> node)
    : file_{std::move(file)}, node_{std::move(node)} {}

ConfigResult<Config> Config::load(const std::filesystem::path& path) {
    const auto content = read_text_file(path, config_size_max);
    if (!content) {
        return std::unexpected{ConfigFailure{ConfigError::file_unreadable, path.string(), 0, "",
                                             content.error().detail}};
    }
    ONECARD_TRY(config, parse(*content, path.string()));
    config.file_->directory = path.parent_path();
    return config;
}

ConfigResult<Config> Config::parse(std::string_view text, std::string file_name) {
    auto file = std::make_shared<File>();
    file->name = std::move(file_name);
    try {  // toml++ reports by exception in this build; it ends here
        file->root = toml::parse(text, file->name);
    } catch (const toml::parse_error& error) {
        return std::unexpected{ConfigFailure{ConfigError::syntax, file->name,
                                             line_of(error.source()), "",
                                             std::string{error.description()}}};
    }
    auto node = std::make_shared<Node>(Node{&file->root, ""});
    return Config{std::move(file), std::move(node)};
}

ConfigFailure Config::failure(std::string_view key, ConfigError error, std::string detail) const {
    std::set<const toml::node*> ignored;
    const toml::node* node = look_up(ignored, *node_->table, key);
    const unsigned line =
        node != nullptr ? line_of(node->source()) : line_of(node_->table->source());
    return {error, file_->name, line, node_->full(key), std::move(detail)};
}

bool Config::has(std::string_view key) const {
    return look_up(file_->asked, *node_->table, key) != nullptr;
}

ConfigResult<std::string> Config::text(std::string_view key) const {
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) return std::unexpected{failure(key, ConfigError::key_missing, "text")};
    const auto* value = node->as_string();
    if (value == nullptr) {
        return std::unexpected{failure(key, ConfigError::wrong_type, "text expected")};
    }
    return value->get();
}

ConfigResult<std::string> Config::text_or(std::string_view key, std::string_view otherwise) const {
    return has(key) ? text(key) : ConfigResult<std::string>{std::string{otherwise}};
}

ConfigResult<std::int64_t> Config::integer(std::string_view key, std::int64_t min,
                                           std::int64_t max) const {
    const std::string range = std::to_string(min) + ".." + std::to_string(max) + " expected";
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) return std::unexpected{failure(key, ConfigError::key_missing, range)};
    const auto* value = node->as_integer();
    if (value == nullptr) {
        return std::unexpected{failure(key, ConfigError::wrong_type, "a whole number expected")};
    }
    if (value->get() < min || value->get() > max) {
        return std::unexpected{failure(key, ConfigError::out_of_range, range)};
    }
    return value->get();
}

ConfigResult<std::int64_t> Config::integer_or(std::string_view key, std::int64_t otherwise,
                                              std::int64_t min, std::int64_t max) const {
    return has(key) ? integer(key, min, max) : ConfigResult<std::int64_t>{otherwise};
}

ConfigResult<bool> Config::boolean_or(std::string_view key, bool otherwise) const {
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) return otherwise;
    const auto* value = node->as_boolean();
    if (value == nullptr) {
        return std::unexpected{failure(key, ConfigError::wrong_type, "true or false expected")};
    }
    return value->get();
}

ConfigResult<std::vector<std::string>> Config::texts(std::string_view key) const {
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) return std::unexpected{failure(key, ConfigError::key_missing, "texts")};
    const toml::array* array = node->as_array();
    std::vector<std::string> out;
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
        const auto* value = (*array)[i].as_string();
        if (value == nullptr) {
            array = nullptr;
            break;
        }
        out.push_back(value->get());
    }
    if (array == nullptr) {
        return std::unexpected{failure(key, ConfigError::wrong_type, "an array of texts expected")};
    }
    return out;
}

ConfigResult<std::vector<std::int64_t>> Config::integers(std::string_view key) const {
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) {
        return std::unexpected{failure(key, ConfigError::key_missing, "whole numbers")};
    }
    const toml::array* array = node->as_array();
    std::vector<std::int64_t> out;
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
        const auto* value = (*array)[i].as_integer();
        if (value == nullptr) {
            array = nullptr;
            break;
        }
        out.push_back(value->get());
    }
    if (array == nullptr) {
        return std::unexpected{
            failure(key, ConfigError::wrong_type, "an array of whole numbers expected")};
    }
    return out;
}

ConfigResult<std::filesystem::path> Config::path(std::string_view key) const {
    ONECARD_TRY(value, text(key));
    if (value.empty()) return std::unexpected{failure(key, ConfigError::wrong_value, "empty path")};
    const std::filesystem::path given{value};
    return given.is_absolute() ? given : file_->directory / given;
}

ConfigResult<std::vector<std::uint8_t>> Config::hex(std::string_view key, std::size_t size) const {
    ONECARD_TRY(value, text(key));
    auto bytes = from_hex(value);
    if (!bytes || bytes->size() != size) {
        return std::unexpected{failure(key, ConfigError::wrong_value,
                                       std::to_string(size * 2) + " hex digits expected")};
    }
    return *std::move(bytes);
}

ConfigResult<Config> Config::table(std::string_view key) const {
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) return std::unexpected{failure(key, ConfigError::key_missing, "a table")};
    const toml::table* table = node->as_table();
    if (table == nullptr) {
        return std::unexpected{failure(key, ConfigError::wrong_type, "a table expected")};
    }
    return Config{file_, std::make_shared<Node>(Node{table, node_->full(key)})};
}

ConfigResult<std::vector<Config>> Config::tables(std::string_view key) const {
    const toml::node* node = look_up(file_->asked, *node_->table, key);
    if (node == nullptr) return std::vector<Config>{};
    const toml::array* array = node->as_array();
    if (array == nullptr || (!array->empty() && !array->is_array_of_tables())) {
        return std::unexpected{failure(key, ConfigError::wrong_type, "[[tables]] expected")};
    }
    std::vector<Config> out;
    for (std::size_t i = 0; i < array->size(); ++i) {
        const std::string prefix = node_->full(key) + "[" + std::to_string(i) + "]";
        out.push_back(Config{file_, std::make_shared<Node>(Node{(*array)[i].as_table(), prefix})});
    }
    return out;
}

ConfigResult<void> Config::finish() const {
    const auto unknown = find_unknown(file_->asked, *node_->table, node_->prefix);
    if (!unknown) return {};
    return std::unexpected{ConfigFailure{ConfigError::key_unknown, file_->name, unknown->line,
                                         unknown->key, "this program does not know it"}};
}

}  // namespace platform
