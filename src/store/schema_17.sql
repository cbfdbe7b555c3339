-- Schema 17. Several gateways with one server: how many commits there were, what each changed of what
-- others may remember, and who does what one alone may do. In a file all stay as they are.
DROP TABLE IF EXISTS turn;
CREATE TABLE turn (
    one    INTEGER PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT;
INSERT INTO turn VALUES (1, 0);

CREATE TABLE change (
    number INTEGER PRIMARY KEY,
    node   INTEGER NOT NULL,
    what   TEXT NOT NULL
) STRICT;

CREATE TABLE lease (
    job      TEXT PRIMARY KEY,
    node     INTEGER NOT NULL,
    fence    INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
