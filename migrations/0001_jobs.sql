-- The first schema: jobs with their units, attempts, artifacts and events; tokens; databases in the making.
-- Times are whole milliseconds since the epoch, UTC. JSON columns hold what only the application reads.

CREATE TABLE job (
    job_id         TEXT PRIMARY KEY,
    version        INTEGER NOT NULL,
    owner          TEXT NOT NULL,
    source         TEXT NOT NULL CHECK (source IN ('api', 'web', 'ncbi', 'cli', 'external')),
    title          TEXT NOT NULL,
    program        TEXT NOT NULL,
    task           TEXT NOT NULL,
    database_names TEXT NOT NULL,
    databases      TEXT NOT NULL CHECK (json_valid(databases)),
    options        TEXT NOT NULL CHECK (json_valid(options)),
    query_loc      TEXT,
    engine         TEXT NOT NULL,
    priority       INTEGER NOT NULL,
    query          TEXT NOT NULL CHECK (json_valid(query)),
    status         TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    phase          TEXT NOT NULL CHECK (phase IN ('queued', 'preparing', 'warming_up', 'configuring', 'staging_db',
                   'submitting', 'submitted', 'running', 'exporting', 'results_pending', 'cancelling',
                   'completed', 'failed', 'cancelled')),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    started_at     INTEGER,
    finished_at    INTEGER,
    observed_at    INTEGER,
    observed_by    TEXT,
    stale_since    INTEGER,
    stale_reason   TEXT,
    waiting_for    TEXT,
    queue_position INTEGER,
    steps          TEXT NOT NULL CHECK (json_valid(steps)),
    units_total    INTEGER NOT NULL,
    units_done     INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    engine_ref     TEXT NOT NULL CHECK (json_valid(engine_ref)),
    blast_version  TEXT,
    error_code     TEXT,
    error          TEXT,
    warnings       TEXT NOT NULL CHECK (json_valid(warnings)),
    plan_why       TEXT NOT NULL CHECK (json_valid(plan_why)),
    reuse_key      TEXT,
    reused_from    TEXT,
    hits           INTEGER,
    limit_reached  INTEGER,
    standins       TEXT NOT NULL CHECK (json_valid(standins)),
    CHECK (status <> 'completed' OR (error_code IS NULL AND error IS NULL)),
    CHECK (status <> 'failed' OR (error_code IS NOT NULL AND error IS NOT NULL)),
    CHECK ((status IN ('completed', 'failed', 'cancelled')) = (finished_at IS NOT NULL))
) STRICT;

CREATE INDEX job_newest ON job (created_at DESC, job_id DESC);
CREATE INDEX job_owner_newest ON job (owner, created_at DESC, job_id DESC);
CREATE INDEX job_status_newest ON job (status, created_at DESC, job_id DESC);
CREATE INDEX job_owner_status_newest ON job (owner, status, created_at DESC, job_id DESC);
CREATE INDEX job_reuse ON job (owner, reuse_key, created_at DESC) WHERE status = 'completed';
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;

-- An end is final: only the user's retry, which counts the attempt up, opens a failed or cancelled job again.
CREATE TRIGGER job_end_is_final BEFORE UPDATE OF status, phase ON job
WHEN OLD.status IN ('completed', 'failed', 'cancelled') AND NEW.status <> OLD.status
     AND NOT (OLD.status <> 'completed' AND NEW.status = 'queued' AND NEW.attempt = OLD.attempt + 1)
BEGIN
    SELECT RAISE(ABORT, 'an ended job does not move');
END;

-- Numbers of jobs by owner and status, kept by triggers so that a list of 100,000 jobs counts nothing.
CREATE TABLE job_count (
    owner  TEXT NOT NULL,
    status TEXT NOT NULL,
    jobs   INTEGER NOT NULL,
    PRIMARY KEY (owner, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER job_counted_insert AFTER INSERT ON job BEGIN
    INSERT INTO job_count VALUES (NEW.owner, NEW.status, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;
CREATE TRIGGER job_counted_delete AFTER DELETE ON job BEGIN
    UPDATE job_count SET jobs = jobs - 1 WHERE owner = OLD.owner AND status = OLD.status;
END;
CREATE TRIGGER job_counted_update AFTER UPDATE OF status ON job WHEN NEW.status <> OLD.status BEGIN
    UPDATE job_count SET jobs = jobs - 1 WHERE owner = OLD.owner AND status = OLD.status;
    INSERT INTO job_count VALUES (NEW.owner, NEW.status, 1) ON CONFLICT DO UPDATE SET jobs = jobs + 1;
END;

CREATE TABLE unit (
    job_id        TEXT NOT NULL REFERENCES job (job_id) ON DELETE CASCADE,
    idx           INTEGER NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('search', 'propose', 'finish')),
    batch         INTEGER NOT NULL,
    shard         INTEGER,
    first_query   INTEGER NOT NULL,
    queries       INTEGER NOT NULL,
    letters       INTEGER NOT NULL,
    offset        INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    threads       INTEGER NOT NULL,
    after         TEXT NOT NULL CHECK (json_valid(after)),
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    attempt       INTEGER NOT NULL,
    started_at    INTEGER,
    ended_at      INTEGER,
    exit_code     INTEGER,
    error_code    TEXT,
    stderr        TEXT NOT NULL,
    node          TEXT,
    output_bytes  INTEGER,
    output_sha256 TEXT,
    PRIMARY KEY (job_id, idx)
) STRICT, WITHOUT ROWID;

-- What each ended attempt at a unit left: the history that a retry keeps.
CREATE TABLE attempt (
    job_id     TEXT NOT NULL REFERENCES job (job_id) ON DELETE CASCADE,
    idx        INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    started_at INTEGER,
    ended_at   INTEGER,
    exit_code  INTEGER,
    error_code TEXT,
    stderr     TEXT NOT NULL,
    node       TEXT,
    PRIMARY KEY (job_id, idx, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE artifact (
    job_id     TEXT NOT NULL REFERENCES job (job_id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    path       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (job_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    event_id INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id   TEXT NOT NULL,
    owner    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    status   TEXT NOT NULL,
    phase    TEXT NOT NULL,
    data     TEXT NOT NULL CHECK (json_valid(data))
) STRICT;

CREATE INDEX event_job ON event (job_id, event_id);
CREATE INDEX event_owner ON event (owner, event_id);

-- Jobs that were removed: they never come back, and an expired one says when it went.
CREATE TABLE gone (
    job_id TEXT PRIMARY KEY,
    owner  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('deleted', 'expired'))
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    token_id     TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    sha256       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE database_task (
    task_id     TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed')),
    progress    REAL NOT NULL,
    settings    TEXT NOT NULL CHECK (json_valid(settings)),
    error_code  TEXT,
    error       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER,
    fingerprint TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX database_task_newest ON database_task (created_at DESC, task_id);

-- What an engine still holds of jobs that were removed from the store before it could be told.
CREATE TABLE leftover (
    job_id     TEXT PRIMARY KEY,
    engine     TEXT NOT NULL,
    row        TEXT NOT NULL CHECK (json_valid(row)),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
