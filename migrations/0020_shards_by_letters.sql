-- Shards are cut by letters from here on, by number of sequences before: proposals of one cut say nothing of the shards of
-- another, so searches of this machine whose finish has not run ask all their shards again.
UPDATE unit SET state = 'waiting', started_at = NULL, ended_at = NULL, exit_code = NULL, output_bytes = NULL, output_sha256 = NULL
WHERE kind = 'propose' AND state = 'done'
  AND job_id IN (SELECT job_id FROM job WHERE engine = 'local' AND status <> 'completed')
  AND NOT EXISTS (SELECT 1 FROM unit AS finish WHERE finish.job_id = unit.job_id AND finish.batch = unit.batch
                  AND finish.kind = 'finish' AND finish.state = 'done');
