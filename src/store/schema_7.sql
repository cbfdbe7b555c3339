-- Schema 7. About whom a department asked for a purpose in the last 24 hours, where the policies
-- say about how many it may: persons by the pseudonyms of the ledger.
CREATE TABLE asked (
    scope  TEXT NOT NULL,
    person TEXT NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (scope, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_at ON asked (scope, at_ms);
