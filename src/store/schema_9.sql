-- Schema 9. Which policies came into force, with which mappings, the last row being in force; and
-- the policies that wait for two people, with what each of these has said.
CREATE TABLE policy (
    number   INTEGER PRIMARY KEY,
    version  TEXT NOT NULL,
    mappings TEXT NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;

-- `before` and `before_mappings` were in force when it was proposed; `difference` is JSON.
CREATE TABLE policy_proposal (
    version         TEXT PRIMARY KEY,
    mappings        TEXT NOT NULL,
    before          TEXT NOT NULL,
    before_mappings TEXT NOT NULL,
    difference      TEXT NOT NULL,
    widened         INTEGER NOT NULL,
    proposed_by     TEXT NOT NULL,
    at_ms           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE policy_acceptance (
    said_by TEXT PRIMARY KEY,
    at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
