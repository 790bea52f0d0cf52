#include "host/keys/issue_store.hpp"

#include "host/keys/founding.hpp"
#include "host/keys/issue_print.hpp"
#include "host/keys/issue_rows.hpp"
#include "host/keys/issue_schema.hpp"
#include "platform/files.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
namespace sqlite = platform::sqlite;

constexpr const char* line_columns = "SELECT id, content, pin, state, chip, has_pin FROM line ";
constexpr int topic_issued = 1;
constexpr std::size_t progress_step = 10'000;

bool has_pin(const IssueOrder& order) {
    const auto* card = std::get_if<CardOrder>(&order);
    return card != nullptr && !card->pin.empty();
}
std::string content_of(IssueOrder order) {
    if (auto* card = std::get_if<CardOrder>(&order)) card->pin.clear();
    return to_csv(order);
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

/// Nobody but its owner reads the state: it says who has which card.
Result<void> check_private(const std::filesystem::path& file) {
    using std::filesystem::perms;
    for (const char* part : {"", "-wal", "-shm"}) {
        const std::filesystem::path path = file.string() + part;
        std::error_code error;
        const auto status = std::filesystem::status(path, error);
        if (!std::filesystem::exists(status)) continue;
        if ((status.permissions() & (perms::group_all | perms::others_all)) == perms::none)
            continue;
        return refuse(RefusalKind::file_failed, path.string() +
                                                    ": others than its owner may read or write "
                                                    "it: chmod 600 " +
                                                    path.string());
    }
    return {};
}
/// An empty file that others cannot read, before anything is in it; SQLite gives its neighbours the
/// same mode.
Result<void> make_private(const std::filesystem::path& file) {
    if (std::filesystem::exists(file)) return check_private(file);
    const auto made = platform::create_file(file, crypto::Bytes{});
    if (made || made.error().error == platform::FileError::already_exists) return {};
    return refuse(RefusalKind::file_failed, made.error().detail);
}

Result<sqlite::Database> open_database(const std::filesystem::path& file, bool read_only) {
    sqlite::Options options;
    options.application_id = issue_application_id;
    options.read_only = read_only;
    auto database = sqlite::Database::open(file, options);
    if (!database && database.error().error == sqlite::Error::wrong_application) {
        return refuse(RefusalKind::file_failed,
                      file.string() +
                          ": wrong_application: no issuing state, or one of an earlier program, "
                          "whose log does not vouch for its lines: keep it, and begin a new one");
    }
    return plain(std::move(database));
}

Result<void> check_version(sqlite::Database& database, const std::filesystem::path& file) {
    ONECARD_TRY(select, plain(database.prepare("PRAGMA user_version")));
    ONECARD_TRY(row, plain(select.step()));
    const std::int64_t version = row ? select.integer(0) : 0;
    if (version == std::int64_t{issue_schema.size()}) return {};
    return refuse(RefusalKind::file_failed,
                  file.string() + (version == 0 ? ": the state was not begun: `issuing import`"
                                                : ": schema_too_new: of a later program"));
}

}  // namespace

Result<IssueStore> IssueStore::open(const std::filesystem::path& file, Mark mark, CityCode city,
                                    const platform::Clock& clock, ChangeHook hook,
                                    std::optional<PinSeal> seal) {
    ONECARD_CHECK(make_private(file));
    ONECARD_TRY(database, open_database(file, false));
    // https://www.sqlite.org/pragma.html#pragma_secure_delete: what is deleted is overwritten.
    ONECARD_CHECK(plain(database.execute("PRAGMA secure_delete=ON")));
    ONECARD_CHECK(plain(database.migrate(issue_schema)));
    IssueStore store{std::move(database), mark, city, clock, std::move(hook), std::move(seal)};
    ONECARD_CHECK(store.begin_owner());
    ONECARD_CHECK(store.check_owner());
    return store;
}

Result<IssueStore> IssueStore::open_to_read(const std::filesystem::path& file, Mark mark,
                                            CityCode city, const platform::Clock& clock) {
    if (!std::filesystem::exists(file)) {
        return refuse(RefusalKind::file_failed,
                      file.string() + ": there is no such file: `issuing import` begins a state");
    }
    ONECARD_CHECK(check_private(file));
    ONECARD_TRY(database, open_database(file, true));
    ONECARD_CHECK(plain(database.execute("BEGIN")));
    ONECARD_CHECK(check_version(database, file));
    IssueStore store{std::move(database), mark, city, clock, {}, {}};
    ONECARD_CHECK(store.check_owner());
    return store;
}

Result<void> IssueStore::begin_owner() {
    ONECARD_TRY(transaction, plain(database_.begin()));
    ONECARD_TRY(insert, plain(database_.prepare("INSERT INTO owner SELECT ?1, ?2 WHERE NOT EXISTS "
                                                "(SELECT 1 FROM owner)")));
    ONECARD_CHECK(plain(insert.run(static_cast<std::uint8_t>(mark_), city_.value())));
    return plain(transaction.commit());
}

Result<void> IssueStore::check_owner() {
    ONECARD_TRY(select, plain(database_.prepare("SELECT mark, city FROM owner")));
    ONECARD_TRY(row, plain(select.step()));
    if (!row) return refuse(RefusalKind::file_failed, "the issue state was not begun");
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
    ONECARD_TRY(find, plain(database_.prepare("SELECT content, has_pin FROM line WHERE kind = ?1 "
                                              "AND number = ?2")));
    ONECARD_TRY(
        insert,
        plain(database_.prepare(std::string{"INSERT INTO line(kind, number, content, has_pin, pin, "
                                            "ordered) VALUES(?1, ?2, ?3, ?4, ?5, ?6) RETURNING "} +
                                order_columns)));
    std::int64_t added = 0;
    crypto::Sm3 rows;
    std::vector<std::pair<std::size_t, std::int64_t>> replacing;  // order, line
    for (std::size_t i = 0; i < orders.size(); ++i) {
        if (progress && i % progress_step == 0) progress(i, orders.size());
        const IssueOrder& order = orders[i];
        const auto kind = static_cast<std::uint8_t>(kind_of(order));
        const std::string content = content_of(order);
        ONECARD_TRY(known, plain(find.first(kind, number_of(order))));
        if (known && (find.text(0) != content || (find.integer(1) != 0) != has_pin(order))) {
            return refuse(RefusalKind::input_wrong, number_text(order) +
                                                        ": is ordered already, differently; "
                                                        "nothing was imported");
        }
        if (known) continue;
        ONECARD_TRY(pin, sealed_pin(order, content));
        ONECARD_TRY(inserted, plain(insert.first(kind, number_of(order), content, has_pin(order),
                                                 pin, event)));
        if (inserted) feed_row(rows, insert, order_column_count);
        if (replaces_of(order)) replacing.emplace_back(i, insert.integer(0));
        ONECARD_TRY(another, plain(insert.step()));
        if (!another) ++added;
    }
    find.reset();
    if (progress) progress(orders.size(), orders.size());
    if (added == 0) return 0;  // and no event
    change.more = {
        {"lines", orders.size()}, {"new", added}, {"rows", platform::to_hex(rows.finish())}};
    ONECARD_TRY(update, plain(database_.prepare("UPDATE event SET detail = ?2 WHERE id = ?1")));
    ONECARD_CHECK(plain(update.run(event, json::serialize(change.more))));
    ONECARD_CHECK(tell_hook(change));
    for (const auto& [i, line] : replacing) {
        ONECARD_CHECK(replace(kind_of(orders[i]), *replaces_of(orders[i]), line, who));
    }
    ONECARD_CHECK(plain(transaction.commit()));
    return added;
}

Result<std::vector<std::uint8_t>> IssueStore::sealed_pin(const IssueOrder& order,
                                                         const std::string& content) const {
    if (!has_pin(order)) return std::vector<std::uint8_t>{};
    if (!seal_) {
        return refuse(RefusalKind::input_wrong,
                      number_text(order) + ": a card with a PIN, and no key to seal it");
    }
    return seal_->seal(std::get<CardOrder>(order).pin, content);
}

/// The row that `statement` stands on. The database is ours: content that does not parse is damage.
IssuingResult<IssueLine> IssueStore::read_line(const sqlite::Statement& statement) const {
    std::string csv{order_header};
    csv += '\n';
    csv += statement.text(1);
    const auto orders = parse_orders(csv, "issue state");
    const std::int64_t state = statement.integer(3);
    const std::string line_text = "line " + std::to_string(statement.integer(0));
    if (!orders || orders->size() != 1 || state < 1 || state > chip_state_last) {
        return fail(IssuingRefusal::store_failed, line_text + " is damaged");
    }
    IssueLine line{statement.integer(0), orders->front(), static_cast<ChipState>(state), {}};
    if (const auto chip = statement.array<8>(4)) line.chip = ChipSerial{*chip};
    const bool needs_pin = statement.integer(5) != 0 &&
                           (line.state == ChipState::ordered || line.state == ChipState::bound);
    auto* card = std::get_if<CardOrder>(&line.order);
    if (!needs_pin || card == nullptr) return line;
    auto pin = seal_ ? seal_->open(statement.blob(2), statement.text(1)) : std::nullopt;
    if (!pin) {
        return fail(IssuingRefusal::store_failed,
                    line_text + ": its PIN does not open: `audit verify` says what was changed");
    }
    card->pin = *std::move(pin);
    return line;
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
    const Actor who = desk(desk_name);
    IssueChange change = change_of(ChipStep::finish, who, line, ChipState::issued);
    change.from = state;
    ONECARD_TRY(event, issuing(write_event(change)));
    ONECARD_TRY(insert,
                issuing(database_.prepare("INSERT INTO registry(line, topic, entry, event) "
                                          "SELECT id, ?2, entry, ?3 FROM line WHERE id = ?1")));
    ONECARD_TRY(update,
                issuing(database_.prepare("UPDATE line SET state = 3, pin = x'' WHERE id = ?1")));
    ONECARD_CHECK(issuing(insert.run(line.id, topic_issued, event)));
    ONECARD_CHECK(issuing(update.run(line.id)));
    ONECARD_CHECK(issuing(tell_hook(change)));
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
