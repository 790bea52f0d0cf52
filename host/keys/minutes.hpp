#pragma once
// The minutes of a ceremony: what its nation's log says of it, as a page that people print and sign
// by hand, and that the nation's audit key signs with SM2. docs/ceremony.md, 4. Nothing is secret.
#include <filesystem>
#include <string>
#include <string_view>

#include "host/keys/ceremony_file.hpp"

namespace host::keys {

/// Member "roots" in the detail of `found-nation`, when a ceremony made them.
inline constexpr const char* ceremony_roots = "ceremony";

/// The page without its signature, from a nation's log: the same page whenever it is asked for,
/// whatever was logged later. `ceremony_unknown` when the nation's roots were not made in one.
[[nodiscard]] Result<std::string> minutes_text(const crypto::keys::StoreIdentity& identity,
                                               Mark mark,
                                               std::span<const crypto::keys::LogEntry> log);
/// With its last line, `signature: HEX128`.
[[nodiscard]] Result<std::string> sign_minutes(const KeyStore& nation);

/// Whether this ceremony's number stands in the log of the nation in `directory`. Opens nothing:
/// whoever goes on, opens it.
[[nodiscard]] bool was_founded_by(const std::filesystem::path& directory, const Ceremony& ceremony);

enum class MinutesVerdict : std::uint8_t {  // In the order they are checked.
    not_minutes,        ///< too large, not printable ASCII, or another first line
    signature_missing,  ///< the last line is not `signature: HEX128`
    signature_wrong,    ///< not this key's over these lines
    log_differs,        ///< signed, but the nation's log says something else
    valid,
};
[[nodiscard]] const char* name(MinutesVerdict verdict);
/// One sentence.
[[nodiscard]] const char* advice(MinutesVerdict verdict);

using AuditKey = std::array<std::uint8_t, 64>;  ///< x | y
/// Blanks and carriage returns at the ends of lines and empty lines behind the signature do not
/// count: mail and editors change them. Everything else does.
[[nodiscard]] MinutesVerdict verify_minutes(std::string_view file, const AuditKey& key);
/// With the key and the log of the nation in `directory`; needs nobody's passphrase.
[[nodiscard]] Result<MinutesVerdict> verify_minutes(std::string_view file,
                                                    const std::filesystem::path& directory);

}  // namespace host::keys
