#pragma once
// A rehearsal ceremony in a temporary directory: three custodians, their words, their components.
#include "host/keys/ceremony.hpp"
#include "tests/host/keys/founded_city.hpp"

namespace keys_test {

namespace fs = std::filesystem;
using host::keys::Ceremony;
using host::keys::Component;
using host::keys::Mark;
using host::keys::root_at;
using host::keys::root_count;

template <class T>
std::string kind_of(const host::keys::Result<T>& result) {
    return result ? "accepted" : host::keys::name(result.error().kind);
}

inline std::vector<Component> components_of(std::string_view who) {
    crypto::SeededRandom random{1, who};
    return host::keys::draw_national_roots(random);
}
inline std::vector<Component> duplicate(const std::vector<Component>& components) {
    std::vector<Component> out;
    for (const Component& each : components) {
        out.push_back({each.use, each.suite, each.value.duplicate()});
    }
    return out;
}

/// Passphrases by name; a name's words can be replaced.
struct People {
    std::map<std::string, std::string> words{{"first", "the words of first"},
                                             {"second", "the words of second"},
                                             {"third", "the words of third"}};
    [[nodiscard]] host::keys::Custodian person(const std::string& who) const {
        return {who, bytes_of(words.at(who))};
    }
    [[nodiscard]] std::vector<host::keys::Custodian> persons(
        const std::vector<std::string>& names = {"first", "second", "third"}) const {
        std::vector<host::keys::Custodian> out;
        for (const std::string& who : names) out.push_back(person(who));
        return out;
    }
};

struct Room : People {
    Directory temporary;
    crypto::SeededRandom random{1, "ceremony room"};
    platform::ManualClock clock = test_clock();
    fs::path directory = temporary.path / "ceremony";
    fs::path nation = temporary.path / "nation";
    Mark mark = Mark::rehearsal;

    host::keys::Result<Ceremony> begin(std::vector<std::string> names = {"first", "second",
                                                                         "third"},
                                       unsigned quorum = 2) {
        return host::keys::begin_ceremony({directory, std::move(names), quorum, mark}, random,
                                          clock);
    }
    host::keys::Result<void> give(const std::string& who, const std::vector<Component>& components,
                                  bool again = false, std::string_view old = {}) {
        clock.advance_ms(60'000);
        return host::keys::give_components({directory, person(who), mark, again, bytes_of(old)},
                                           components, random, clock);
    }
    host::keys::Result<void> give(const std::string& who) { return give(who, components_of(who)); }
    void everyone_gives() {
        begin().value();
        for (const char* who : {"first", "second", "third"}) give(who).value();
    }
    host::keys::Result<std::string> combine(const std::vector<host::keys::Custodian>& present) {
        clock.advance_ms(60'000);
        return host::keys::combine({directory, nation, present, mark}, random, clock);
    }
    host::keys::Result<std::string> combine() { return combine(persons()); }
    [[nodiscard]] Ceremony read() const { return host::keys::read_ceremony(directory).value(); }
    [[nodiscard]] fs::path file_of(const std::string& who) const {
        return directory / "components" / host::keys::file_name(*read().given_by(who));
    }
    [[nodiscard]] std::size_t component_files() const {
        std::error_code error;
        const fs::directory_iterator files{directory / "components", error};
        return static_cast<std::size_t>(std::distance(begin_of(files), fs::directory_iterator{}));
    }

private:
    static fs::directory_iterator begin_of(fs::directory_iterator files) { return files; }
};

/// The nation's roots are exactly these components, added.
inline bool is_sum_of(const host::keys::KeyStore& nation, const std::vector<std::string>& names) {
    for (std::size_t i = 0; i < root_count; ++i) {
        std::array<std::uint8_t, 16> sum{};
        for (const std::string& who : names) {
            const auto components = components_of(who);
            for (std::size_t b = 0; b < 16; ++b) sum[b] ^= components[i].value.bytes()[b];
        }
        const auto root = host::keys::reveal_purse(
            nation, crypto::keys::national_key(root_at(i).use, root_at(i).suite));
        if (!root || !std::ranges::equal(root->value.bytes(), sum)) return false;
    }
    return true;
}

}  // namespace keys_test
