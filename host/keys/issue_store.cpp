#include "host/keys/issue_store.hpp"

#include "host/keys/founding.hpp"
#include "host/keys/issue_rows.hpp"
#include "host/keys/issue_schema.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
namespace sqlite = platform::sqlite;

constexpr const char* line_columns = "SELECT id, content, pin, state, chip FROM line ";
constexpr int topic_issued = 1;
constexpr std::size_t progress_step = 10'000;

std::string pin_of(const IssueOrder& order) {
    const auto* card = std::get_if<CardOrder>(&order);
    return card == nullptr ? std::string{} : card->pin;
}
std::string content_of(IssueOrder order) {
    if (auto* card = std::get_if<CardOrder>(&order)) card->pin.clear();
    return to_csv(order);
}

/// The row that `statement` stands on. The database is ours: content that does not parse is damage.
IssuingResult<IssueLine> read_line(const sqlite::Statement& statement) {
    std::string csv{order_header};
    csv += '\n';
    csv += statement.text(1);
    const auto orders = parse_orders(csv, "issue state");
    const std::int64_t state = statement.integer(3);
    if (!orders || orders->size() != 1 || state < 1 || state > chip_state_last) {
        return std::unexpected{
            IssuingFailure{IssuingRefusal::store_failed,
                           "line " + std::to_string(statement.integer(0)) + " is damaged"}};
    }
    IssueLine line{statement.integer(0), orders->front(), static_cast<ChipState>(state), {}};
    if (auto* card = std::get_if<CardOrder>(&line.order)) card->pin = statement.text(2);
    if (const auto chip = statement.array<8>(4)) line.chip = ChipSerial{*chip};
    return line;
}

IssueChange change_of(ChipStep step, const Actor& who, const IssueLine& line, ChipState to) {
    return {step, who, line.id, kind_of(line.order), number_of(line.order), line.state, to, {}};
}
Actor desk(const std::string& name) {
    return {Actor::Kind::desk, name};
}
std::unexpected<IssuingFailure> fail(IssuingRefusal refusal, std::string detail) {
    return std::unexpected{IssuingFailure{refusal, std::move(detail)}};
}

}  // namespace

Result<IssueStore> IssueStore::open(const std::filesystem::path& file, Mark mark, CityCode city,
                                    const platform::Clock& clock, ChangeHook hook) {
    sqlite::Options options;
    options.application_id = issue_application_id;
    ONECARD_TRY(database, plain(sqlite::Database::open(file, options)));
    ONECARD_CHECK(plain(database.migrate(issue_schema)));
    IssueStore store{std::move(database), mark, city, clock, std::move(hook)};
    ONECARD_CHECK(store.check_owner());
    return store;
}

Result<void> IssueStore::check_owner() {
    ONECARD_TRY(transaction, plain(database_.begin()));
    ONECARD_TRY(select, plain(database_.prepare("SELECT mark, city FROM owner")));
    ONECARD_TRY(row, plain(select.step()));
    if (!row) {
        ONECARD_TRY(insert, plain(database_.prepare("INSERT INTO owner VALUES(?1, ?2)")));
        ONECARD_CHECK(plain(insert.run(static_cast<std::uint8_t>(mark_), city_.value())));
        return plain(transaction.commit());
    }
    if (select.integer(0) != static_cast<std::uint8_t>(mark_)) {
        return refuse(RefusalKind::mark_mismatch,
                      std::string{"the issue state is not "} + word(mark_));
    }
    if (select.integer(1) != city_.value()) {
        return refuse(RefusalKind::city_mismatch,
                      "the issue state is not of city " + city_digits(city_));
    }
    return {};
}

Result<std::int64_t> IssueStore::import(const std::vector<IssueOrder>& orders, const Actor& who,
                                        const Progress& progress) {
    ONECARD_TRY(transaction, plain(database_.begin()));
    IssueChange change{ChipStep::import, who, {}, {}, {}, {}, {}, {}};
    ONECARD_TRY(event, write_event(change));
    ONECARD_TRY(
        find, plain(database_.prepare("SELECT content FROM line WHERE kind = ?1 AND number = ?2")));
    ONECARD_TRY(insert, plain(database_.prepare("INSERT INTO line(kind, number, content, pin, "
                                                "ordered) VALUES(?1, ?2, ?3, ?4, ?5)")));
    std::int64_t added = 0;
    for (std::size_t i = 0; i < orders.size(); ++i) {
        if (progress && i % progress_step == 0) progress(i, orders.size());
        const IssueOrder& order = orders[i];
        const auto kind = static_cast<std::uint8_t>(kind_of(order));
        const std::string content = content_of(order);
        ONECARD_TRY(known, plain(find.first(kind, number_of(order))));
        if (known && find.text(0) != content) {
            return refuse(RefusalKind::input_wrong, number_text(order) +
                                                        ": is ordered already, differently; "
                                                        "nothing was imported");
        }
        if (known) continue;
        ONECARD_CHECK(plain(insert.run(kind, number_of(order), content, pin_of(order), event)));
        ++added;
        if (const auto old = replaces_of(order)) {
            ONECARD_CHECK(replace(kind_of(order), *old, database_.last_row_id(), who));
        }
    }
    find.reset();
    if (progress) progress(orders.size(), orders.size());
    if (added == 0) return 0;  // and no event
    change.more = {{"lines", orders.size()}, {"new", added}};
    ONECARD_TRY(update, plain(database_.prepare("UPDATE event SET detail = ?2 WHERE id = ?1")));
    ONECARD_CHECK(plain(update.run(event, json::serialize(change.more))));
    ONECARD_CHECK(tell_hook(change));
    ONECARD_CHECK(plain(transaction.commit()));
    return added;
}

IssuingResult<std::optional<IssueLine>> IssueStore::find_claimed(const DeskReference& who) {
    ONECARD_TRY(select, issuing(database_.prepare(std::string{line_columns} +
                                                  "WHERE desk = ?1 AND reference = ?2")));
    ONECARD_TRY(row, issuing(select.first(who.desk, who.reference)));
    if (!row) return std::nullopt;
    ONECARD_TRY(line, read_line(select));
    return line;
}

IssuingResult<IssueLine> IssueStore::claim_next(const DeskReference& who, ChipKind kind) {
    ONECARD_TRY(select, issuing(database_.prepare(
                            std::string{line_columns} +
                            "WHERE kind = ?1 AND state = 1 AND desk IS NULL ORDER BY id LIMIT 1")));
    ONECARD_TRY(row, issuing(select.first(static_cast<std::uint8_t>(kind))));
    if (!row) {
        return std::unexpected{IssuingFailure{
            IssuingRefusal::line_unknown,
            std::string{"no open line for a "} + name(kind) + ": import more (issuing import)"}};
    }
    ONECARD_TRY(line, read_line(select));
    select.reset();
    ONECARD_TRY(
        update,
        issuing(database_.prepare("UPDATE line SET desk = ?2, reference = ?3 WHERE id = ?1")));
    ONECARD_CHECK(issuing(update.run(line.id, who.desk, who.reference)));
    ONECARD_CHECK(
        issuing(record(change_of(ChipStep::claim, desk(who.desk), line, ChipState::ordered))));
    return line;
}

IssuingResult<IssueLine> IssueStore::claim(const DeskReference& who, ChipKind kind) {
    ONECARD_TRY(transaction, issuing(database_.begin()));
    ONECARD_TRY(claimed, find_claimed(who));
    if (claimed && kind_of(claimed->order) != kind) {
        return std::unexpected{IssuingFailure{
            IssuingRefusal::wrong_kind,
            std::string{"this reference stands for a "} + name(kind_of(claimed->order))}};
    }
    if (claimed) return *std::move(claimed);
    ONECARD_TRY(line, claim_next(who, kind));
    ONECARD_CHECK(issuing(transaction.commit()));
    return line;
}

IssuingResult<void> IssueStore::bind(const IssueLine& line, const ChipSerial& chip,
                                     const std::string& entry, std::span<const KeyStamp> keys,
                                     const std::string& desk_name) {
    if (line.chip && *line.chip != chip) {
        return fail(IssuingRefusal::line_bound_to_other_chip,
                    number_text(line.order) + " belongs to chip " +
                        platform::to_hex(line.chip->value()) +
                        ": bring that one, or release the line (issuing release)");
    }
    ONECARD_TRY(transaction, issuing(database_.begin()));
    ONECARD_TRY(find_scrap, issuing(database_.prepare("SELECT 1 FROM scrap WHERE chip = ?1")));
    ONECARD_TRY(is_scrap, issuing(find_scrap.first(chip.value())));
    if (is_scrap) {
        return fail(IssuingRefusal::chip_bound_to_other_line,
                    "chip " + platform::to_hex(chip.value()) + " was released: it is scrap");
    }
    ONECARD_TRY(find, issuing(database_.prepare("SELECT state, key_set FROM line WHERE id = ?1")));
    ONECARD_TRY(known, issuing(find.first(line.id)));
    const auto state = known ? static_cast<ChipState>(find.integer(0)) : ChipState::retired;
    const std::int64_t set_before = known ? find.integer(1) : 0;
    find.reset();
    if (state != ChipState::ordered && state != ChipState::bound) {
        return fail(IssuingRefusal::line_closed,
                    number_text(line.order) + " is " + name(state) + " by now");
    }
    ONECARD_TRY(set, issuing(key_set(keys)));
    ONECARD_TRY(update, issuing(database_.prepare(
                            "UPDATE line SET chip = ?2, entry = ?3, key_set = ?4, state = 2 "
                            "WHERE id = ?1 AND (chip IS NULL OR chip = ?2)")));
    const auto bound = update.run(line.id, chip.value(), entry, set);
    if (!bound && bound.error().error == sqlite::Error::constraint) {
        return fail(IssuingRefusal::chip_bound_to_other_line,
                    "chip " + platform::to_hex(chip.value()) + " stands on another line already");
    }
    if (!bound) return std::unexpected{broken_issuing(bound.error())};
    if (database_.changes() != 1) {
        return fail(IssuingRefusal::line_bound_to_other_chip,
                    "another session took the line: begin again");
    }
    if (state == ChipState::bound && set == set_before) return {};  // the same again: no change
    const Actor who = desk(desk_name);
    IssueChange change = change_of(ChipStep::bind, who, line, ChipState::bound);
    change.from = state;
    change.more = {{"chip", platform::to_hex(chip.value())}};
    ONECARD_CHECK(issuing(record(change)));
    return issuing(transaction.commit());
}

IssuingResult<void> IssueStore::finish(const IssueLine& line, const std::string& desk_name) {
    ONECARD_TRY(transaction, issuing(database_.begin()));
    ONECARD_TRY(find, issuing(database_.prepare("SELECT state FROM line WHERE id = ?1")));
    ONECARD_TRY(known, issuing(find.first(line.id)));
    const auto state = known ? static_cast<ChipState>(find.integer(0)) : ChipState::retired;
    find.reset();
    if (state == ChipState::issued || state == ChipState::activated) return {};
    if (state != ChipState::bound) {
        return fail(IssuingRefusal::line_closed, number_text(line.order) + " is " + name(state) +
                                                     " by now: keep this chip back");
    }
    ONECARD_TRY(insert, issuing(database_.prepare("INSERT INTO registry(line, topic, entry) "
                                                  "SELECT id, ?2, entry FROM line WHERE id = ?1")));
    ONECARD_TRY(update,
                issuing(database_.prepare("UPDATE line SET state = 3, pin = '' WHERE id = ?1")));
    ONECARD_CHECK(issuing(insert.run(line.id, topic_issued)));
    ONECARD_CHECK(issuing(update.run(line.id)));
    const Actor who = desk(desk_name);
    IssueChange change = change_of(ChipStep::finish, who, line, ChipState::issued);
    change.from = state;
    ONECARD_CHECK(issuing(record(change)));
    return issuing(transaction.commit());
}

IssuingResult<void> IssueStore::chip_blocked(const IssueLine& line, const std::string& desk_name) {
    ONECARD_TRY(transaction, issuing(database_.begin()));
    ONECARD_TRY(update, issuing(database_.prepare("UPDATE line SET chip_blocked = 1 "
                                                  "WHERE id = ?1 AND chip_blocked = 0")));
    ONECARD_CHECK(issuing(update.run(line.id)));
    if (database_.changes() == 0) return {};
    const Actor who = desk(desk_name);
    ONECARD_CHECK(issuing(record(change_of(ChipStep::chip_blocked, who, line, line.state))));
    return issuing(transaction.commit());
}

IssuingResult<std::optional<IssueLine>> IssueStore::find_chip(const ChipSerial& chip) {
    ONECARD_TRY(select, issuing(database_.prepare(std::string{line_columns} + "WHERE chip = ?1")));
    ONECARD_TRY(row, issuing(select.first(chip.value())));
    if (!row) return std::nullopt;
    ONECARD_TRY(line, read_line(select));
    return line;
}

Result<IssueCounts> IssueStore::counts() {
    ONECARD_TRY(
        select,
        plain(database_.prepare("SELECT kind, state, count(*) FROM line GROUP BY kind, state")));
    IssueCounts counts;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return counts;
        const std::size_t kind = select.integer(0) == 1 ? 0 : 1;
        const auto state = static_cast<std::size_t>(select.integer(1));
        if (state <= chip_state_last) counts.by_kind.at(kind).at(state) = select.integer(2);
    }
}

Result<std::int64_t> IssueStore::registry(std::int64_t after,
                                          const std::function<void(const std::string&)>& each,
                                          std::int64_t count_max) {
    ONECARD_TRY(select, plain(database_.prepare("SELECT sequence, entry FROM registry "
                                                "WHERE sequence > ?1 ORDER BY sequence LIMIT ?2")));
    ONECARD_CHECK(plain(select.bind_all(after, count_max)));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return after;
        after = select.integer(0);
        each(std::string{select.text(1)});
    }
}

Result<std::int64_t> IssueStore::told() {
    ONECARD_TRY(select, plain(database_.prepare("SELECT number FROM told")));
    ONECARD_TRY(row, plain(select.step()));
    return row ? select.integer(0) : 0;
}

Result<void> IssueStore::set_told(std::int64_t number) {
    ONECARD_TRY(update, plain(database_.prepare("UPDATE told SET number = ?1")));
    return plain(update.run(number));
}

std::string registry_line(Mark mark, const IssuerPlace& place, const IssueOrder& order,
                          const ChipSerial& chip, std::span<const KeyStamp> keys) {
    std::vector<KeyStamp> purchase;
    std::ranges::copy_if(keys, std::back_inserter(purchase),
                         [](const KeyStamp& key) { return key.use == KeyUse::purchase; });
    json::object entry{{"kind", name(kind_of(order))},
                       {"mark", word(mark)},
                       {"number", platform::to_hex(number_of(order))},
                       {"chip", platform::to_hex(chip.value())},
                       {"city", city_digits(place.city)}};
    if (const auto* card = std::get_if<CardOrder>(&order)) {
        entry["issuer"] = platform::to_hex(place.issuer.value());
        entry["suite"] = word(card->suite);
        entry["key_version"] = purchase.empty() ? 0 : purchase.front().version.value();
        entry["valid_from"] = platform::to_hex(card->valid_from.bcd());
        entry["valid_to"] = platform::to_hex(card->valid_to.bcd());
        entry["holder"] = word(card->holder);
        entry["interoperable"] = card->interoperable;
    } else {
        const auto& sam = std::get<SamOrder>(order);
        entry["terminal"] = platform::to_hex(sam.terminal.value());
        entry["operator"] = platform::to_hex(sam.operator_id.value());
        entry["valid_from"] = platform::to_hex(sam.valid_from.bcd());
        entry["valid_to"] = platform::to_hex(sam.valid_to.bcd());
        json::array versions;
        for (const KeyStamp& key : purchase) {
            versions.push_back(
                json::object{{"suite", word(key.suite)}, {"version", key.version.value()}});
        }
        entry["keys"] = std::move(versions);
    }
    return json::serialize(entry);
}

}  // namespace host::keys
