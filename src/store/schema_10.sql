-- Schema 10. Batches: lists of elders that departments ask about at once. Each is sealed under
-- a key of its own, so that ending one destroys it; of the rows nothing is in clear but how many
-- were accepted. Nothing that was decided is kept.
CREATE TABLE batch (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    department TEXT NOT NULL,
    role       TEXT NOT NULL,
    state      INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    until_ms   INTEGER NOT NULL,
    wrapped    BLOB NOT NULL,
    asked      BLOB NOT NULL
) STRICT;

-- Rows in the order they came; `refused` is empty until they are checked.
CREATE TABLE batch_part (
    batch   INTEGER NOT NULL,
    first   INTEGER NOT NULL,
    rows    INTEGER NOT NULL,
    refused INTEGER,
    sealed  BLOB NOT NULL,
    PRIMARY KEY (batch, first)
) STRICT;

-- Returns that were made, as they are told: guarded counts, of nobody anything.
CREATE TABLE statistic (
    name  TEXT PRIMARY KEY,
    tiers TEXT NOT NULL,
    body  BLOB NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
