// The steps after issuing, events, key sets. docs/issuing.md, 1-4.
#include <set>

#include "host/keys/founding.hpp"
#include "host/keys/issue_rows.hpp"

namespace host::keys {
namespace {

namespace json = boost::json;
namespace sqlite = platform::sqlite;
using protocol::DateTime;
using protocol::HotReason;

constexpr int topic_hot = 2;

std::unexpected<Refusal> refuse_step(LifeRefusal why, const std::string& detail) {
    return refuse(RefusalKind::input_wrong, std::string{name(why)} + ": " + detail);
}
std::unexpected<Refusal> damaged(std::int64_t line) {
    return refuse(RefusalKind::file_failed, "line " + std::to_string(line) + " is damaged");
}

std::optional<ChipState> state_at(const sqlite::Statement& row, int column) {
    const std::int64_t value = row.is_null(column) ? 0 : row.integer(column);
    if (value < 1 || value > chip_state_last) return std::nullopt;
    return static_cast<ChipState>(value);
}

constexpr std::size_t name_size_max = 128;

/// A name goes into logs that people read line by line: no line feed, no escape of a terminal.
Result<void> check_name(const Actor& who) {
    const std::string& text = who.name;
    bool plain_text = !text.empty() && text.size() <= name_size_max;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto before = static_cast<unsigned char>(i == 0 ? ' ' : text[i - 1]);
        // C0, DEL; C1, which UTF-8 writes as C2 80 to C2 9F: ISO/IEC 6429:1992, 5.
        if (byte < 0x20 || byte == 0x7F || (before == 0xC2 && byte < 0xA0)) plain_text = false;
    }
    boost::system::error_code error;  // what JSON does not take is no UTF-8
    (void)json::parse(json::serialize(json::value(text)), error);
    if (plain_text && !error) return {};
    return refuse(RefusalKind::input_wrong,
                  "who says so (--by, or a desk's name): 1 to 128 bytes of UTF-8 without control "
                  "characters expected");
}

bool may_have(ChipStep step, HotReason reason) {
    if (step == ChipStep::lose) return reason == HotReason::lost || reason == HotReason::stolen;
    return step == ChipStep::block || step == ChipStep::retire;
}
bool lists(ChipStep step) {
    return step == ChipStep::lose || step == ChipStep::block;
}

}  // namespace

struct IssueStore::Life {
    std::int64_t id = 0;
    ChipKind kind = ChipKind::card;
    std::array<std::uint8_t, 10> number{};
    ChipState state = ChipState::ordered;
    ChipState before_loss = ChipState::issued;
    std::optional<HotReason> reason;
    std::optional<DateTime> since;
    bool replaced = false;
};

// ---- Events and the hook ----

Result<std::int64_t> IssueStore::write_event(const IssueChange& change) {
    ONECARD_CHECK(check_name(change.who));
    ONECARD_TRY(insert, plain(database_.prepare(
                            "INSERT INTO event(at, who, step, line, before, after, detail) "
                            "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")));
    const auto number = [](const std::optional<ChipState>& state) {
        return state ? std::optional{static_cast<std::int64_t>(*state)} : std::nullopt;
    };
    ONECARD_CHECK(plain(insert.run(
        clock_.get().unix_ms(), change.who.text(), static_cast<std::uint8_t>(change.step),
        change.line, number(change.from), number(change.to), json::serialize(change.more))));
    return database_.last_row_id();
}

Result<void> IssueStore::tell_hook(const IssueChange& change) {
    if (!hook_) return {};
    json::object said{{"command", name(change.step)}, {"by", change.who.text()}};
    if (change.line) {
        said["kind"] = name(change.kind);
        said["number"] = number_text(change.kind, change.number);
        said["line"] = *change.line;
    }
    if (change.from) said["from"] = name(*change.from);
    if (change.to) said["to"] = name(*change.to);
    for (const auto& [key, value] : change.more) said[key] = value;
    return hook_(database_, json::serialize(said));
}

Result<void> IssueStore::record(const IssueChange& change) {
    ONECARD_CHECK(write_event(change));
    return tell_hook(change);
}

Result<std::vector<ChipEvent>> IssueStore::history(ChipKind kind,
                                                   const std::array<std::uint8_t, 10>& number) {
    ONECARD_TRY(chip, life_of(kind, number));
    ONECARD_TRY(select,
                plain(database_.prepare(
                    "SELECT at, who, step, before, after, detail FROM event WHERE line = ?1 OR "
                    "id = (SELECT ordered FROM line WHERE id = ?1) ORDER BY id")));
    ONECARD_CHECK(plain(select.bind_all(chip.id)));
    std::vector<ChipEvent> events;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return events;
        events.push_back({select.integer(0), std::string{select.text(1)},
                          static_cast<ChipStep>(select.integer(2)), state_at(select, 3),
                          state_at(select, 4), std::string{select.text(5)}});
    }
}

// ---- Which keys ----

std::string members_text(std::vector<KeyStamp> keys) {
    std::ranges::sort(keys);
    const auto repeated = std::ranges::unique(keys);
    keys.erase(repeated.begin(), repeated.end());
    std::string members;
    for (const KeyStamp& key : keys) {
        members += std::string{name(key.use)} + " " + word(key.suite) + " " +
                   std::to_string(key.version.value()) + (key.national ? " national" : "") + ",";
    }
    return members;
}

Result<std::vector<KeyStamp>> read_keys(sqlite::Statement& select) {
    std::vector<KeyStamp> keys;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return keys;
        keys.push_back({static_cast<KeyUse>(select.integer(0)),
                        static_cast<Suite>(select.integer(1)),
                        protocol::KeyVersion{static_cast<std::uint8_t>(select.integer(2))},
                        select.integer(3) != 0});
    }
}

Result<std::int64_t> IssueStore::key_set(std::span<const KeyStamp> keys) {
    const std::string members = members_text({keys.begin(), keys.end()});
    ONECARD_TRY(find, plain(database_.prepare("SELECT id FROM key_set WHERE members = ?1")));
    ONECARD_TRY(known, plain(find.first(members)));
    if (known) return find.integer(0);
    ONECARD_TRY(insert, plain(database_.prepare("INSERT INTO key_set(members) VALUES(?1)")));
    ONECARD_CHECK(plain(insert.run(members)));
    const std::int64_t set = database_.last_row_id();
    ONECARD_TRY(add,
                plain(database_.prepare("INSERT INTO key_set_member VALUES(?1, ?2, ?3, ?4, ?5)")));
    for (const KeyStamp& key : std::set<KeyStamp>{keys.begin(), keys.end()}) {
        ONECARD_CHECK(
            plain(add.run(static_cast<std::uint8_t>(key.use), static_cast<std::uint8_t>(key.suite),
                          key.version.value(), set, key.national)));
    }
    return set;
}

Result<std::vector<KeyStamp>> IssueStore::keys_of(const IssueLine& line) {
    ONECARD_TRY(select,
                plain(database_.prepare(
                    "SELECT use, suite, version, national FROM key_set_member WHERE key_set = "
                    "(SELECT key_set FROM line WHERE id = ?1)")));
    ONECARD_CHECK(plain(select.bind_all(line.id)));
    return read_keys(select);
}

// ---- Steps ----

Result<IssueStore::Life> IssueStore::life_of(ChipKind kind,
                                             const std::array<std::uint8_t, 10>& number) {
    ONECARD_TRY(select,
                plain(database_.prepare("SELECT id, state, state_before, reason, since, "
                                        "replaced_by FROM line WHERE kind = ?1 AND number = ?2")));
    ONECARD_TRY(row, plain(select.first(static_cast<std::uint8_t>(kind), number)));
    if (!row) {
        return refuse_step(LifeRefusal::line_unknown,
                           number_text(kind, number) + ": no such " + name(kind) + " was ordered");
    }
    Life chip{select.integer(0), kind, number, {}, {}, {}, {}, !select.is_null(5)};
    const auto state = state_at(select, 1);
    if (!state) return damaged(chip.id);
    chip.state = *state;
    chip.before_loss = state_at(select, 2).value_or(ChipState::issued);
    if (!select.is_null(3)) chip.reason = static_cast<HotReason>(select.integer(3));
    if (const auto since = select.array<7>(4)) {
        const auto when = DateTime::parse(*since);
        if (!when) return damaged(chip.id);
        chip.since = *when;
    }
    return chip;
}

Result<ChipState> IssueStore::take_step(const StepOrder& order, const Actor& who) {
    ONECARD_TRY(transaction, plain(database_.begin()));
    ONECARD_TRY(state, step(order, who));
    ONECARD_CHECK(plain(transaction.commit()));
    return state;
}

Result<ChipState> IssueStore::step(const StepOrder& order, const Actor& who) {
    ONECARD_TRY(chip, life_of(order.kind, order.number));
    const std::string text = number_text(order.kind, order.number);
    const auto to = next(chip.state, order.step, chip.before_loss);
    if (!to) return refuse_step(to.error(), text + " is " + name(chip.state));
    if (order.step == ChipStep::find && chip.state == ChipState::lost && chip.replaced) {
        return refuse_step(LifeRefusal::is_replaced, text + ": retire it, or keep it lost");
    }
    if (order.reason && !may_have(order.step, *order.reason)) {
        return refuse_step(LifeRefusal::reason_wrong,
                           std::string{word(*order.reason)} + " is none for " + name(order.step));
    }
    const DateTime now = clock_.get().now();
    if (order.since && (!lists(order.step) || *order.since > now)) {
        return refuse_step(LifeRefusal::since_wrong, "a time in the past expected");
    }
    StepOrder full = order;
    if (lists(order.step)) {
        const HotReason usual = order.step == ChipStep::lose ? HotReason::lost : HotReason::fraud;
        full.reason = order.reason.value_or(chip.reason.value_or(usual));
        full.since = order.since.value_or(chip.since.value_or(now));
    }
    const bool corrects =
        lists(order.step) && (full.reason != chip.reason || full.since != chip.since);
    if (*to == chip.state && !corrects) return *to;
    IssueChange change{order.step, who, chip.id, chip.kind, chip.number, chip.state, *to, {}};
    if (full.reason) change.more["reason"] = word(*full.reason);
    if (full.since) change.more["since"] = platform::to_hex(full.since->bcd());
    ONECARD_TRY(event, write_event(change));
    ONECARD_CHECK(enter(chip, full, *to, event));
    ONECARD_CHECK(tell_hook(change));
    if (*to == ChipState::retired && chip.state == ChipState::ordered) {
        ONECARD_CHECK(cancel(chip, who));
    }
    return *to;
}

/// The row, and what the host must hear. `order` is complete.
Result<void> IssueStore::enter(const Life& chip, const StepOrder& order, ChipState to,
                               std::int64_t event) {
    using Stamp = std::array<std::uint8_t, 7>;
    const auto keeps = [&](auto value) { return to == ChipState::retired ? value : std::nullopt; };
    const auto reason = lists(order.step) ? order.reason : keeps(chip.reason);
    const auto since = lists(order.step) ? order.since : keeps(chip.since);
    const bool to_lost = to == ChipState::lost;
    const ChipState before = chip.state == ChipState::lost ? chip.before_loss : chip.state;
    ONECARD_TRY(update, plain(database_.prepare("UPDATE line SET state = ?2, state_before = ?3, "
                                                "reason = ?4, since = ?5 WHERE id = ?1")));
    ONECARD_CHECK(
        plain(update.run(chip.id, static_cast<std::uint8_t>(to),
                         to_lost ? std::optional{static_cast<std::int64_t>(before)} : std::nullopt,
                         reason ? std::optional{static_cast<std::int64_t>(*reason)} : std::nullopt,
                         since ? std::optional<Stamp>{since->bcd()} : std::nullopt)));
    if (to == ChipState::retired) {
        ONECARD_TRY(forget, plain(database_.prepare("UPDATE line SET pin = x'' WHERE id = ?1")));
        ONECARD_CHECK(plain(forget.run(chip.id)));
    }
    if (to == ChipState::retired && chip.state == ChipState::ordered) {
        // Cancelled: its desk's chip gets another line.
        ONECARD_TRY(leave, plain(database_.prepare("UPDATE line SET desk = NULL, reference = NULL "
                                                   "WHERE id = ?1")));
        ONECARD_CHECK(plain(leave.run(chip.id)));
    }
    if (lists(order.step)) return list(chip, event, true, order.reason, order.since);
    if (order.step == ChipStep::find) return list(chip, event, false, {}, {});
    return {};
}

/// What the order was to replace may have another replacement.
Result<void> IssueStore::cancel(const Life& chip, const Actor& who) {
    ONECARD_TRY(find, plain(database_.prepare("SELECT number FROM line WHERE replaced_by = ?1")));
    ONECARD_TRY(known, plain(find.first(chip.id)));
    const auto number = known ? find.array<10>(0) : std::nullopt;
    find.reset();
    if (!number) return {};
    ONECARD_TRY(old, life_of(chip.kind, *number));
    ONECARD_TRY(update,
                plain(database_.prepare("UPDATE line SET replaced_by = NULL WHERE id = ?1")));
    ONECARD_CHECK(plain(update.run(old.id)));
    return record({ChipStep::replacement,
                   who,
                   old.id,
                   old.kind,
                   old.number,
                   old.state,
                   old.state,
                   {{"cancelled", chip.id}}});
}

Result<void> IssueStore::list(const Life& chip, std::int64_t event, bool listed,
                              const std::optional<HotReason>& reason,
                              const std::optional<DateTime>& since) {
    ONECARD_TRY(select,
                plain(database_.prepare("SELECT coalesce(max(sequence), 0) + 1 FROM registry")));
    ONECARD_CHECK(plain(select.first()));
    const std::int64_t sequence = select.integer(0);
    select.reset();
    json::object entry{
        {"kind", "hot"},    {"mark", word(mark_)},     {"city", city_digits(city_)},
        {"line", sequence}, {"what", name(chip.kind)}, {"number", platform::to_hex(chip.number)},
        {"listed", listed}};
    if (reason) entry["reason"] = word(*reason);
    if (since) entry["since"] = platform::to_hex(since->bcd());
    ONECARD_TRY(insert,
                plain(database_.prepare("INSERT INTO registry VALUES(?1, ?2, ?3, ?4, ?5)")));
    return plain(insert.run(sequence, chip.id, topic_hot, json::serialize(entry), event));
}

Result<void> IssueStore::replace(ChipKind kind, const std::array<std::uint8_t, 10>& number,
                                 std::int64_t by_line, const Actor& who) {
    ONECARD_TRY(old, life_of(kind, number));
    const std::string text = number_text(kind, number) + ", which a line replaces";
    if (old.replaced) return refuse_step(LifeRefusal::is_replaced, text + ", was replaced before");
    if (old.state == ChipState::ordered) {
        return refuse_step(LifeRefusal::not_issued, text + ", has no chip yet");
    }
    if (old.state == ChipState::bound) {
        return refuse_step(LifeRefusal::is_bound, text + ", is being made");
    }
    ONECARD_TRY(update, plain(database_.prepare("UPDATE line SET replaced_by = ?2 WHERE id = ?1")));
    ONECARD_CHECK(plain(update.run(old.id, by_line)));
    if (old.state == ChipState::issued || old.state == ChipState::activated) {
        ONECARD_CHECK(step({ChipStep::lose, kind, number, {}, {}}, who));
        return {};
    }
    return record({ChipStep::replacement,
                   who,
                   old.id,
                   kind,
                   number,
                   old.state,
                   old.state,
                   {{"ordered", by_line}}});
}

Result<void> IssueStore::release(ChipKind kind, const std::array<std::uint8_t, 10>& number,
                                 const Actor& who) {
    ONECARD_TRY(transaction, plain(database_.begin()));
    ONECARD_TRY(chip, life_of(kind, number));
    const auto to = next(chip.state, ChipStep::release, chip.before_loss);
    if (!to) {
        return refuse_step(to.error(), number_text(kind, number) + " is " + name(chip.state) +
                                           ": nothing to release");
    }
    const IssueChange change{ChipStep::release, who, chip.id, kind, number, chip.state, *to, {}};
    ONECARD_TRY(event, write_event(change));
    ONECARD_TRY(keep, plain(database_.prepare("INSERT INTO scrap SELECT chip, id, key_set, ?2 "
                                              "FROM line WHERE id = ?1")));
    ONECARD_CHECK(plain(keep.run(chip.id, event)));
    ONECARD_TRY(update, plain(database_.prepare(
                            "UPDATE line SET chip = NULL, entry = NULL, key_set = NULL, state = 1, "
                            "desk = NULL, reference = NULL WHERE id = ?1")));
    ONECARD_CHECK(plain(update.run(chip.id)));
    ONECARD_CHECK(tell_hook(change));
    return plain(transaction.commit());
}

}  // namespace host::keys
