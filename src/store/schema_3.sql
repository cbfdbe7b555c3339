-- Schema 3. Files that were taken whole, by the keyed digest of their bytes.
CREATE TABLE exchanged (
    exchange    TEXT NOT NULL,
    digest      BLOB NOT NULL,
    kept        INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    refused     INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    PRIMARY KEY (exchange, digest)
) STRICT, WITHOUT ROWID;

-- How far a table was read; written in the commit of the row it stands at.
CREATE TABLE mark (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
