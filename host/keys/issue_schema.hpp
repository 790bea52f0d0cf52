#pragma once
// The issue store's tables. docs/issuing.md. Never edit a step that has been released: add.
#include <array>

#include "platform/sqlite.hpp"

namespace host::keys {

constexpr std::uint32_t issue_application_id = 0x4F434B49;  // "OCKI"

/// `content` is the order without its PIN, to tell a repetition from a change; the PIN stands apart
/// and goes when the line is issued.
constexpr platform::sqlite::Migration issue_lines{R"sql(
    CREATE TABLE owner(mark INTEGER NOT NULL, city INTEGER NOT NULL);
    CREATE TABLE line(
        id INTEGER PRIMARY KEY,
        kind INTEGER NOT NULL,
        number BLOB NOT NULL,
        content TEXT NOT NULL,
        pin TEXT NOT NULL,
        state INTEGER NOT NULL DEFAULT 1,
        chip BLOB UNIQUE,
        entry TEXT,
        desk TEXT,
        reference TEXT,
        UNIQUE(kind, number),
        UNIQUE(desk, reference));
    CREATE INDEX line_waiting ON line(kind, id) WHERE state = 1 AND desk IS NULL;
    CREATE TABLE registry(
        sequence INTEGER PRIMARY KEY,
        line INTEGER NOT NULL UNIQUE REFERENCES line(id),
        entry TEXT NOT NULL);
)sql"};

constexpr platform::sqlite::Migration issue_told{R"sql(
    CREATE TABLE told(number INTEGER NOT NULL);
    INSERT INTO told VALUES(0);
)sql"};

/// The life after issuing, who did what, and which keys are in which chip. A program before this
/// step knew one version of every key and recorded the purchase key's: every key of such a chip is
/// taken to have it. Uses: crypto::keys::KeyUse; suites: protocol::Suite.
constexpr platform::sqlite::Migration issue_life{R"sql(
    CREATE TABLE event(
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        who TEXT NOT NULL,
        step INTEGER NOT NULL,
        line INTEGER REFERENCES line(id),
        before INTEGER,
        after INTEGER,
        detail TEXT NOT NULL);
    CREATE INDEX event_by_line ON event(line);

    CREATE TABLE key_set(id INTEGER PRIMARY KEY, members TEXT NOT NULL UNIQUE);
    CREATE TABLE key_set_member(
        use INTEGER NOT NULL,
        suite INTEGER NOT NULL,
        version INTEGER NOT NULL,
        key_set INTEGER NOT NULL REFERENCES key_set(id),
        national INTEGER NOT NULL,
        PRIMARY KEY(use, suite, version, key_set, national)) WITHOUT ROWID;
    CREATE INDEX key_set_members ON key_set_member(key_set);

    ALTER TABLE line ADD COLUMN key_set INTEGER REFERENCES key_set(id);
    ALTER TABLE line ADD COLUMN state_before INTEGER;
    ALTER TABLE line ADD COLUMN reason INTEGER;
    ALTER TABLE line ADD COLUMN since BLOB;
    ALTER TABLE line ADD COLUMN replaced_by INTEGER REFERENCES line(id);
    ALTER TABLE line ADD COLUMN ordered INTEGER REFERENCES event(id);
    ALTER TABLE line ADD COLUMN chip_blocked INTEGER NOT NULL DEFAULT 0;
    CREATE UNIQUE INDEX line_replaced_by ON line(replaced_by) WHERE replaced_by IS NOT NULL;
    CREATE INDEX line_by_key_set ON line(key_set, state, replaced_by, kind);
    CREATE INDEX line_by_state ON line(kind, state);
    UPDATE line SET content = content || ',';

    CREATE TABLE scrap(
        chip BLOB PRIMARY KEY,
        line INTEGER NOT NULL REFERENCES line(id),
        key_set INTEGER REFERENCES key_set(id),
        event INTEGER NOT NULL REFERENCES event(id)) WITHOUT ROWID;
    CREATE INDEX scrap_by_key_set ON scrap(key_set, line);

    CREATE TABLE registry_of_all(
        sequence INTEGER PRIMARY KEY,
        line INTEGER NOT NULL REFERENCES line(id),
        topic INTEGER NOT NULL,
        entry TEXT NOT NULL);
    INSERT INTO registry_of_all SELECT sequence, line, 1, entry FROM registry;
    DROP TABLE registry;
    ALTER TABLE registry_of_all RENAME TO registry;
    CREATE UNIQUE INDEX registry_issued ON registry(line) WHERE topic = 1;

    INSERT INTO key_set(members)
        SELECT DISTINCT 'card ' || (entry ->> '$.suite') || ' ' || (entry ->> '$.key_version')
            FROM line WHERE entry IS NOT NULL AND kind = 1
        UNION SELECT DISTINCT 'sam ' || (entry ->> '$.keys')
            FROM line WHERE entry IS NOT NULL AND kind = 2;
    INSERT INTO key_set_member
        SELECT use.value, CASE k.entry ->> '$.suite' WHEN 'sm4' THEN 4 ELSE 0 END,
                k.entry ->> '$.key_version', s.id, 0
            FROM (SELECT DISTINCT json_object('suite', entry ->> '$.suite',
                                              'key_version', entry ->> '$.key_version') AS entry
                  FROM line WHERE entry IS NOT NULL AND kind = 1) k
            JOIN key_set s ON s.members =
                'card ' || (k.entry ->> '$.suite') || ' ' || (k.entry ->> '$.key_version')
            JOIN json_each('[1,2,3,6,7,8,9,10,11,12,13]') use;
    INSERT INTO key_set_member
        SELECT use.value, CASE key.value ->> '$.suite' WHEN 'sm4' THEN 4 ELSE 0 END,
                key.value ->> '$.version', s.id, 1
            FROM key_set s JOIN json_each(substr(s.members, 5)) key JOIN json_each('[1,6]') use
            WHERE s.members LIKE 'sam %';
    UPDATE line SET key_set = (SELECT id FROM key_set WHERE members =
        CASE line.kind WHEN 1
            THEN 'card ' || (line.entry ->> '$.suite') || ' ' || (line.entry ->> '$.key_version')
            ELSE 'sam ' || (line.entry ->> '$.keys') END)
        WHERE entry IS NOT NULL;
)sql"};

/// The log of every change: issuing_audit.hpp. `event` is the newest one when the entry was
/// written.
constexpr platform::sqlite::Migration issue_audit{R"sql(
    CREATE TABLE audit_owner(
        one INTEGER PRIMARY KEY CHECK(one = 1), owner BLOB NOT NULL, key BLOB NOT NULL);
    CREATE TABLE audit(
        number INTEGER PRIMARY KEY,
        event INTEGER NOT NULL,
        line TEXT NOT NULL,
        signature BLOB NOT NULL,
        head BLOB NOT NULL);
)sql"};

inline constexpr std::array issue_schema{issue_lines, issue_told, issue_life, issue_audit};

}  // namespace host::keys
