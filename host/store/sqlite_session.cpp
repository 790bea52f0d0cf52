#include "host/store/sqlite_session.hpp"

#include <cassert>

namespace host::store {
namespace {
StoreFailure named(const platform::sqlite::Failure& failure) {
    return {platform::sqlite::name(failure.error), failure.text};
}
}  // namespace

std::expected<void, StoreFailure> SqliteSession::transact(const std::function<End()>& work) {
    assert(!in_transaction_);
    failure_.reset();
    auto transaction = database_.begin();
    if (!transaction) return std::unexpected{named(transaction.error())};
    in_transaction_ = true;
    struct Leave {
        bool& flag;
        ~Leave() { flag = false; }
    } const leave{in_transaction_};
    const End end = work();
    for (auto& [sql, statement] : statements_) statement.reset();
    if (failure_) return std::unexpected{*std::exchange(failure_, std::nullopt)};
    if (end == End::abandon) {
        return std::unexpected{StoreFailure{"abandoned", "the work asked to keep nothing"}};
    }
    if (at_commit_) at_commit_(CommitPoint::before);
    if (auto done = transaction->commit(); !done) return std::unexpected{named(done.error())};
    if (at_commit_) at_commit_(CommitPoint::after);
    return {};
}

platform::sqlite::Statement* SqliteSession::prepared(const char* sql) {
    assert(in_transaction_);
    if (failure_) return nullptr;
    if (const auto found = statements_.find(sql); found != statements_.end()) {
        return &found->second;
    }
    auto statement = database_.prepare(sql);
    if (!statement) {
        fail(statement.error());
        return nullptr;
    }
    return &statements_.emplace(sql, std::move(*statement)).first->second;
}

void SqliteSession::fail(const platform::sqlite::Failure& failure) {
    if (!failure_) failure_ = named(failure);
}

void SqliteSession::damaged(const char* where) {
    if (!failure_) failure_ = StoreFailure{"corrupt", std::string{"a stored value in "} + where};
}

}  // namespace host::store
