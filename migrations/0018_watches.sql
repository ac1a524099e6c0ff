-- Watches: searches that run again when their databases change, their runs, and what became of the hits between two of them.

CREATE TABLE watch (
    watch_id     TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    label        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('active', 'paused')),
    search       TEXT NOT NULL CHECK (json_valid(search)),
    query        TEXT NOT NULL CHECK (json_valid(query)),
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    runs         INTEGER NOT NULL,
    before_job   TEXT,
    after_job    TEXT,
    trouble_code TEXT,
    trouble      TEXT,
    trouble_at   INTEGER
) STRICT;
CREATE INDEX watch_newest ON watch (created_at DESC, watch_id);
CREATE INDEX watch_owner ON watch (owner, created_at DESC, watch_id);
CREATE INDEX watch_state ON watch (state, watch_id);
CREATE INDEX watch_before ON watch (before_job) WHERE before_job IS NOT NULL;
CREATE INDEX watch_after ON watch (after_job) WHERE after_job IS NOT NULL;

-- Apart from the row, so that lists read no sequences.
CREATE TABLE watch_query (
    watch_id TEXT PRIMARY KEY REFERENCES watch (watch_id) ON DELETE CASCADE,
    fasta    BLOB NOT NULL
) STRICT;

CREATE TABLE watch_run (
    watch_id   TEXT NOT NULL REFERENCES watch (watch_id) ON DELETE CASCADE,
    number     INTEGER NOT NULL,
    job_id     TEXT NOT NULL,
    databases  TEXT NOT NULL CHECK (json_valid(databases)),
    began_at   INTEGER NOT NULL,
    settled_at INTEGER,
    base_job   TEXT,
    difference TEXT CHECK (difference IS NULL OR json_valid(difference)),
    note       TEXT NOT NULL,
    PRIMARY KEY (watch_id, number)
) STRICT;
CREATE INDEX watch_run_open ON watch_run (job_id) WHERE settled_at IS NULL;
CREATE INDEX watch_run_job ON watch_run (job_id);

-- Which watch began a search, in the background.
ALTER TABLE job ADD COLUMN watch TEXT;
