-- Links to one search for people who don't own it: read-only, with an end, revocable.

CREATE TABLE share (
    share_id     TEXT PRIMARY KEY,
    job_id       TEXT NOT NULL REFERENCES job (job_id) ON DELETE CASCADE,
    label        TEXT NOT NULL,
    made_by      TEXT NOT NULL,
    sha256       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX share_job ON share (job_id, created_at);
