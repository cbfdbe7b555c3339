-- Schema 2. Messages come in many forms; a row without one is HL7 v2, as all were before.
ALTER TABLE journal ADD COLUMN form TEXT;

-- Which record holds a document. The key is a keyed digest of the document's number.
CREATE TABLE document (
    key    TEXT PRIMARY KEY,
    number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Staff and organisations, who are no persons of care: every version, under a keyed digest
-- of the number they are known by; `sealed` under a key of its own in `wrapped`.
CREATE TABLE directory (
    number         INTEGER PRIMARY KEY,
    key            TEXT NOT NULL,
    received_at_ms INTEGER NOT NULL,
    wrapped        BLOB NOT NULL,
    sealed         BLOB NOT NULL
) STRICT;
CREATE INDEX directory_key ON directory (key, number);
