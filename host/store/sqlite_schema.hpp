#pragma once
// The tables. Keys of what cities share begin with a city, debits are in the order in which a
// terminal delivers them, a card is one small row (docs/host.md, 6). Dates are integers yyyymmdd,
// money is fen, ids are blobs as on the card, times are the seven BCD bytes.
#include <array>

#include "platform/sqlite.hpp"

namespace host::store {

constexpr std::uint32_t sqlite_application_id = 0x4F434844;  // "OCHD"

constexpr platform::sqlite::Migration sqlite_first_schema{R"sql(
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE operators (operator_id BLOB PRIMARY KEY, display_name TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE devices (
    device BLOB PRIMARY KEY, operator_id BLOB NOT NULL REFERENCES operators, public_key BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE sams (
    terminal BLOB PRIMARY KEY, number BLOB NOT NULL, operator_id BLOB NOT NULL REFERENCES operators,
    bound_from BLOB NOT NULL, bound_until BLOB
) STRICT, WITHOUT ROWID;

CREATE TABLE cards (
    card BLOB PRIMARY KEY, issuer BLOB NOT NULL, state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE debits (
    issuer_city INTEGER NOT NULL, terminal BLOB NOT NULL, sequence INTEGER NOT NULL,
    card BLOB NOT NULL, claim INTEGER NOT NULL, content BLOB NOT NULL,
    outcome INTEGER NOT NULL, flags INTEGER NOT NULL,
    acquirer INTEGER NOT NULL, carrier INTEGER NOT NULL, place INTEGER NOT NULL,
    PRIMARY KEY (issuer_city, terminal, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
    issuer_city INTEGER NOT NULL, terminal BLOB NOT NULL, sequence INTEGER NOT NULL,
    card BLOB NOT NULL, state INTEGER NOT NULL, operator_id BLOB NOT NULL,
    acquirer INTEGER NOT NULL, carrier INTEGER NOT NULL, place INTEGER NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (issuer_city, terminal, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_card ON held (card);
CREATE TABLE unresolved (
    issuer BLOB NOT NULL, terminal BLOB NOT NULL, sequence INTEGER NOT NULL,
    operator_id BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (issuer, terminal, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE batches (
    id INTEGER PRIMARY KEY, device BLOB NOT NULL, sequence INTEGER NOT NULL, operator_id BLOB NOT NULL,
    business_date INTEGER NOT NULL, received_ms INTEGER NOT NULL, file_digest BLOB NOT NULL,
    record_count INTEGER NOT NULL, pending_count INTEGER NOT NULL, state INTEGER NOT NULL,
    UNIQUE (device, sequence)
) STRICT;
CREATE INDEX batches_unfinished ON batches (state, id) WHERE state < 3;
CREATE TABLE batch_files (batch INTEGER PRIMARY KEY REFERENCES batches, file BLOB NOT NULL) STRICT;
CREATE TABLE batch_results (batch INTEGER PRIMARY KEY REFERENCES batches, results BLOB NOT NULL) STRICT;

CREATE TABLE outbox (
    peer INTEGER NOT NULL, number INTEGER NOT NULL, business_date INTEGER NOT NULL,
    places BLOB NOT NULL, body BLOB NOT NULL, booked INTEGER,
    PRIMARY KEY (peer, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_unanswered ON outbox (peer, number) WHERE booked IS NULL;
CREATE TABLE inbox (
    peer INTEGER NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL, answer BLOB NOT NULL,
    PRIMARY KEY (peer, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE loads (
    device BLOB NOT NULL, sequence INTEGER NOT NULL, operator_id BLOB NOT NULL,
    request BLOB NOT NULL, answer BLOB NOT NULL, state INTEGER NOT NULL,
    PRIMARY KEY (device, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE hot (
    kind INTEGER NOT NULL, number BLOB NOT NULL, entry BLOB NOT NULL, listed_from BLOB,
    PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE hot_lists (sequence INTEGER PRIMARY KEY, file BLOB NOT NULL) STRICT;

CREATE TABLE accounts (
    id INTEGER PRIMARY KEY, purpose INTEGER NOT NULL, participant TEXT NOT NULL,
    debits INTEGER NOT NULL, credits INTEGER NOT NULL, UNIQUE (purpose, participant)
) STRICT;
CREATE TABLE entries (
    number INTEGER PRIMARY KEY, class INTEGER NOT NULL, business_date INTEGER NOT NULL,
    source TEXT NOT NULL, chain BLOB NOT NULL
) STRICT;
CREATE INDEX entries_by_source ON entries (source);
CREATE TABLE postings (
    entry INTEGER NOT NULL REFERENCES entries, line INTEGER NOT NULL,
    debit INTEGER NOT NULL REFERENCES accounts, credit INTEGER NOT NULL REFERENCES accounts,
    amount INTEGER NOT NULL CHECK (amount > 0), place INTEGER NOT NULL, card BLOB,
    PRIMARY KEY (entry, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE day_totals (
    business_date INTEGER NOT NULL, class INTEGER NOT NULL, account INTEGER NOT NULL REFERENCES accounts,
    debits INTEGER NOT NULL, credits INTEGER NOT NULL,
    PRIMARY KEY (business_date, class, account)
) STRICT, WITHOUT ROWID;
-- The past is immutable: docs/ledger.md, 3.
CREATE TRIGGER entries_fixed BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;
CREATE TRIGGER entries_kept BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'entries are immutable'); END;
CREATE TRIGGER postings_fixed BEFORE UPDATE ON postings BEGIN SELECT RAISE(ABORT, 'postings are immutable'); END;
CREATE TRIGGER postings_kept BEFORE DELETE ON postings BEGIN SELECT RAISE(ABORT, 'postings are immutable'); END;

CREATE TABLE days (business_date INTEGER PRIMARY KEY, state INTEGER NOT NULL) STRICT;
CREATE TABLE statements (
    business_date INTEGER NOT NULL, city INTEGER NOT NULL, file BLOB NOT NULL,
    PRIMARY KEY (business_date, city)
) STRICT, WITHOUT ROWID;
CREATE TABLE settlement_lines (
    business_date INTEGER NOT NULL, line INTEGER NOT NULL,
    payer TEXT NOT NULL, payee TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (business_date, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE peer_counts (
    business_date INTEGER NOT NULL, peer INTEGER NOT NULL, owed_to INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (business_date, peer, owed_to)
) STRICT, WITHOUT ROWID;
CREATE TABLE exceptions (
    id INTEGER PRIMARY KEY, business_date INTEGER NOT NULL, kind TEXT NOT NULL,
    reference TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
)sql"};

// The card is bytes 20 to 29 of a load request (protocol/load.hpp).
constexpr platform::sqlite::Migration sqlite_loads_by_card{R"sql(
CREATE INDEX loads_by_card ON loads (substr(request, 21, 10));
)sql"};

// A SAM keeps every operator it was bound to: records arrive late.
constexpr platform::sqlite::Migration sqlite_sam_history{R"sql(
CREATE TABLE sam_bindings (
    terminal BLOB NOT NULL, bound_from BLOB NOT NULL, bound_until BLOB, number BLOB NOT NULL,
    operator_id BLOB NOT NULL REFERENCES operators,
    PRIMARY KEY (terminal, bound_from)
) STRICT, WITHOUT ROWID;
INSERT INTO sam_bindings SELECT terminal, bound_from, bound_until, number, operator_id FROM sams;
DROP TABLE sams;
)sql"};

// The card is bytes 12 to 21 of a record, its counter the next two (protocol/batch.hpp).
constexpr platform::sqlite::Migration sqlite_unresolved_by_card{R"sql(
CREATE INDEX unresolved_by_card ON unresolved (substr(record, 13, 10));
)sql"};

// What issuers said about chips: docs/issuing.md, 2.
constexpr platform::sqlite::Migration sqlite_issuer_notices{R"sql(
CREATE TABLE issuer_notices (
    kind INTEGER NOT NULL, number BLOB NOT NULL, entry BLOB, line INTEGER NOT NULL,
    PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;
)sql"};

constexpr std::array sqlite_migrations{sqlite_first_schema, sqlite_loads_by_card,
                                       sqlite_sam_history, sqlite_unresolved_by_card,
                                       sqlite_issuer_notices};

}  // namespace host::store
