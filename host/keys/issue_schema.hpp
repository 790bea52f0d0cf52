#pragma once
// The issue store's tables. docs/issuing.md. Never edit a step that has been released: add.
#include <array>

#include "platform/sqlite.hpp"

namespace host::keys {

/// "OCKJ". "OCKI" were states whose log vouched for events only: they are refused.
constexpr std::uint32_t issue_application_id = 0x4F434B4A;

/// `content` is the order without its PIN, to tell a repetition from a change; `has_pin` says that
/// there was one. The PIN is sealed (pin_seal.hpp), and goes when the line is issued or ends.
/// Uses: crypto::keys::KeyUse; suites: protocol::Suite.
/// Entry n of `audit` tells event n, in the same commit: issuing_audit.hpp.
constexpr platform::sqlite::Migration issue_tables{R"sql(
    CREATE TABLE owner(mark INTEGER NOT NULL, city INTEGER NOT NULL) STRICT;

    CREATE TABLE event(
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        step INTEGER NOT NULL,
        line INTEGER REFERENCES line(id),
        before INTEGER,
        after INTEGER,
        detail TEXT NOT NULL) STRICT;
    CREATE INDEX event_by_line ON event(line);

    CREATE TABLE key_set(id INTEGER PRIMARY KEY, members TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE key_set_member(
        use INTEGER NOT NULL,
        suite INTEGER NOT NULL,
        version INTEGER NOT NULL,
        key_set INTEGER NOT NULL REFERENCES key_set(id),
        national INTEGER NOT NULL,
        PRIMARY KEY(use, suite, version, key_set, national)) STRICT, WITHOUT ROWID;
    CREATE INDEX key_set_members ON key_set_member(key_set);

    CREATE TABLE line(
        id INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        number BLOB NOT NULL,
        content TEXT NOT NULL,
        has_pin INTEGER NOT NULL DEFAULT 0,
        ordered INTEGER REFERENCES event(id),
        pin BLOB NOT NULL DEFAULT x'',
        state INTEGER NOT NULL DEFAULT 1,
        chip BLOB UNIQUE,
        entry TEXT,
        desk TEXT,
        reference TEXT,
        key_set INTEGER REFERENCES key_set(id),
        state_before INTEGER,
        reason INTEGER,
        since BLOB,
        replaced_by INTEGER REFERENCES line(id),
        chip_blocked INTEGER NOT NULL DEFAULT 0,
        UNIQUE(kind, number),
        UNIQUE(desk, reference)) STRICT;
    CREATE INDEX line_waiting ON line(kind, id) WHERE state = 1 AND desk IS NULL;
    CREATE UNIQUE INDEX line_replaced_by ON line(replaced_by) WHERE replaced_by IS NOT NULL;
    CREATE INDEX line_by_key_set ON line(key_set, state, replaced_by, kind);
    CREATE INDEX line_by_state ON line(kind, state);

    CREATE TABLE scrap(
        chip BLOB PRIMARY KEY,
        line INTEGER NOT NULL REFERENCES line(id),
        key_set INTEGER REFERENCES key_set(id),
        event INTEGER NOT NULL UNIQUE REFERENCES event(id)) STRICT, WITHOUT ROWID;
    CREATE INDEX scrap_by_key_set ON scrap(key_set, line);

    CREATE TABLE registry(
        sequence INTEGER PRIMARY KEY,
        line INTEGER NOT NULL REFERENCES line(id),
        topic INTEGER NOT NULL,
        entry TEXT NOT NULL,
        event INTEGER NOT NULL UNIQUE REFERENCES event(id)) STRICT;
    CREATE UNIQUE INDEX registry_issued ON registry(line) WHERE topic = 1;

    CREATE TABLE told(number INTEGER NOT NULL) STRICT;
    INSERT INTO told VALUES(0);

    CREATE TABLE audit_owner(
        one INTEGER PRIMARY KEY CHECK(one = 1), owner BLOB NOT NULL, key BLOB NOT NULL) STRICT;
    CREATE TABLE audit(
        number INTEGER PRIMARY KEY,
        line TEXT NOT NULL,
        signature BLOB NOT NULL,
        head BLOB NOT NULL) STRICT;
)sql"};

inline constexpr std::array issue_schema{issue_tables};

}  // namespace host::keys
