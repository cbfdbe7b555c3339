-- Schema 11. Keys rotate. The root secret, from which tokens, pseudonyms and digests follow, and
-- the keys that wrap others are sealed under the master key in force, the one of the last row.
-- `mark` tells a master key again; `root` is empty once it was replaced, `wrap` once nothing
-- stands under it any more. `proof` held that before there were rows here.
CREATE TABLE master (
    number INTEGER PRIMARY KEY,
    mark   BLOB NOT NULL,
    at_ms  INTEGER NOT NULL,
    root   BLOB,
    wrap   BLOB
) STRICT;

-- What a rotation has still to go through: the rows of a table, or the persons whose keys give
-- way to new ones, with numbers above `after` up to `until`.
CREATE TABLE rekeying (
    what  TEXT PRIMARY KEY,
    after INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The secret of a generation of the tokens' key, sealed; those of before follow from the root.
ALTER TABLE generation ADD COLUMN sealed BLOB;
