-- Who wants to be told of a job's end, and what has not been told yet. A row of the outbox is written with the end itself,
-- and goes when it was delivered or given up; it holds the whole message, so that a job may be deleted before.

CREATE TABLE webhook (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id) ON DELETE CASCADE,
    url    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    event_id   INTEGER PRIMARY KEY,
    job_id     TEXT NOT NULL,
    url        TEXT NOT NULL,
    host       TEXT NOT NULL,
    message    TEXT NOT NULL,
    body       TEXT NOT NULL CHECK (json_valid(body)),
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_due ON outbox (host, due_at);
