-- Letters that each owner has searched, by minute, for the limit of a day. Rows of a job that was deleted stay: they were searched.

CREATE TABLE usage (
    owner   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    letters INTEGER NOT NULL,
    PRIMARY KEY (owner, at)
) STRICT, WITHOUT ROWID;
