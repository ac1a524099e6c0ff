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
INSERT INTO "artifact" VALUES('f132dd00-d079-4557-bd3a-45a7b7cd0312','units/0','units/0.out','text/tab-separated-values; charset=utf-8',93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b',1795626145800);
INSERT INTO "artifact" VALUES('f9e3f2a1-7e86-44f5-83e4-87129b9c65b1','results/csv','results/csv.csv','text/csv; charset=utf-8',97,'1d97936cbd61822d7142c0f66c953a12ca76c02b7711a10cc3abd17bcf396b34',1795626145704);
INSERT INTO "artifact" VALUES('f9e3f2a1-7e86-44f5-83e4-87129b9c65b1','units/0','units/0.out','text/tab-separated-values; charset=utf-8',1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e',1795626145688);
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
INSERT INTO "attempt" VALUES('8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22',0,1,1795626145921,1795626145991,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL);
INSERT INTO "attempt" VALUES('f132dd00-d079-4557-bd3a-45a7b7cd0312',0,1,1795626145720,1795626145796,0,NULL,'',NULL);
INSERT INTO "attempt" VALUES('f9e3f2a1-7e86-44f5-83e4-87129b9c65b1',0,1,1795626145616,1795626145684,0,NULL,'',NULL);
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
INSERT INTO "event" VALUES(1,'f9e3f2a1-7e86-44f5-83e4-87129b9c65b1','local',1795626145600,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(2,'f9e3f2a1-7e86-44f5-83e4-87129b9c65b1','local',1795626145609,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(3,'f9e3f2a1-7e86-44f5-83e4-87129b9c65b1','local',1795626145618,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(4,'f9e3f2a1-7e86-44f5-83e4-87129b9c65b1','local',1795626145688,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(5,'f132dd00-d079-4557-bd3a-45a7b7cd0312','local',1795626145713,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(6,'f132dd00-d079-4557-bd3a-45a7b7cd0312','local',1795626145719,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(7,'f132dd00-d079-4557-bd3a-45a7b7cd0312','local',1795626145721,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(8,'f132dd00-d079-4557-bd3a-45a7b7cd0312','local',1795626145800,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(9,'fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local',1795626145808,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(10,'fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local',1795626145813,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(11,'fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local',1795626145819,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(12,'fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local',1795626145902,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(13,'fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local',1795626145907,'deleted','completed','completed','{}');
INSERT INTO "event" VALUES(14,'8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22','local',1795626145915,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(15,'8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22','local',1795626145919,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(16,'8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22','local',1795626145922,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(17,'8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22','local',1795626145992,'failed','failed','failed','{"code":"engine_error"}');
INSERT INTO "event" VALUES(18,'332fae73-3f52-4d03-add6-a7a86938b344','local',1795626146003,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(19,'332fae73-3f52-4d03-add6-a7a86938b344','local',1795626146010,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(20,'332fae73-3f52-4d03-add6-a7a86938b344','local',1795626146015,'moved','running','running','{"units_done":0,"units_total":2}');
INSERT INTO "event" VALUES(21,'33de950d-548d-4c6d-b567-354e3e52d7cb','local',1795626146018,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(22,'33de950d-548d-4c6d-b567-354e3e52d7cb','local',1795626146024,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(23,'63df2e1a-ef16-4cab-812b-bcbb52c7744c','local',1795626146033,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(24,'63df2e1a-ef16-4cab-812b-bcbb52c7744c','local',1795626146039,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(25,'33de950d-548d-4c6d-b567-354e3e52d7cb','local',1795626146044,'cancelling','queued','cancelling','{}');
INSERT INTO "event" VALUES(26,'33de950d-548d-4c6d-b567-354e3e52d7cb','local',1795626146049,'cancelled','cancelled','cancelled','{}');
CREATE TABLE gone (
    job_id TEXT PRIMARY KEY,
    owner  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('deleted', 'expired'))
) STRICT, WITHOUT ROWID;
INSERT INTO "gone" VALUES('fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local',1795626145907,'deleted');
CREATE TABLE idempotency (
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('local','kept','eeeb38b5e7297c9fefe409b054d6948bc0d71f8686ec6daf729176b6eea09eb2','f9e3f2a1-7e86-44f5-83e4-87129b9c65b1',1795626145600);
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
INSERT INTO "job" VALUES('f9e3f2a1-7e86-44f5-83e4-87129b9c65b1',4,'local','api','','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','completed','completed',1795626145600,1795626145688,1795626145615,1795626145688,1795626145688,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:25.600000Z","ended_at":"2026-11-25T17:02:25.609000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:25.609000Z","ended_at":"2026-11-25T17:02:25.616000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:02:25.615000Z","ended_at":"2026-11-25T17:02:25.684000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:02:25.684000Z","ended_at":"2026-11-25T17:02:25.688000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9',NULL,2,0,'{}');
INSERT INTO "job" VALUES('f132dd00-d079-4557-bd3a-45a7b7cd0312',4,'local','api','nothing found','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":1,"letters":300,"molecule":"nucl","first_id":"nothing","sha256":"aed4f0553bbce6258dceb43e42a6e25e54a6409609e68198dc46f7b43a811034"}','completed','completed',1795626145713,1795626145800,1795626145720,1795626145800,1795626145800,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:25.713000Z","ended_at":"2026-11-25T17:02:25.719000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:25.719000Z","ended_at":"2026-11-25T17:02:25.720000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:02:25.720000Z","ended_at":"2026-11-25T17:02:25.796000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:02:25.796000Z","ended_at":"2026-11-25T17:02:25.800000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','[]','39ec8822606a0f5f2f8403c80362c35905bdd5617e799944eab65c89f56ff6a8',NULL,0,0,'{}');
INSERT INTO "job" VALUES('8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22',4,'local','api','failed','blastn','blastn','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{"reward":"1","penalty":"-7"}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','failed','failed',1795626145915,1795626145992,1795626145920,1795626145992,1795626145992,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:25.915000Z","ended_at":"2026-11-25T17:02:25.919000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"failed","started_at":"2026-11-25T17:02:25.919000Z","ended_at":"2026-11-25T17:02:25.992000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"running","status":"failed","started_at":"2026-11-25T17:02:25.920000Z","ended_at":"2026-11-25T17:02:25.992000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+','engine_error','blastn could not do this search: Substitution scores 1 and -7 are not supported Change the options or queries that it names.','[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','cbc358c8a2af26cbfe3678e537dc024ea017af5385774bb0dd65c0544d6c6449',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('332fae73-3f52-4d03-add6-a7a86938b344',3,'local','api','running','tblastx','tblastx','
slow
','[{"name":"slow","fingerprint":"1c56639cc2329759a81abdba3e2eb8c3dc048abcb8681a3209534c414534ff61","title":"slow","molecule":"nucl","sequences":60,"letters":3000000,"date":"Nov 25, 2026  5:02 PM","version":5}]','{"evalue":"1e-30"}',NULL,'local',0,'{"count":2,"letters":40000,"molecule":"nucl","first_id":"busy0","sha256":"34b8f0bd989d1aa5ae27c7546cad030f9e0c0f0e7a07b6f26ef4f21485eebb8e"}','running','running',1795626146003,1795626146015,1795626146013,NULL,1795626146015,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:26.003000Z","ended_at":"2026-11-25T17:02:26.010000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"running","started_at":"2026-11-25T17:02:26.010000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"running","started_at":"2026-11-25T17:02:26.013000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',2,0,1,'{}','2.12.0+',NULL,NULL,'[]','[]','ec5e8a01f922812c3b3efefaf40f4268ca20dc1ce1fbbfdefce879a5cbd8033c',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('33de950d-548d-4c6d-b567-354e3e52d7cb',4,'local','api','cancelled','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','cancelled','cancelled',1795626146018,1795626146049,NULL,1795626146049,1795626146049,NULL,NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:26.018000Z","ended_at":"2026-11-25T17:02:26.024000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:26.024000Z","ended_at":"2026-11-25T17:02:26.049000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('63df2e1a-ef16-4cab-812b-bcbb52c7744c',2,'local','api','queued','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','queued','submitting',1795626146033,1795626146039,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:26.033000Z","ended_at":"2026-11-25T17:02:26.039000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"configuring","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"staging_db","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"submitting","status":"running","started_at":"2026-11-25T17:02:26.039000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9',NULL,NULL,NULL,'{}');
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
INSERT INTO "leftover" VALUES('fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c','local','{"job_id":"fe7d9dcf-76d0-4aaa-ae99-9cacee0f117c","version":4,"title":"deleted","program":"blastn","task":"megablast","databases":[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}],"options":{},"query_loc":null,"engine":"local","priority":0,"owner":"local","source":"api","query":{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"},"status":"completed","phase":"completed","created_at":"2026-11-25T17:02:25.808000Z","updated_at":"2026-11-25T17:02:25.902000Z","started_at":"2026-11-25T17:02:25.816000Z","finished_at":"2026-11-25T17:02:25.902000Z","observed_at":"2026-11-25T17:02:25.902000Z","observed_by":"process","stale_since":null,"stale_reason":null,"waiting_for":null,"queue_position":null,"steps":[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:25.808000Z","ended_at":"2026-11-25T17:02:25.813000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:25.813000Z","ended_at":"2026-11-25T17:02:25.816000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:02:25.816000Z","ended_at":"2026-11-25T17:02:25.898000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:02:25.898000Z","ended_at":"2026-11-25T17:02:25.902000Z","skip_reason":null,"error":null,"parts":{}}],"units_total":1,"units_done":1,"attempt":1,"engine_ref":{},"blast_version":"2.12.0+","error_code":null,"error":null,"warnings":[],"plan_why":["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"],"reuse_key":"a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9","reused_from":null,"hits":2,"limit_reached":0,"standins":{}}',1795626145907);
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
INSERT INTO "unit" VALUES('332fae73-3f52-4d03-add6-a7a86938b344',0,'search',0,NULL,0,1,20000,0,20008,1,'[]','running',1,1795626146013,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('332fae73-3f52-4d03-add6-a7a86938b344',1,'search',1,NULL,1,1,20000,20008,20008,1,'[]','waiting',1,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('33de950d-548d-4c6d-b567-354e3e52d7cb',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',0,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('63df2e1a-ef16-4cab-812b-bcbb52c7744c',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',0,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('8dcbf82e-37a4-4399-8a0a-c5f5b4d74c22',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','failed',1,1795626145921,1795626145991,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('f132dd00-d079-4557-bd3a-45a7b7cd0312',0,'search',0,NULL,0,1,300,0,310,1,'[]','done',1,1795626145720,1795626145796,0,NULL,'',NULL,93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b');
INSERT INTO "unit" VALUES('f9e3f2a1-7e86-44f5-83e4-87129b9c65b1',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','done',1,1795626145616,1795626145684,0,NULL,'',NULL,1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e');
CREATE TABLE usage (
    owner   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    letters INTEGER NOT NULL,
    PRIMARY KEY (owner, at)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES('local',1795626120000,45800);
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
PRAGMA user_version = 3;
