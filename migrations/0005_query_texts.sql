-- Small queries as they were accepted, durable with the row of their search: their files are made at once and made
-- durable within a minute, which ends this. What a power cut takes from a file before that is written again from here.

CREATE TABLE query_text (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id) ON DELETE CASCADE,
    fasta  BLOB NOT NULL,
    ascii  BLOB
) STRICT;
