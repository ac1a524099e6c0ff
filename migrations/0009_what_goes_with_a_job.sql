-- What is looked for when a job goes: its keys by the job, tombstones and used letters by their age.

CREATE INDEX idempotency_job ON idempotency (job_id);
CREATE INDEX gone_at ON gone (at);
CREATE INDEX usage_at ON usage (at);
CREATE INDEX database_task_finished ON database_task (finished_at) WHERE finished_at IS NOT NULL;
