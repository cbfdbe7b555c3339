-- Schema 4. A person is an entry now: what one source says of one person. Who is one with
-- whom is found by comparing entries, and `merged_into` is what follows from that.
ALTER TABLE person ADD COLUMN source TEXT;
-- Ends ties without saying when the entry came.
ALTER TABLE person ADD COLUMN mark INTEGER;
-- Keyed digest of the demographics the traits were made of, and the traits: keyed tokens.
ALTER TABLE person ADD COLUMN seen BLOB;
ALTER TABLE person ADD COLUMN traits BLOB;

-- `claim`: 0 it is theirs, 1 nothing says whose it is, 2 somebody else's by what is inside.
CREATE TABLE held (
    token   BLOB NOT NULL,
    source  TEXT NOT NULL,
    person  INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    journal INTEGER NOT NULL,
    claim   INTEGER NOT NULL,
    PRIMARY KEY (token, source, person)
) STRICT, WITHOUT ROWID;
INSERT INTO held SELECT token, coalesce(source, ''), identifier.person, kind, journal, 1
    FROM identifier LEFT JOIN journal ON journal.number = identifier.journal;
DROP TABLE identifier;
ALTER TABLE held RENAME TO identifier;
CREATE INDEX identifier_person ON identifier (person);
UPDATE person SET source = (SELECT source FROM identifier WHERE person = person.id
    ORDER BY journal LIMIT 1);

-- Under which keys an entry is found by those who may be the same.
CREATE TABLE trait (
    key    INTEGER NOT NULL,
    person INTEGER NOT NULL,
    PRIMARY KEY (key, person)
) STRICT, WITHOUT ROWID;

-- Two entries that are one, or may be: what was judged of them.
CREATE TABLE pair (
    one     INTEGER NOT NULL,
    other   INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    rule    TEXT NOT NULL,
    weight  REAL NOT NULL,
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (one, other)
) STRICT, WITHOUT ROWID;
CREATE INDEX pair_other ON pair (other, one);
CREATE INDEX pair_review ON pair (at_ms) WHERE verdict = 2;

-- What somebody said of two entries: a message, an operator, two reviewers. It outlives
-- every score; what is undone has ended and is never deleted.
CREATE TABLE assertion (
    event       INTEGER PRIMARY KEY,
    one         INTEGER NOT NULL,
    other       INTEGER NOT NULL,
    same        INTEGER NOT NULL,
    said_by     TEXT NOT NULL,
    at_ms       INTEGER NOT NULL,
    journal     INTEGER,
    ended_at_ms INTEGER
) STRICT;
CREATE INDEX assertion_one ON assertion (one) WHERE ended_at_ms IS NULL;
CREATE INDEX assertion_other ON assertion (other) WHERE ended_at_ms IS NULL;
INSERT INTO assertion (one, other, same, said_by, at_ms, journal)
    SELECT person.id, merged_into, 1, 'before', coalesce(
        (SELECT max(at_ms) FROM merge WHERE merge.person = person.id), 0),
        (SELECT max(journal) FROM merge WHERE merge.person = person.id)
    FROM person WHERE merged_into IS NOT NULL;

-- What one reviewer has decided and a second has not confirmed yet.
CREATE TABLE proposal (
    one     INTEGER NOT NULL,
    other   INTEGER NOT NULL,
    said_by TEXT NOT NULL,
    at_ms   INTEGER NOT NULL,
    PRIMARY KEY (one, other)
) STRICT, WITHOUT ROWID;

-- What agreements are worth, learned from this population; the newest counts.
CREATE TABLE weights (
    version INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    bytes   BLOB NOT NULL
) STRICT;

-- The row says that every entry has traits made the way of `veil`.
CREATE TABLE indexed (
    veil INTEGER NOT NULL
) STRICT;
