-- Schema 16. What two people at the console decide: many quarantined messages tried again, how far
-- that is, and what its commit has counted.
CREATE TABLE rerun (
    number      INTEGER PRIMARY KEY,
    wanted      TEXT NOT NULL,
    last        INTEGER NOT NULL,
    preview     TEXT NOT NULL,
    mappings    TEXT NOT NULL,
    proposed_by TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    stage       INTEGER NOT NULL,
    approved_by TEXT,
    ended_by    TEXT,
    ended_ms    INTEGER,
    next        INTEGER NOT NULL,
    kept        INTEGER NOT NULL,
    held        INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    failed      INTEGER NOT NULL
) STRICT;

-- Which hold somebody wants to end: a second person has to want it too.
CREATE TABLE lifting (
    number      INTEGER PRIMARY KEY,
    proposed_by TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    reason      TEXT NOT NULL
) STRICT;

-- Searches that a user of the console has saved: who, on which page, and its fields as JSON. Nothing
-- in it names a person.
CREATE TABLE saved_search (
    owner  TEXT NOT NULL,
    page   TEXT NOT NULL,
    name   TEXT NOT NULL,
    fields TEXT NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (owner, page, name)
) STRICT, WITHOUT ROWID;
