#pragma once
// A log whose entries cannot be changed, removed, swapped or added without being found, and the
// entry named: each is chained to the one before it with SM3 (GB/T 32905-2016) and signed with SM2.
// Key stores and the issuing state carry one, in the same commit as what it tells. docs/audit.md.
// Nothing here is secret but the signing key.
#include <string>
#include <string_view>
#include <vector>

#include "crypto/core/sm2.hpp"

namespace crypto::keys {

/// Whose log: random, made with the store, part of the chain's beginning.
using LogOwner = std::array<std::uint8_t, 16>;
/// SM3 of everything up to an entry.
using LogHead = Sm3Digest;

constexpr std::size_t log_line_size_max = 256 * 1024;

struct LogEntry {
    std::string line;            ///< one JSON object without line feeds: {"n":1, ...}
    sm2::Signature signature{};  ///< SM2, id `default_id`, over the head after this entry
    friend bool operator==(const LogEntry&, const LogEntry&) = default;
};

/// Before the first entry.
[[nodiscard]] LogHead first_head(const LogOwner& owner);
/// SM3(head before | line).
[[nodiscard]] LogHead next_head(const LogHead& before, std::string_view line);
/// The beginning of every line: `{"n":7,`. Entries count from 1.
[[nodiscard]] std::string numbered(std::uint64_t number);

/// Signs the next entry and moves `head` on. Fails only with a broken random source.
[[nodiscard]] sm2::Result<LogEntry> append_entry(LogHead& head, std::string line,
                                                 const sm2::PrivateKey& key, Random& random);

enum class LogFault : std::uint8_t {  // In the order they are checked, entry by entry.
    entry_malformed,                  ///< not a line of ours
    entry_missing,       ///< the number is above the place: entries before it were taken out
    entry_out_of_place,  ///< the number is below the place: put in or swapped
    entry_altered,       ///< the signature does not fit this line at this place of this chain
};
[[nodiscard]] const char* name(LogFault fault);
/// What is wrong, and at which entry (from 1): the first that is missing, or is not what was
/// signed.
struct LogFinding {
    LogFault fault;
    std::uint64_t number;
};

/// Follows a chain, entry by entry, so that a log of any length needs no memory.
class LogVerifier {
public:
    LogVerifier(const LogOwner& owner, const sm2::PublicKey& key)
        : head_{first_head(owner)}, key_{key} {}
    [[nodiscard]] std::expected<void, LogFinding> next(const LogEntry& entry);
    /// Of all entries so far.
    [[nodiscard]] const LogHead& head() const { return head_; }
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    LogHead head_;
    sm2::PublicKey key_;
    std::uint64_t count_ = 0;
};

}  // namespace crypto::keys
