-- Schema 14. What became of a message can be told later: by which entrance it came, and by which
-- mappings it was read where no record names them.
ALTER TABLE journal ADD COLUMN entrance TEXT;
ALTER TABLE journal ADD COLUMN mappings TEXT;
-- Of one sender newest first: an index has the number behind its columns.
CREATE INDEX journal_source ON journal (source);
CREATE INDEX journal_why ON journal (fault, source, at) WHERE state = 1;
CREATE INDEX outbox_journal ON outbox (journal) WHERE journal IS NOT NULL;

-- What had become of a message until it was tried again, which entry of the ledger says so, and
-- by which mappings it was read before.
CREATE TABLE outcome (
    event    INTEGER PRIMARY KEY,
    number   INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    fault    TEXT,
    at       TEXT,
    mappings TEXT,
    until_ms INTEGER NOT NULL,
    entry    INTEGER NOT NULL
) STRICT;
CREATE INDEX outcome_number ON outcome (number);
