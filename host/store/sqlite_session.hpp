#pragma once
// One SQLite connection with the store's manners: prepared statements are kept, and the first
// failure sticks until the transaction's end (store.hpp, S1).
#include <unordered_map>

#include "host/store/sqlite_store.hpp"
#include "platform/sqlite.hpp"

namespace host::store {

class SqliteSession {
public:
    explicit SqliteSession(platform::sqlite::Database database,
                           std::function<void(CommitPoint)> at_commit = {})
        : database_{std::move(database)}, at_commit_{std::move(at_commit)} {}

    [[nodiscard]] std::expected<void, StoreFailure> transact(const std::function<End()>& work);

    /// `sql` is a string literal: its address is the statement's name.
    template <class... Values>
    void run(const char* sql, const Values&... values) {
        auto* const statement = prepared(sql);
        if (statement == nullptr) return;
        if (auto done = statement->run(values...); !done) fail(done.error());
    }
    /// The first row, or nothing. Valid until `sql` is used again.
    template <class... Values>
    [[nodiscard]] platform::sqlite::Statement* first(const char* sql, const Values&... values) {
        auto* const statement = prepared(sql);
        if (statement == nullptr) return nullptr;
        const auto found = statement->first(values...);
        if (!found) fail(found.error());
        return found && *found ? statement : nullptr;
    }
    /// Every row. `visit` must not use `sql` again, and answers false to stop.
    template <class Visit, class... Values>
    void each(const char* sql, const Visit& visit, const Values&... values) {
        auto* statement = first(sql, values...);
        while (statement != nullptr && visit(*statement)) {
            const auto more = statement->step();
            if (!more) fail(more.error());
            if (!more || !*more) statement = nullptr;
        }
        if (statement != nullptr) statement->reset();
    }
    [[nodiscard]] std::int64_t changes() const { return failure_ ? 0 : database_.changes(); }
    [[nodiscard]] std::int64_t last_row_id() const { return database_.last_row_id(); }
    /// A stored value that no writer of ours can have produced.
    void damaged(const char* where);
    [[nodiscard]] platform::sqlite::Database& database() { return database_; }

private:
    [[nodiscard]] platform::sqlite::Statement* prepared(const char* sql);
    void fail(const platform::sqlite::Failure& failure);

    platform::sqlite::Database database_;
    std::function<void(CommitPoint)> at_commit_;
    std::unordered_map<const char*, platform::sqlite::Statement> statements_;
    std::optional<StoreFailure> failure_;
    bool in_transaction_ = false;
};

}  // namespace host::store
