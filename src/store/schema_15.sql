-- Schema 15. How far each sink has taken the ledger: entries below this number are not sent to it
-- again. It may be behind what a sink has, never before it.
CREATE TABLE sink (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
