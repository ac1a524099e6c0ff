-- When a search that runs is expected to end, and from what that is known; earlier searches of a kind tell it.
ALTER TABLE job ADD COLUMN expected_end_at INTEGER;
ALTER TABLE job ADD COLUMN expected_from TEXT;
CREATE INDEX job_pace ON job (program, task, engine, finished_at DESC) WHERE status = 'completed';
