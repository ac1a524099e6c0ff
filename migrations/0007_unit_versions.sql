-- Which BLAST+ ran a unit: BLAST+ may be replaced while a search runs, and units of two versions are no one result.

ALTER TABLE unit ADD COLUMN blast_version TEXT;

UPDATE unit SET blast_version = (SELECT blast_version FROM job WHERE job.job_id = unit.job_id) WHERE state = 'done';
