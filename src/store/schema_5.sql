-- Schema 5. Departments are told of events about the elders they enrolled.

-- Whom a subscription is about: a keyed digest of the identifier it named, and sealed what it
-- was and the department's own reference. A row is a lane: its notices leave in order.
CREATE TABLE enrolment (
    lane         INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    token        BLOB NOT NULL,
    reference    BLOB NOT NULL,
    sealed       BLOB NOT NULL,
    at_ms        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX enrolment_reference ON enrolment (subscription, reference);
CREATE INDEX enrolment_token ON enrolment (token);

-- Notices, written in the commit of what they tell of. `other` is a second lane that waits too,
-- where two became one. `state`: 0 waits, 1 delivered, 2 dead, 3 passed over.
CREATE TABLE outbox (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    subscription TEXT NOT NULL,
    lane         INTEGER NOT NULL,
    other        INTEGER,
    event        TEXT NOT NULL,
    journal      INTEGER,
    at_ms        INTEGER NOT NULL,
    state        INTEGER NOT NULL,
    tries        INTEGER NOT NULL,
    next_ms      INTEGER NOT NULL,
    why          TEXT,
    ended_ms     INTEGER
) STRICT;
CREATE INDEX outbox_open ON outbox (subscription, number) WHERE state = 0;
CREATE INDEX outbox_dead ON outbox (subscription, number) WHERE state = 2;
CREATE INDEX outbox_lane ON outbox (lane, number) WHERE state IN (0, 2);
CREATE INDEX outbox_other ON outbox (other, number) WHERE other IS NOT NULL AND state IN (0, 2);
CREATE INDEX outbox_ended ON outbox (ended_ms) WHERE ended_ms IS NOT NULL;
