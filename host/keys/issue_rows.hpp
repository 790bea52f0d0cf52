#pragma once
// What the issue store's own files share: SQLite's failures as ours, a line's row, an event.
#include <boost/json.hpp>

#include "host/keys/issue_store.hpp"
#include "platform/mask.hpp"

namespace host::keys {

[[nodiscard]] inline Refusal broken(const platform::sqlite::Failure& failure) {
    return {
        RefusalKind::file_failed,
        std::string{"issue state: "} + platform::sqlite::name(failure.error) + ": " + failure.text};
}
[[nodiscard]] inline IssuingFailure broken_issuing(const platform::sqlite::Failure& failure) {
    return {IssuingRefusal::store_failed,
            std::string{platform::sqlite::name(failure.error)} + ": " + failure.text};
}

/// ONECARD_TRY for SQLite inside a function with our own failures.
template <class Failure, class T, class Translate>
[[nodiscard]] std::expected<T, Failure> translate(platform::sqlite::Result<T>&& result,
                                                  Translate translate_failure) {
    if (!result) return std::unexpected{translate_failure(result.error())};
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        return *std::move(result);
    }
}
template <class T>
[[nodiscard]] Result<T> plain(platform::sqlite::Result<T>&& result) {
    return translate<Refusal>(std::move(result), broken);
}
template <class T>
[[nodiscard]] IssuingResult<T> issuing(platform::sqlite::Result<T>&& result) {
    return translate<IssuingFailure>(std::move(result), broken_issuing);
}
/// A refusal of the store itself, told to a desk.
template <class T>
[[nodiscard]] IssuingResult<T> issuing(Result<T>&& result) {
    if (!result) {
        return std::unexpected{IssuingFailure{IssuingRefusal::store_failed, result.error().detail}};
    }
    if constexpr (std::is_void_v<T>) {
        return {};
    } else {
        return *std::move(result);
    }
}

[[nodiscard]] inline std::string number_text(ChipKind kind,
                                             const std::array<std::uint8_t, 10>& number) {
    return kind == ChipKind::card ? platform::mask(protocol::CardNumber{number})
                                  : platform::to_hex(number);
}
[[nodiscard]] inline std::string number_text(const IssueOrder& order) {
    return number_text(kind_of(order), number_of(order));
}

/// The name of a key set: its members, sorted, each once.
[[nodiscard]] std::string members_text(std::vector<KeyStamp> keys);
/// The keys of a statement over key_set_member: use, suite, version, national.
[[nodiscard]] Result<std::vector<KeyStamp>> read_keys(platform::sqlite::Statement& select);

/// One change, for the events and the hook.
struct IssueChange {
    ChipStep step;
    const Actor& who;
    std::optional<std::int64_t> line;
    ChipKind kind = ChipKind::card;
    std::array<std::uint8_t, 10> number{};
    std::optional<ChipState> from;
    std::optional<ChipState> to;
    boost::json::object more;  ///< further members: reason, since, chip, counts
};

}  // namespace host::keys
