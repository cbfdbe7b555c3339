-- Schema 8. Records that are what a person says of who may see what, found however old they are;
-- and tickets: evidence that is good for one person and a while alone.
ALTER TABLE record ADD COLUMN word INTEGER;
CREATE INDEX record_word ON record (person, number) WHERE word = 1;

-- One row a ticket. The scope is department and purpose, the mark a keyed digest of the number it
-- was given; the person is a pseudonym of the ledger. Whoever opened it, and whoever seconded
-- where two are needed, are known by their certificates.
CREATE TABLE ticket (
    number         INTEGER PRIMARY KEY,
    scope          TEXT NOT NULL,
    mark           TEXT NOT NULL,
    person         TEXT NOT NULL,
    reference      TEXT NOT NULL,
    reason         TEXT,
    opened_ms      INTEGER NOT NULL,
    until_ms       INTEGER NOT NULL,
    opened_by      TEXT NOT NULL,
    seconded_by    TEXT,
    answers        INTEGER NOT NULL,
    reviewed_ms    INTEGER,
    reviewed_by    TEXT,
    justified      INTEGER
) STRICT;
CREATE UNIQUE INDEX ticket_mark ON ticket (scope, mark);
CREATE INDEX ticket_open ON ticket (number) WHERE reviewed_ms IS NULL;
