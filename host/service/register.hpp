#pragma once
// Lines that fill the register: JSON objects as `onecard-keys` writes them. docs/host.md, 4.
#include <span>
#include <string>

#include "host/service/city.hpp"
#include "host/store/store.hpp"

namespace host {

enum class RegisterRefusal : std::uint8_t {  // In the order they are checked.
    line_malformed,                          ///< not JSON, or a field is missing or wrong
    mark_mismatch,                           ///< a rehearsal's line at a live host, or vice versa
    city_mismatch,                           ///< another city's card, SAM or terminal
    hot_list_failed,                         ///< a lost SAM's list could not be published
    store_failed,
};
[[nodiscard]] const char* name(RegisterRefusal refusal);
struct RegisterFailure {
    RegisterRefusal why;
    std::string detail;  ///< line and field
};
struct RegisterCounts {
    std::size_t operators = 0;
    std::size_t devices = 0;
    std::size_t sams = 0;
    std::size_t cards = 0;      ///< new ones
    std::size_t hot = 0;        ///< listed, changed or taken away
    std::size_t unchanged = 0;  ///< cards that were there, hot lines that were applied before
    std::optional<protocol::ListSequence> hot_list;  ///< published because of a SAM
};

/// Who may bring which lines: the city's own office all of them, its issuer those of its registry.
enum class RegisterSource : std::uint8_t { office, issuer };

/// One object, or one per line. All or nothing. Importing the same lines again changes nothing.
/// A line that lists a SAM publishes the next hot list in the same transaction, signed with `keys`.
[[nodiscard]] std::expected<RegisterCounts, RegisterFailure> import_register(
    store::Store& store, const City& city, const Keys& keys, const protocol::DateTime& now,
    std::string_view text, RegisterSource source = RegisterSource::office);

}  // namespace host
