-- How a client of the NCBI URL API asked to be shown a search when it submitted it, for the Gets that don't say; and the
-- address that an owner wants to be told of the end of any job that names none.

CREATE TABLE presentation (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id) ON DELETE CASCADE,
    given  TEXT NOT NULL CHECK (json_valid(given))
) STRICT, WITHOUT ROWID;

CREATE TABLE owner_webhook (
    owner  TEXT PRIMARY KEY,
    url    TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
