-- Schema 6. The key under which tokens stand in the file has a generation. An entry, or a
-- lane, is under one as a whole; two are in force while entries move from the one to the next.
CREATE TABLE generation (
    number INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL
) STRICT;
INSERT INTO generation VALUES (1, 0);
ALTER TABLE person ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
CREATE INDEX person_generation ON person (generation);
ALTER TABLE enrolment ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
CREATE INDEX enrolment_generation ON enrolment (generation);

-- By which key traits were made, where a source veiled them itself: never compared with
-- those of another key.
ALTER TABLE person ADD COLUMN veil BLOB;

-- A number that a message gave to another entry (A43, A47): whose it was before, if anybody's,
-- and whose it is since. It stands under the generation of the latter. Events are counted
-- with the assertions.
CREATE TABLE moved (
    event       INTEGER PRIMARY KEY,
    token       BLOB NOT NULL,
    source      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    one         INTEGER,
    other       INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    journal     INTEGER NOT NULL,
    ended_at_ms INTEGER
) STRICT;
CREATE INDEX moved_token ON moved (token);
CREATE INDEX moved_one ON moved (one);
CREATE INDEX moved_other ON moved (other);

-- What one reviewer has said of a message held by the overlay guard, until a second says so.
CREATE TABLE opinion (
    number  INTEGER PRIMARY KEY,
    accepts INTEGER NOT NULL,
    said_by TEXT NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;
