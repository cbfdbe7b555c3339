-- Schema 5. The key under which tokens stand in the file has a generation. An entry is under
-- one as a whole; two are in force while entries move from the one to the next.
CREATE TABLE generation (
    number INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL
) STRICT;
INSERT INTO generation VALUES (1, 0);
ALTER TABLE person ADD COLUMN generation INTEGER NOT NULL DEFAULT 1;
CREATE INDEX person_generation ON person (generation);

-- By which key traits were made, where a source veiled them itself: never compared with
-- those of another key.
ALTER TABLE person ADD COLUMN veil BLOB;
