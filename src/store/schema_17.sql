-- Schema 17. Several gateways with one server: how many commits there were, and what each changed of
-- what others may remember. In a file both stay as they are.
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
