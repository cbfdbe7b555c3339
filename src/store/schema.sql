-- Schema 1. A later one is a new step in file.rs; this file then stays as it is.

-- Every message, once, in the order of its commit. `raw` is sealed under the key of
-- `person`, or under the row's own key in `wrapped`.
CREATE TABLE journal (
    number         INTEGER PRIMARY KEY,
    source         TEXT NOT NULL,
    control_id     TEXT NOT NULL,
    digest         BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    fault          TEXT,
    at             TEXT,
    person         INTEGER,
    wrapped        BLOB,
    raw            BLOB NOT NULL
) STRICT;
CREATE INDEX journal_control_id ON journal (source, control_id, digest);
CREATE INDEX journal_held ON journal (number) WHERE state > 0;

-- Messages whose control id other bytes had before.
CREATE TABLE alarm (
    number INTEGER PRIMARY KEY
) STRICT;

-- Sums that are true in every commit.
CREATE TABLE count (
    source      TEXT PRIMARY KEY,
    received    INTEGER NOT NULL,
    kept        INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    repeated    INTEGER NOT NULL,
    reused      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- `wrapped` is the person's key; without it nothing sealed under it can be read.
CREATE TABLE person (
    id           INTEGER PRIMARY KEY,
    wrapped      BLOB,
    citizen      INTEGER NOT NULL,
    merged_into  INTEGER,
    erased_at_ms INTEGER
) STRICT;
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE merge (
    event   INTEGER PRIMARY KEY,
    person  INTEGER NOT NULL,
    target  INTEGER,
    at_ms   INTEGER NOT NULL,
    journal INTEGER
) STRICT;
CREATE INDEX merge_person ON merge (person);

-- Tokens are keyed digests; the identifiers themselves are nowhere in clear.
CREATE TABLE identifier (
    token   BLOB PRIMARY KEY,
    person  INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    journal INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_person ON identifier (person);

-- One record a message, under the same number.
CREATE TABLE record (
    number         INTEGER PRIMARY KEY,
    person         INTEGER NOT NULL,
    dataset        TEXT NOT NULL,
    source         TEXT NOT NULL,
    time           INTEGER,
    received_at_ms INTEGER NOT NULL,
    mappings       TEXT NOT NULL,
    sealed         BLOB NOT NULL
) STRICT;
CREATE INDEX record_person ON record (person, number);

CREATE TABLE ledger (
    number     INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    person     TEXT,
    department TEXT,
    bytes      BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoint (
    size  INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- Filled after the commit, up to `projected`; a search reads the tail beyond from the
-- ledger itself, so it is complete at every moment.
CREATE TABLE ledger_person (
    person TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (person, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE ledger_department (
    department TEXT NOT NULL,
    number     INTEGER NOT NULL,
    PRIMARY KEY (department, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE projected (
    until INTEGER NOT NULL
) STRICT;
INSERT INTO projected VALUES (0);

-- A known text sealed under the wrapping key: opens under the right master key alone.
CREATE TABLE proof (
    sealed BLOB NOT NULL
) STRICT;
