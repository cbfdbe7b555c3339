-- Schema 18. What was done to the whole of it while no gateway ran: the next start enters it.
CREATE TABLE owed (
    number  INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL,
    subject TEXT NOT NULL,
    said_by TEXT NOT NULL
) STRICT;

-- Where its rows went, and how many entries the ledger had then: no gateway starts here any more.
CREATE TABLE departed (
    place   TEXT NOT NULL,
    entries INTEGER NOT NULL
) STRICT;
