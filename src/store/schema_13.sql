-- Schema 13. Entries whose time is over: they are gone, their hashes stay in `tile`, where a row
-- of theirs cannot be made again.
CREATE TABLE retired (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL
) STRICT;

-- What is kept beyond its time, about a person (and all who are one with him), a department, or
-- everything where neither is named.
CREATE TABLE preserved (
    number     INTEGER PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    person     INTEGER,
    department TEXT,
    reason     TEXT NOT NULL
) STRICT;
