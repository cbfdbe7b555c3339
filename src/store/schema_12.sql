-- Schema 12. Hashes of the ledger's tree in rows of 256, so that a proof reads a few of them. What
-- they hash is not known here. They follow from the entries: one that is missing is made again.
CREATE TABLE tile (
    level  INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
) STRICT;

-- What a witness signed last: it has seen the ledger with so many entries, and no other one.
CREATE TABLE cosignature (
    witness TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    at_ms   INTEGER NOT NULL,
    lines   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
