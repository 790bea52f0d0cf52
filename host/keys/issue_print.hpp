#pragma once
// Digests of what stands in an issuing state, so that its log can vouch for it. docs/audit.md, 5.
#include "crypto/core/sm3.hpp"
#include "host/keys/refusal.hpp"
#include "platform/sqlite.hpp"

namespace host::keys {

using Print = crypto::Sm3Digest;

/// What an order said: the columns of `line` that never change.
inline constexpr const char* order_columns = "id, kind, number, content, has_pin, ordered";
constexpr int order_column_count = 6;

/// The first `count` columns of the row that `row` stands on, each with its length before it, so
/// that no two rows are written alike.
void feed_row(crypto::Sm3& print, const platform::sqlite::Statement& row, int count);

/// `database` outlives it.
class Printer {
public:
    [[nodiscard]] static Result<Printer> make(platform::sqlite::Database& database);
    /// A line as it stands: every column, its keys by name.
    [[nodiscard]] Result<Print> line(std::int64_t id) { return print(line_, id); }
    /// An event with what its commit wrote for good: the registry's entry, the scrap chip.
    [[nodiscard]] Result<Print> event(std::int64_t id) { return print(event_, id); }

private:
    Printer(platform::sqlite::Statement line, platform::sqlite::Statement event)
        : line_{std::move(line)}, event_{std::move(event)} {}
    [[nodiscard]] static Result<Print> print(platform::sqlite::Statement& select, std::int64_t id);
    platform::sqlite::Statement line_;
    platform::sqlite::Statement event_;
};

}  // namespace host::keys
