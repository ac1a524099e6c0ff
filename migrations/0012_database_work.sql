-- Making, fetching and updating a database is work: it tells its step and bytes, can be cancelled, and waits after a failure.
-- The history says what became of each database of the catalogue, also when its task or the database itself is gone.

CREATE TABLE database_work (
    task_id     TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL DEFAULT 'make' CHECK (kind IN ('make', 'fetch', 'update')),
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    step        TEXT NOT NULL DEFAULT '',
    progress    REAL NOT NULL,
    bytes_done  INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0,
    settings    TEXT NOT NULL CHECK (json_valid(settings)),
    error_code  TEXT,
    error       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    due_at      INTEGER NOT NULL DEFAULT 0,
    fingerprint TEXT,
    warnings    TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(warnings)),
    attempts    INTEGER NOT NULL DEFAULT 0,
    tries       INTEGER NOT NULL DEFAULT 0,
    cancelling  INTEGER NOT NULL DEFAULT 0 CHECK (cancelling IN (0, 1))
) STRICT, WITHOUT ROWID;

INSERT INTO database_work (task_id, owner, name, status, progress, settings, error_code, error, created_at, updated_at,
                           finished_at, fingerprint, warnings, attempts)
SELECT task_id, owner, name, status, progress, settings, error_code, error, created_at, updated_at,
       finished_at, fingerprint, warnings, attempts FROM database_task;

DROP TABLE database_task;
ALTER TABLE database_work RENAME TO database_task;

CREATE INDEX database_task_newest ON database_task (created_at DESC, task_id);
CREATE INDEX database_task_finished ON database_task (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX database_task_open ON database_task (owner) WHERE finished_at IS NULL;

CREATE TABLE database_history (
    history_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    molecule    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('made', 'replaced', 'fetched', 'updated', 'update_failed', 'renamed', 'removed')),
    owner       TEXT NOT NULL,
    task_id     TEXT,
    fingerprint TEXT NOT NULL DEFAULT '',
    detail      TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX database_history_of ON database_history (name, history_id);
