-- Schema 19. Which rows of 256 entries of the ledger have one that says a word: digests, as whoever
-- looks for them makes them. Filled after the commit, up to entry `until`; a search reads the rows
-- beyond, so it is complete at every moment. A department is such a word.
DROP TABLE ledger_department;
CREATE TABLE ledger_word (
    word  INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (word, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE worded (
    until INTEGER NOT NULL
) STRICT;
INSERT INTO worded VALUES (0);
