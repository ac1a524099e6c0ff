BEGIN TRANSACTION;
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
INSERT INTO "artifact" VALUES('361dfc6d-8d16-451d-9cdf-5fec6f448d71','results/csv','results/csv.csv','text/csv; charset=utf-8',97,'1d97936cbd61822d7142c0f66c953a12ca76c02b7711a10cc3abd17bcf396b34',1795628421143);
INSERT INTO "artifact" VALUES('361dfc6d-8d16-451d-9cdf-5fec6f448d71','units/0','units/0.out','text/tab-separated-values; charset=utf-8',1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e',1795628421116);
INSERT INTO "artifact" VALUES('94de5eac-d109-4b90-974f-9b29a135bbd0','units/0','units/0.out','text/tab-separated-values; charset=utf-8',93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b',1795628421664);
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
INSERT INTO "attempt" VALUES('30053cbe-1446-4f19-87b4-20c7cd07a380',0,1,1795628422091,1795628422757,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL);
INSERT INTO "attempt" VALUES('361dfc6d-8d16-451d-9cdf-5fec6f448d71',0,1,1795628420626,1795628421098,0,NULL,'',NULL);
INSERT INTO "attempt" VALUES('94de5eac-d109-4b90-974f-9b29a135bbd0',0,1,1795628421196,1795628421657,0,NULL,'',NULL);
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
INSERT INTO "event" VALUES(1,'361dfc6d-8d16-451d-9cdf-5fec6f448d71','local',1795628420562,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(2,'361dfc6d-8d16-451d-9cdf-5fec6f448d71','local',1795628420607,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(3,'361dfc6d-8d16-451d-9cdf-5fec6f448d71','local',1795628420633,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(4,'361dfc6d-8d16-451d-9cdf-5fec6f448d71','local',1795628421116,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(5,'94de5eac-d109-4b90-974f-9b29a135bbd0','local',1795628421155,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(6,'94de5eac-d109-4b90-974f-9b29a135bbd0','local',1795628421181,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(7,'94de5eac-d109-4b90-974f-9b29a135bbd0','local',1795628421199,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(8,'94de5eac-d109-4b90-974f-9b29a135bbd0','local',1795628421664,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(9,'3cc44661-38b8-4e72-9718-68c82f57cedc','local',1795628421678,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(10,'3cc44661-38b8-4e72-9718-68c82f57cedc','local',1795628421699,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(11,'3cc44661-38b8-4e72-9718-68c82f57cedc','local',1795628421709,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(12,'3cc44661-38b8-4e72-9718-68c82f57cedc','local',1795628421906,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(13,'3cc44661-38b8-4e72-9718-68c82f57cedc','local',1795628421955,'deleted','completed','completed','{}');
INSERT INTO "event" VALUES(14,'30053cbe-1446-4f19-87b4-20c7cd07a380','local',1795628422028,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(15,'30053cbe-1446-4f19-87b4-20c7cd07a380','local',1795628422078,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(16,'30053cbe-1446-4f19-87b4-20c7cd07a380','local',1795628422131,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(17,'30053cbe-1446-4f19-87b4-20c7cd07a380','local',1795628422772,'failed','failed','failed','{"code":"engine_error"}');
INSERT INTO "event" VALUES(18,'cc9b03b5-1c6e-4d32-90c6-f3f6cc89de61','local',1795628422805,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(19,'cc9b03b5-1c6e-4d32-90c6-f3f6cc89de61','local',1795628422822,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(20,'cc9b03b5-1c6e-4d32-90c6-f3f6cc89de61','local',1795628422834,'moved','running','running','{"units_done":0,"units_total":2}');
INSERT INTO "event" VALUES(21,'00300d0a-3351-463f-8123-cd665141fe7f','local',1795628422831,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(22,'00300d0a-3351-463f-8123-cd665141fe7f','local',1795628422872,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(23,'d5608774-5af7-4da1-872e-eb6d94d0f3cc','local',1795628422890,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(24,'d5608774-5af7-4da1-872e-eb6d94d0f3cc','local',1795628422958,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(25,'00300d0a-3351-463f-8123-cd665141fe7f','local',1795628422965,'cancelling','queued','cancelling','{}');
INSERT INTO "event" VALUES(26,'00300d0a-3351-463f-8123-cd665141fe7f','local',1795628422987,'cancelled','cancelled','cancelled','{}');
CREATE TABLE gone (
    job_id TEXT PRIMARY KEY,
    owner  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('deleted', 'expired'))
) STRICT, WITHOUT ROWID;
INSERT INTO "gone" VALUES('3cc44661-38b8-4e72-9718-68c82f57cedc','local',1795628421955,'deleted');
CREATE TABLE idempotency (
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('local','kept','eeeb38b5e7297c9fefe409b054d6948bc0d71f8686ec6daf729176b6eea09eb2','361dfc6d-8d16-451d-9cdf-5fec6f448d71',1795628420562);
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
INSERT INTO "job" VALUES('361dfc6d-8d16-451d-9cdf-5fec6f448d71',4,'local','api','','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"794056a895ccc4b33b4706079bfc5f13fe643f38754338b380b19b5269814399","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:40 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','completed','completed',1795628420562,1795628421116,1795628420626,1795628421116,1795628421116,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:20.562000Z","ended_at":"2026-11-25T17:40:20.607000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:40:20.607000Z","ended_at":"2026-11-25T17:40:20.626000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:40:20.626000Z","ended_at":"2026-11-25T17:40:21.098000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:40:21.098000Z","ended_at":"2026-11-25T17:40:21.116000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','b0a866ddb2d7bebfe295b0111e2eed60d705780ed5d795bbe8e3512b3f882cb6',NULL,2,0,'{}');
INSERT INTO "job" VALUES('94de5eac-d109-4b90-974f-9b29a135bbd0',4,'local','api','nothing found','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"794056a895ccc4b33b4706079bfc5f13fe643f38754338b380b19b5269814399","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:40 PM","version":5}]','{}',NULL,'local',0,'{"count":1,"letters":300,"molecule":"nucl","first_id":"nothing","sha256":"aed4f0553bbce6258dceb43e42a6e25e54a6409609e68198dc46f7b43a811034"}','completed','completed',1795628421155,1795628421664,1795628421196,1795628421664,1795628421664,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:21.155000Z","ended_at":"2026-11-25T17:40:21.181000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:40:21.181000Z","ended_at":"2026-11-25T17:40:21.196000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:40:21.196000Z","ended_at":"2026-11-25T17:40:21.657000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:40:21.657000Z","ended_at":"2026-11-25T17:40:21.664000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','[]','ec348143e91fa2cb7c569d67ab5ec01360e91e518c04541bd6da51d10303757f',NULL,0,0,'{}');
INSERT INTO "job" VALUES('30053cbe-1446-4f19-87b4-20c7cd07a380',4,'local','api','failed','blastn','blastn','
tnt
','[{"name":"tnt","fingerprint":"794056a895ccc4b33b4706079bfc5f13fe643f38754338b380b19b5269814399","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:40 PM","version":5}]','{"reward":"1","penalty":"-7"}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','failed','failed',1795628422028,1795628422772,1795628422090,1795628422772,1795628422772,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:22.028000Z","ended_at":"2026-11-25T17:40:22.078000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"failed","started_at":"2026-11-25T17:40:22.078000Z","ended_at":"2026-11-25T17:40:22.772000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"running","status":"failed","started_at":"2026-11-25T17:40:22.090000Z","ended_at":"2026-11-25T17:40:22.772000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+','engine_error','blastn could not do this search: Substitution scores 1 and -7 are not supported Change the options or queries that it names.','[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','3ffe4dbda04676e87bce24e74f986c0faf0af53c57483b90d4bfc78893a460b9',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('cc9b03b5-1c6e-4d32-90c6-f3f6cc89de61',3,'local','api','running','tblastx','tblastx','
slow
','[{"name":"slow","fingerprint":"eebb7a593a6b5076820f74f84f2e931c387f6c3987607f5e52960c38370bd5a7","title":"slow","molecule":"nucl","sequences":60,"letters":3000000,"date":"Nov 25, 2026  5:40 PM","version":5}]','{"evalue":"1e-30"}',NULL,'local',0,'{"count":2,"letters":40000,"molecule":"nucl","first_id":"busy0","sha256":"34b8f0bd989d1aa5ae27c7546cad030f9e0c0f0e7a07b6f26ef4f21485eebb8e"}','running','running',1795628422805,1795628422834,1795628422834,NULL,1795628422834,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:22.805000Z","ended_at":"2026-11-25T17:40:22.822000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"running","started_at":"2026-11-25T17:40:22.822000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"running","started_at":"2026-11-25T17:40:22.834000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',2,0,1,'{}','2.12.0+',NULL,NULL,'[]','[]','e1e3ab75239f3f1ebd3d62e37ec1b9ddf027d01ac7bdd472b2a133b969430750',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('00300d0a-3351-463f-8123-cd665141fe7f',4,'local','api','cancelled','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"794056a895ccc4b33b4706079bfc5f13fe643f38754338b380b19b5269814399","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:40 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','cancelled','cancelled',1795628422831,1795628422987,NULL,1795628422987,1795628422987,NULL,NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:22.831000Z","ended_at":"2026-11-25T17:40:22.872000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:40:22.872000Z","ended_at":"2026-11-25T17:40:22.987000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','b0a866ddb2d7bebfe295b0111e2eed60d705780ed5d795bbe8e3512b3f882cb6',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('d5608774-5af7-4da1-872e-eb6d94d0f3cc',3,'local','api','queued','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"794056a895ccc4b33b4706079bfc5f13fe643f38754338b380b19b5269814399","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:40 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','queued','submitting',1795628422890,1795628423072,NULL,NULL,NULL,NULL,NULL,NULL,NULL,1,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:22.890000Z","ended_at":"2026-11-25T17:40:22.958000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"configuring","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"staging_db","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"submitting","status":"running","started_at":"2026-11-25T17:40:22.958000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','b0a866ddb2d7bebfe295b0111e2eed60d705780ed5d795bbe8e3512b3f882cb6',NULL,NULL,NULL,'{}');
CREATE TABLE job_count (
    owner  TEXT NOT NULL,
    status TEXT NOT NULL,
    jobs   INTEGER NOT NULL,
    PRIMARY KEY (owner, status)
) STRICT, WITHOUT ROWID;
INSERT INTO "job_count" VALUES('local','cancelled',1);
INSERT INTO "job_count" VALUES('local','completed',2);
INSERT INTO "job_count" VALUES('local','failed',1);
INSERT INTO "job_count" VALUES('local','queued',1);
INSERT INTO "job_count" VALUES('local','running',1);
CREATE TABLE leftover (
    job_id     TEXT PRIMARY KEY,
    engine     TEXT NOT NULL,
    row        TEXT NOT NULL CHECK (json_valid(row)),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "leftover" VALUES('3cc44661-38b8-4e72-9718-68c82f57cedc','local','{"job_id":"3cc44661-38b8-4e72-9718-68c82f57cedc","version":4,"title":"deleted","program":"blastn","task":"megablast","databases":[{"name":"tnt","fingerprint":"794056a895ccc4b33b4706079bfc5f13fe643f38754338b380b19b5269814399","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:40 PM","version":5}],"options":{},"query_loc":null,"engine":"local","priority":0,"owner":"local","source":"api","query":{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"},"status":"completed","phase":"completed","created_at":"2026-11-25T17:40:21.678000Z","updated_at":"2026-11-25T17:40:21.906000Z","started_at":"2026-11-25T17:40:21.705000Z","finished_at":"2026-11-25T17:40:21.906000Z","observed_at":"2026-11-25T17:40:21.906000Z","observed_by":"process","stale_since":null,"stale_reason":null,"waiting_for":null,"queue_position":null,"steps":[{"name":"preparing","status":"done","started_at":"2026-11-25T17:40:21.678000Z","ended_at":"2026-11-25T17:40:21.699000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:40:21.699000Z","ended_at":"2026-11-25T17:40:21.705000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:40:21.705000Z","ended_at":"2026-11-25T17:40:21.812000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:40:21.812000Z","ended_at":"2026-11-25T17:40:21.906000Z","skip_reason":null,"error":null,"parts":{}}],"units_total":1,"units_done":1,"attempt":1,"engine_ref":{},"blast_version":"2.12.0+","error_code":null,"error":null,"warnings":[],"plan_why":["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"],"reuse_key":"b0a866ddb2d7bebfe295b0111e2eed60d705780ed5d795bbe8e3512b3f882cb6","reused_from":null,"hits":2,"limit_reached":0,"standins":{}}',1795628421955);
CREATE TABLE outbox (
    event_id   INTEGER PRIMARY KEY,
    job_id     TEXT NOT NULL,
    url        TEXT NOT NULL,
    host       TEXT NOT NULL,
    message    TEXT NOT NULL,
    body       TEXT NOT NULL CHECK (json_valid(body)),
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    attempts   INTEGER NOT NULL
) STRICT;
CREATE TABLE owner_webhook (
    owner  TEXT PRIMARY KEY,
    url    TEXT NOT NULL,
    set_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE presentation (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id) ON DELETE CASCADE,
    given  TEXT NOT NULL CHECK (json_valid(given))
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
INSERT INTO "unit" VALUES('00300d0a-3351-463f-8123-cd665141fe7f',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',0,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('30053cbe-1446-4f19-87b4-20c7cd07a380',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','failed',1,1795628422091,1795628422757,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('361dfc6d-8d16-451d-9cdf-5fec6f448d71',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','done',1,1795628420626,1795628421098,0,NULL,'',NULL,1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e');
INSERT INTO "unit" VALUES('94de5eac-d109-4b90-974f-9b29a135bbd0',0,'search',0,NULL,0,1,300,0,310,1,'[]','done',1,1795628421196,1795628421657,0,NULL,'',NULL,93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b');
INSERT INTO "unit" VALUES('cc9b03b5-1c6e-4d32-90c6-f3f6cc89de61',0,'search',0,NULL,0,1,20000,0,20008,1,'[]','running',1,1795628422834,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('cc9b03b5-1c6e-4d32-90c6-f3f6cc89de61',1,'search',1,NULL,1,1,20000,20008,20008,1,'[]','waiting',1,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('d5608774-5af7-4da1-872e-eb6d94d0f3cc',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',0,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
CREATE TABLE usage (
    owner   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    letters INTEGER NOT NULL,
    PRIMARY KEY (owner, at)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES('local',1795628400000,45800);
CREATE TABLE webhook (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id) ON DELETE CASCADE,
    url    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX job_newest ON job (created_at DESC, job_id DESC);
CREATE INDEX job_owner_newest ON job (owner, created_at DESC, job_id DESC);
CREATE INDEX job_status_newest ON job (status, created_at DESC, job_id DESC);
CREATE INDEX job_owner_status_newest ON job (owner, status, created_at DESC, job_id DESC);
CREATE INDEX job_reuse ON job (owner, reuse_key, created_at DESC) WHERE status = 'completed';
CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
CREATE TRIGGER job_end_is_final BEFORE UPDATE OF status, phase ON job
WHEN OLD.status IN ('completed', 'failed', 'cancelled') AND NEW.status <> OLD.status
     AND NOT (OLD.status <> 'completed' AND NEW.status = 'queued' AND NEW.attempt = OLD.attempt + 1)
BEGIN
    SELECT RAISE(ABORT, 'an ended job does not move');
END;
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
CREATE INDEX event_job ON event (job_id, event_id);
CREATE INDEX event_owner ON event (owner, event_id);
CREATE INDEX database_task_newest ON database_task (created_at DESC, task_id);
CREATE INDEX outbox_due ON outbox (host, due_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',26);
COMMIT;
PRAGMA user_version = 4;
