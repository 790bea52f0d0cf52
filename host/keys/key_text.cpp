#include "host/keys/key_text.hpp"

#include <charconv>

namespace host::keys {
namespace {

/// The enumerator of 1..last whose name() is `word`.
template <class Enum>
std::optional<Enum> find_named(std::string_view word, Enum last) {
    for (unsigned i = 1; i <= static_cast<unsigned>(last); ++i) {
        const auto value = static_cast<Enum>(i);
        if (word == crypto::keys::name(value)) return value;
    }
    return std::nullopt;
}

std::optional<KeyVersion> parse_version(std::string_view word) {
    if (word.size() < 2 || word.front() != 'v' || word[1] == '0') return std::nullopt;
    std::uint8_t number = 0;
    const auto [end, error] = std::from_chars(word.data() + 1, word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return KeyVersion{number};
}

}  // namespace

std::optional<KeyUse> parse_key_use(std::string_view word) {
    return find_named(word, crypto::keys::key_use_last);
}
std::optional<KeyAlgorithm> parse_key_algorithm(std::string_view word) {
    return find_named(word, crypto::keys::key_algorithm_last);
}
std::optional<KeyState> parse_key_state(std::string_view word) {
    return find_named(word, KeyState::destroyed);
}

std::optional<KeyName> parse_key_name(std::string_view text) {
    std::array<std::string_view, 4> words;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto space = i + 1 < words.size() ? text.find(' ') : text.size();
        if (space == std::string_view::npos) return std::nullopt;
        words.at(i) = text.substr(0, space);
        text.remove_prefix(std::min(space + 1, text.size()));
    }
    const auto use = parse_key_use(words[1]);
    const auto algorithm = parse_key_algorithm(words[2]);
    const auto version = parse_version(words[3]);
    if (words[0].empty() || !use || !algorithm || !version) return std::nullopt;
    return KeyName{std::string{words[0]}, *use, *algorithm, *version};
}

std::optional<Suite> suite_of(const KeyName& key) {
    for (const Suite suite : suites) {
        if (key.algorithm == crypto::keys::algorithm_of(suite)) return suite;
    }
    return std::nullopt;
}

HeldKeys held_keys(const KeyStore& store) {
    HeldKeys out;
    for (const auto& key : store.list()) {
        if (key.name.label != "store") out.emplace(key.name, key.state);
    }
    return out;
}

}  // namespace host::keys
