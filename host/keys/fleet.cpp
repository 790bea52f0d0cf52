#include "host/keys/fleet.hpp"

#include <map>

#include "host/keys/issue_rows.hpp"

namespace host::keys {
namespace {

namespace sqlite = platform::sqlite;
using protocol::KeyVersion;

// A chip's keys are its key set; few sets hold a key, and each set's chips are in an index.
constexpr std::string_view sets_with_key =
    "(SELECT key_set FROM key_set_member WHERE use = ?1 AND suite = ?2 AND version = ?3 "
    "AND (?4 IS NULL OR national = ?4))";
constexpr std::string_view needs_its_keys =
    " AND (state IN (2, 3, 4) OR (state = 6 AND replaced_by IS NULL))";

std::string count_lines(Holding holding) {
    return "SELECT kind, count(*) FROM line WHERE key_set IN " + std::string{sets_with_key} +
           std::string{holding == Holding::in_use ? needs_its_keys : ""} + " GROUP BY kind";
}
std::string count_scrap() {
    return "SELECT count(*) FROM scrap WHERE key_set IN " + std::string{sets_with_key};
}
std::string list_chips(Holding holding) {
    const std::string columns =
        "SELECT kind, number, line.chip, state, replaced_by, chip_blocked, 0 FROM line WHERE "
        "key_set IN ";
    if (holding == Holding::in_use) {
        return columns + std::string{sets_with_key} + std::string{needs_its_keys};
    }
    return columns + std::string{sets_with_key} +
           " UNION ALL SELECT kind, number, scrap.chip, state, replaced_by, 0, 1 "
           "FROM scrap JOIN line ON line.id = scrap.line WHERE scrap.key_set IN " +
           std::string{sets_with_key};
}

Result<FleetChip> read_chip(const sqlite::Statement& row) {
    const auto number = row.array<10>(1);
    const std::int64_t state = row.integer(3);
    if (!number || state < 1 || state > chip_state_last) {
        return refuse(RefusalKind::file_failed, "issue state: a line is damaged");
    }
    FleetChip out{row.integer(0) == 1 ? ChipKind::card : ChipKind::sam,
                  *number,
                  {},
                  static_cast<ChipState>(state),
                  row.integer(6) != 0,
                  !row.is_null(4),
                  row.integer(5) != 0};
    if (const auto chip = row.array<8>(2)) out.chip = ChipSerial{*chip};
    return out;
}

using KeySets = std::map<std::int64_t, std::vector<KeyStamp>>;
Result<KeySets> read_key_sets(sqlite::Database& database) {
    ONECARD_TRY(select, plain(database.prepare(
                            "SELECT key_set, use, suite, version, national FROM key_set_member")));
    KeySets sets;
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return sets;
        sets[select.integer(0)].push_back(
            {static_cast<KeyUse>(select.integer(1)), static_cast<Suite>(select.integer(2)),
             KeyVersion{static_cast<std::uint8_t>(select.integer(3))}, select.integer(4) != 0});
    }
}

/// The values of `sets_with_key`.
struct KeyNumbers {
    KeyNumbers(KeyUse use_is, Suite suite_is, KeyVersion version_is, std::optional<bool> is_root)
        : use{static_cast<std::uint8_t>(use_is)},
          suite{static_cast<std::uint8_t>(suite_is)},
          version{version_is.value()} {
        if (is_root) national = *is_root ? 1 : 0;
    }
    std::uint8_t use;
    std::uint8_t suite;
    std::uint8_t version;
    std::optional<std::int64_t> national;
};

}  // namespace

Result<KeyHolders> Fleet::count_by_key(KeyUse use, Suite suite, KeyVersion version, Holding holding,
                                       std::optional<bool> national) {
    const KeyNumbers key{use, suite, version, national};
    KeyHolders holders;
    ONECARD_TRY(select, plain(database_.prepare(count_lines(holding))));
    ONECARD_CHECK(plain(select.bind_all(key.use, key.suite, key.version, key.national)));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) break;
        (select.integer(0) == 1 ? holders.cards : holders.sams) = select.integer(1);
    }
    if (holding == Holding::in_use) return holders;
    ONECARD_TRY(scrap, plain(database_.prepare(count_scrap())));
    ONECARD_CHECK(plain(scrap.first(key.use, key.suite, key.version, key.national)));
    holders.scrap = scrap.integer(0);
    return holders;
}

Result<void> Fleet::each_with_key(KeyUse use, Suite suite, KeyVersion version,
                                  const std::function<void(const FleetChip&)>& each,
                                  Holding holding, std::optional<bool> national) {
    const KeyNumbers key{use, suite, version, national};
    ONECARD_TRY(select, plain(database_.prepare(list_chips(holding))));
    ONECARD_CHECK(plain(select.bind_all(key.use, key.suite, key.version, key.national)));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return {};
        ONECARD_TRY(chip, read_chip(select));
        each(chip);
    }
}

Result<void> Fleet::each(
    const InventoryFilter& filter,
    const std::function<void(const FleetChip&, std::span<const KeyStamp>)>& each) {
    ONECARD_TRY(sets, read_key_sets(database_));
    ONECARD_TRY(select,
                plain(database_.prepare(
                    "SELECT kind, number, chip, state, replaced_by, chip_blocked, 0, key_set "
                    "FROM line WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR state = ?2) AND "
                    "(?3 IS NULL OR key_set IN (SELECT key_set FROM key_set_member WHERE version "
                    "= ?3)) ORDER BY id")));
    const auto number = [](const auto& value) {
        return value ? std::optional{static_cast<std::int64_t>(*value)} : std::nullopt;
    };
    const auto version =
        filter.version ? std::optional{std::int64_t{filter.version->value()}} : std::nullopt;
    ONECARD_CHECK(plain(select.bind_all(number(filter.kind), number(filter.state), version)));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return {};
        ONECARD_TRY(chip, read_chip(select));
        const auto set = sets.find(select.is_null(7) ? 0 : select.integer(7));
        each(chip, set == sets.end() ? std::span<const KeyStamp>{} : set->second);
    }
}

Result<KeyHolders> Fleet::count_in_use() {
    KeyHolders holders;
    ONECARD_TRY(select, plain(database_.prepare("SELECT kind, count(*) FROM line WHERE 1" +
                                                std::string{needs_its_keys} + " GROUP BY kind")));
    for (;;) {
        ONECARD_TRY(row, plain(select.step()));
        if (!row) return holders;
        (select.integer(0) == 1 ? holders.cards : holders.sams) = select.integer(1);
    }
}

Result<std::string> Fleet::query_plan(Holding holding) {
    std::string plan;
    for (const std::string& sql : {count_lines(holding), count_scrap(), list_chips(holding)}) {
        ONECARD_TRY(select, plain(database_.prepare("EXPLAIN QUERY PLAN " + sql)));
        for (;;) {
            ONECARD_TRY(row, plain(select.step()));
            if (!row) break;
            plan += std::string{select.text(3)} + "\n";
        }
    }
    return plan;
}

}  // namespace host::keys
