#pragma once
// ceremony.json: how far a ceremony has come. Nothing in it is secret, and nothing in it is
// believed: what was agreed stands again inside each custodian's sealed file. docs/ceremony.md, 3.
#include "crypto/core/sm3.hpp"
#include "host/keys/founding.hpp"

namespace host::keys {

inline constexpr const char* ceremony_file = "ceremony.json";
inline constexpr const char* components_directory = "components";
inline constexpr const char* minutes_file = "minutes.txt";

/// The roots that are summed, in this order everywhere.
constexpr std::size_t root_count = national_uses.size() * suites.size();
struct RootName {
    KeyUse use;
    Suite suite;
    friend bool operator==(const RootName&, const RootName&) = default;
};
[[nodiscard]] constexpr RootName root_at(std::size_t index) {
    return {national_uses[index / suites.size()], suites[index % suites.size()]};
}
/// "purchase sm4".
[[nodiscard]] std::string text(const RootName& root);

/// What one custodian has given.
struct GivenComponents {
    std::string custodian;
    std::string at;                  ///< UTC
    unsigned serial = 1;             ///< counts what was given; part of the file's name
    crypto::keys::LogOwner store{};  ///< the sealed file's id
    std::array<crypto::Sm3Digest, root_count> digests{};  ///< component_digest() of each
};

struct Ceremony {
    std::array<std::uint8_t, 16> id{};
    Mark mark = Mark::live;
    unsigned quorum = 2;  ///< of the nation's store
    std::vector<std::string> custodians;
    std::string begun_at;  ///< UTC
    std::array<std::uint8_t, 32> salt{};
    std::vector<GivenComponents> given;  ///< as they came; empty once finished
    std::string nation;                  ///< where it is founded; empty before `combine`
    bool finished = false;

    [[nodiscard]] const GivenComponents* given_by(std::string_view custodian) const;
    [[nodiscard]] bool invited(std::string_view custodian) const;
};

/// What was agreed, as JSON: id, mark, quorum and names. Stands in the log of every custodian's
/// file, so that nobody changes it behind their backs.
[[nodiscard]] std::string invitation(const Ceremony& ceremony);
/// "first-1.store".
[[nodiscard]] std::string file_name(const GivenComponents& given);

[[nodiscard]] std::string to_json(const Ceremony& ceremony);
/// Exactly what `to_json` writes; `ceremony_unknown` for anything else.
[[nodiscard]] Result<Ceremony> parse_ceremony(std::string_view text, const std::string& file);

[[nodiscard]] Result<Ceremony> read_ceremony(const std::filesystem::path& directory);
[[nodiscard]] Result<void> write_ceremony(const std::filesystem::path& directory,
                                          const Ceremony& ceremony);

}  // namespace host::keys
