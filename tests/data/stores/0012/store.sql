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
INSERT INTO "artifact" VALUES('2729fdb8-282c-418e-ab0f-b712ff367a03','units/0','units/0.out','text/tab-separated-values; charset=utf-8',93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b',1796034989196);
INSERT INTO "artifact" VALUES('bfc41972-e5b9-40a0-80b9-d8a79d93dc26','results/csv','results/csv.csv','text/plain; charset=utf-8',97,'1d97936cbd61822d7142c0f66c953a12ca76c02b7711a10cc3abd17bcf396b34',1796034988929);
INSERT INTO "artifact" VALUES('bfc41972-e5b9-40a0-80b9-d8a79d93dc26','units/0','units/0.out','text/tab-separated-values; charset=utf-8',1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e',1796034988920);
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
INSERT INTO "attempt" VALUES('2729fdb8-282c-418e-ab0f-b712ff367a03',0,1,1796034988952,1796034989180,0,NULL,'',NULL);
INSERT INTO "attempt" VALUES('3bd00918-322c-44d2-8f91-190c48b142d1',0,1,1796034989554,1796034989654,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL);
INSERT INTO "attempt" VALUES('bfc41972-e5b9-40a0-80b9-d8a79d93dc26',0,1,1796034988676,1796034988908,0,NULL,'',NULL);
CREATE TABLE database_history (
    history_id  INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    molecule    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('made', 'replaced', 'fetched', 'updated', 'update_failed', 'renamed', 'removed')),
    owner       TEXT NOT NULL,
    task_id     TEXT,
    fingerprint TEXT NOT NULL DEFAULT '',
    detail      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE "database_task" (
    task_id     TEXT PRIMARY KEY,
    owner       TEXT NOT NULL,
    name        TEXT NOT NULL,
    kind        TEXT NOT NULL DEFAULT 'make' CHECK (kind IN ('make', 'fetch', 'update')),
    status      TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
    step        TEXT NOT NULL DEFAULT '',
    progress    REAL NOT NULL,
    bytes_done  INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0,
    settings    TEXT NOT NULL CHECK (json_valid(settings)),
    error_code  TEXT,
    error       TEXT,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    due_at      INTEGER NOT NULL DEFAULT 0,
    fingerprint TEXT,
    warnings    TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(warnings)),
    attempts    INTEGER NOT NULL DEFAULT 0,
    tries       INTEGER NOT NULL DEFAULT 0,
    cancelling  INTEGER NOT NULL DEFAULT 0 CHECK (cancelling IN (0, 1))
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
INSERT INTO "event" VALUES(1,'bfc41972-e5b9-40a0-80b9-d8a79d93dc26','local',1796034988663,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(2,'bfc41972-e5b9-40a0-80b9-d8a79d93dc26','local',1796034988673,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(3,'bfc41972-e5b9-40a0-80b9-d8a79d93dc26','local',1796034988920,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(4,'2729fdb8-282c-418e-ab0f-b712ff367a03','local',1796034988935,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(5,'2729fdb8-282c-418e-ab0f-b712ff367a03','local',1796034988950,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(6,'2729fdb8-282c-418e-ab0f-b712ff367a03','local',1796034989196,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(10,'a0185905-5f9f-4de6-bd39-8b1c0f2b82dd','local',1796034989520,'deleted','completed','completed','{}');
INSERT INTO "event" VALUES(11,'3bd00918-322c-44d2-8f91-190c48b142d1','local',1796034989538,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(12,'3bd00918-322c-44d2-8f91-190c48b142d1','local',1796034989551,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(13,'3bd00918-322c-44d2-8f91-190c48b142d1','local',1796034989656,'failed','failed','failed','{"code":"engine_error"}');
INSERT INTO "event" VALUES(14,'5303c9a7-a94e-4073-974f-4153d15c871b','local',1796034989902,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(15,'5303c9a7-a94e-4073-974f-4153d15c871b','local',1796034989922,'moved','running','running','{"units_done":0,"units_total":2}');
INSERT INTO "event" VALUES(16,'b6bab069-34dd-4166-942b-e54098e5a312','local',1796034989962,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(17,'b6bab069-34dd-4166-942b-e54098e5a312','local',1796034989967,'progress','queued','queued','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(18,'83a35e9f-a35e-48ed-83ae-fcd85fa16f72','local',1796034989973,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(19,'83a35e9f-a35e-48ed-83ae-fcd85fa16f72','local',1796034990029,'progress','queued','queued','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(20,'b6bab069-34dd-4166-942b-e54098e5a312','local',1796034990040,'cancelling','queued','cancelling','{}');
INSERT INTO "event" VALUES(21,'b6bab069-34dd-4166-942b-e54098e5a312','local',1796034990072,'cancelled','cancelled','cancelled','{}');
CREATE TABLE gone (
    job_id TEXT PRIMARY KEY,
    owner  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('deleted', 'expired'))
) STRICT, WITHOUT ROWID;
INSERT INTO "gone" VALUES('a0185905-5f9f-4de6-bd39-8b1c0f2b82dd','local',1796034989520,'deleted');
CREATE TABLE idempotency (
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('local','kept','eeeb38b5e7297c9fefe409b054d6948bc0d71f8686ec6daf729176b6eea09eb2','bfc41972-e5b9-40a0-80b9-d8a79d93dc26',1796034988663);
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
INSERT INTO "job" VALUES('bfc41972-e5b9-40a0-80b9-d8a79d93dc26',3,'local','api','','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"f3b3a1b6da6d3e11f095d4436acfe64ef6169892a3bf6e309d4bfbc2075370e2","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 30, 2026  10:36 AM","version":5,"taxonomy":""}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','completed','completed',1796034988663,1796034988920,1796034988673,1796034988920,1796034988920,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-30T10:36:28.663000Z","ended_at":"2026-11-30T10:36:28.673000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-30T10:36:28.673000Z","ended_at":"2026-11-30T10:36:28.673000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-30T10:36:28.673000Z","ended_at":"2026-11-30T10:36:28.908000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-30T10:36:28.908000Z","ended_at":"2026-11-30T10:36:28.920000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','85478f31c987118f38b59040e644757ff410180e43c4ca8b986eefb4237de93a',NULL,2,0,'{}');
INSERT INTO "job" VALUES('2729fdb8-282c-418e-ab0f-b712ff367a03',3,'local','api','nothing found','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"f3b3a1b6da6d3e11f095d4436acfe64ef6169892a3bf6e309d4bfbc2075370e2","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 30, 2026  10:36 AM","version":5,"taxonomy":""}]','{}',NULL,'local',0,'{"count":1,"letters":300,"molecule":"nucl","first_id":"nothing","sha256":"aed4f0553bbce6258dceb43e42a6e25e54a6409609e68198dc46f7b43a811034"}','completed','completed',1796034988935,1796034989196,1796034988950,1796034989196,1796034989196,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-30T10:36:28.935000Z","ended_at":"2026-11-30T10:36:28.950000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-30T10:36:28.950000Z","ended_at":"2026-11-30T10:36:28.950000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-30T10:36:28.950000Z","ended_at":"2026-11-30T10:36:29.180000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-30T10:36:29.180000Z","ended_at":"2026-11-30T10:36:29.196000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','[]','e5b0bbd24df69945793cd60c86ef477c174273744a8d690cb5cae179f63ab24f',NULL,0,0,'{}');
INSERT INTO "job" VALUES('3bd00918-322c-44d2-8f91-190c48b142d1',3,'local','api','failed','blastn','blastn','
tnt
','[{"name":"tnt","fingerprint":"f3b3a1b6da6d3e11f095d4436acfe64ef6169892a3bf6e309d4bfbc2075370e2","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 30, 2026  10:36 AM","version":5,"taxonomy":""}]','{"reward":"1","penalty":"-7"}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','failed','failed',1796034989538,1796034989656,1796034989551,1796034989656,1796034989656,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-30T10:36:29.538000Z","ended_at":"2026-11-30T10:36:29.551000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-30T10:36:29.551000Z","ended_at":"2026-11-30T10:36:29.551000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"failed","started_at":"2026-11-30T10:36:29.551000Z","ended_at":"2026-11-30T10:36:29.656000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+','engine_error','blastn could not do this search: Substitution scores 1 and -7 are not supported Change the options or queries that it names.','[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','362b6ea4dfd3d50948f3106e4a721f60cee5f0b12a2f2e77952d19f486c89526',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('5303c9a7-a94e-4073-974f-4153d15c871b',2,'local','api','running','tblastx','tblastx','
slow
','[{"name":"slow","fingerprint":"5512dacdbab39d03f008a8ba6cfe81535b9b9e77fe7d1051b4d53969ecb89e38","title":"slow","molecule":"nucl","sequences":60,"letters":3000000,"date":"Nov 30, 2026  10:36 AM","version":5,"taxonomy":""}]','{"evalue":"1e-30"}',NULL,'local',0,'{"count":2,"letters":40000,"molecule":"nucl","first_id":"busy0","sha256":"34b8f0bd989d1aa5ae27c7546cad030f9e0c0f0e7a07b6f26ef4f21485eebb8e"}','running','running',1796034989902,1796034989922,1796034989922,NULL,1796034989922,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-30T10:36:29.902000Z","ended_at":"2026-11-30T10:36:29.922000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-30T10:36:29.922000Z","ended_at":"2026-11-30T10:36:29.922000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"running","started_at":"2026-11-30T10:36:29.922000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',2,0,1,'{}','2.12.0+',NULL,NULL,'[]','[]','37ded8719d69c67af5a715a0e7cd997aa6df62ba3d9d96bd8c26a8cd1280ecce',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('b6bab069-34dd-4166-942b-e54098e5a312',4,'local','api','cancelled','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"f3b3a1b6da6d3e11f095d4436acfe64ef6169892a3bf6e309d4bfbc2075370e2","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 30, 2026  10:36 AM","version":5,"taxonomy":""}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','cancelled','cancelled',1796034989962,1796034990072,NULL,1796034990072,1796034990072,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-30T10:36:29.962000Z","ended_at":"2026-11-30T10:36:29.967000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-30T10:36:29.967000Z","ended_at":"2026-11-30T10:36:29.967000Z","skip_reason":null,"error":null,"parts":{}},{"name":"waiting","status":"done","started_at":"2026-11-30T10:36:29.967000Z","ended_at":"2026-11-30T10:36:30.072000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','85478f31c987118f38b59040e644757ff410180e43c4ca8b986eefb4237de93a',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('83a35e9f-a35e-48ed-83ae-fcd85fa16f72',2,'local','api','queued','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"f3b3a1b6da6d3e11f095d4436acfe64ef6169892a3bf6e309d4bfbc2075370e2","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 30, 2026  10:36 AM","version":5,"taxonomy":""}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','queued','queued',1796034989973,1796034990029,NULL,NULL,1796034990029,'process',NULL,NULL,'slot',2,'[{"name":"preparing","status":"done","started_at":"2026-11-30T10:36:29.973000Z","ended_at":"2026-11-30T10:36:30.029000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-30T10:36:30.029000Z","ended_at":"2026-11-30T10:36:30.029000Z","skip_reason":null,"error":null,"parts":{}},{"name":"waiting","status":"running","started_at":"2026-11-30T10:36:30.029000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','85478f31c987118f38b59040e644757ff410180e43c4ca8b986eefb4237de93a',NULL,NULL,NULL,'{}');
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
, attempts INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
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
CREATE TABLE query_text (
    job_id TEXT PRIMARY KEY REFERENCES job (job_id) ON DELETE CASCADE,
    fasta  BLOB NOT NULL,
    ascii  BLOB
) STRICT;
INSERT INTO "query_text" VALUES('bfc41972-e5b9-40a0-80b9-d8a79d93dc26',X'3E7131206C616D62646120313030302D313630300A474341474347434141434143434354544154435447475454474343474143474741544747544741544743434741474141435454544154474141414143434341434754544741470A434347414354415454434754474154415454434347544347435447435447474347435447474343434347544747544154474743414141414147434143434747474154414143410A434743544341434341544741414743475454544341435441415447474743475447474354544354474754474343544747474347475441414147434747434141414141414354410A434347544741414141475443474754474741544754474743474747545441544741544741414354544743544743545454544741544741544741544154544741414341474741410A474743544354434347414347545443435447474754474143414147434754415454474141474743544347475443544747434341414147544343415443434754474743544343410A434743434141414147544741474147474341434354475443414741545447414743475447434147434341475447414154434343434743415454545441544743475454545443410A544754544743435447434343474341545447434747474741474741474341475441544354544141415454544747434741434141414741474143474343475454544747434354430A414141544747414347434347474154474143434343544343414743475447545454544154435443544743474147434154414154474343544743475443415443434743434147430A414747414743544747414354545441435447415447434343475454415441544354474347414141410A3E7132206C616D62646120373030302D373530300A474741544743474741434743414341474347434741414747434154544141434743435443544743434347545441434343474141414141435447474754474143434143434747430A474154434347474347434754474147545443414343415447415454434147544341474341434347435447415447435447435447474354474143434354474154474147545443470A544754434347544143414143544747434754414154434154474743434354544347474747434341545447545454435443544754474741474741475443434154474143474141410A474154474141435447415454474343434754435443434743544347435447474754474141434141435447414143434754474154475443414743435447414347474747414347410A414147414147414143544747434743544343475447544747434147414743544741414147414747414743545447415447414341434747415447414141435447434347475443410A474741434143434343544354434147434347474741414141544754474354474143434747414341544741414141544741474754474747415443414743474341474343474741540A414343475447415454435447474154414347544354474141435447475443414347475443475447474341435447475447414147435447434154414354474154474341435454430A414347434341434743470A',NULL);
INSERT INTO "query_text" VALUES('2729fdb8-282c-418e-ab0f-b712ff367a03',X'3E6E6F7468696E670A4341414154434347475443434741544343474147544354475443434341415447435447544341544154475454474141435441434143414347415441414343544347544154474747434141414141414754545441544141434741414354434343415454474343434747435447415447414354414354434754545447544354434747434747544743435443474754414741474747544154434341474143474741544341474743474747545441414143475443434754474354545443414341414354474354414343475443545443545443414141434143434347474747474341474141434154414347435441414343474147474754414747544141544741544747544743414347414141435447414347415441435454415454545443434143434154545443414341434743434354410A',NULL);
INSERT INTO "query_text" VALUES('3bd00918-322c-44d2-8f91-190c48b142d1',X'3E7131206C616D62646120313030302D313630300A474341474347434141434143434354544154435447475454474343474143474741544747544741544743434741474141435454544154474141414143434341434754544741470A434347414354415454434754474154415454434347544347435447435447474347435447474343434347544747544154474743414141414147434143434747474154414143410A434743544341434341544741414743475454544341435441415447474743475447474354544354474754474343544747474347475441414147434747434141414141414354410A434347544741414141475443474754474741544754474743474747545441544741544741414354544743544743545454544741544741544741544154544741414341474741410A474743544354434347414347545443435447474754474143414147434754415454474141474743544347475443544747434341414147544343415443434754474743544343410A434743434141414147544741474147474341434354475443414741545447414743475447434147434341475447414154434343434743415454545441544743475454545443410A544754544743435447434343474341545447434747474741474741474341475441544354544141415454544747434741434141414741474143474343475454544747434354430A414141544747414347434347474154474143434343544343414743475447545454544154435443544743474147434154414154474343544743475443415443434743434147430A414747414743544747414354545441435447415447434343475454415441544354474347414141410A3E7132206C616D62646120373030302D373530300A474741544743474741434743414341474347434741414747434154544141434743435443544743434347545441434343474141414141435447474754474143434143434747430A474154434347474347434754474147545443414343415447415454434147544341474341434347435447415447435447435447474354474143434354474154474147545443470A544754434347544143414143544747434754414154434154474743434354544347474747434341545447545454435443544754474741474741475443434154474143474141410A474154474141435447415454474343434754435443434743544347435447474754474141434141435447414143434754474154475443414743435447414347474747414347410A414147414147414143544747434743544343475447544747434147414743544741414147414747414743545447415447414341434747415447414141435447434347475443410A474741434143434343544354434147434347474741414141544754474354474143434747414341544741414141544741474754474747415443414743474341474343474741540A414343475447415454435447474154414347544354474141435447475443414347475443475447474341435447475447414147435447434154414354474154474341435454430A414347434341434743470A',NULL);
INSERT INTO "query_text" VALUES('b6bab069-34dd-4166-942b-e54098e5a312',X'3E7131206C616D62646120313030302D313630300A474341474347434141434143434354544154435447475454474343474143474741544747544741544743434741474141435454544154474141414143434341434754544741470A434347414354415454434754474154415454434347544347435447435447474347435447474343434347544747544154474743414141414147434143434747474154414143410A434743544341434341544741414743475454544341435441415447474743475447474354544354474754474343544747474347475441414147434747434141414141414354410A434347544741414141475443474754474741544754474743474747545441544741544741414354544743544743545454544741544741544741544154544741414341474741410A474743544354434347414347545443435447474754474143414147434754415454474141474743544347475443544747434341414147544343415443434754474743544343410A434743434141414147544741474147474341434354475443414741545447414743475447434147434341475447414154434343434743415454545441544743475454545443410A544754544743435447434343474341545447434747474741474741474341475441544354544141415454544747434741434141414741474143474343475454544747434354430A414141544747414347434347474154474143434343544343414743475447545454544154435443544743474147434154414154474343544743475443415443434743434147430A414747414743544747414354545441435447415447434343475454415441544354474347414141410A3E7132206C616D62646120373030302D373530300A474741544743474741434743414341474347434741414747434154544141434743435443544743434347545441434343474141414141435447474754474143434143434747430A474154434347474347434754474147545443414343415447415454434147544341474341434347435447415447435447435447474354474143434354474154474147545443470A544754434347544143414143544747434754414154434154474743434354544347474747434341545447545454435443544754474741474741475443434154474143474141410A474154474141435447415454474343434754435443434743544347435447474754474141434141435447414143434754474154475443414743435447414347474747414347410A414147414147414143544747434743544343475447544747434147414743544741414147414747414743545447415447414341434747415447414141435447434347475443410A474741434143434343544354434147434347474741414141544754474354474143434747414341544741414141544741474754474747415443414743474341474343474741540A414343475447415454435447474154414347544354474141435447475443414347475443475447474341435447475447414147435447434154414354474154474341435454430A414347434341434743470A',NULL);
INSERT INTO "query_text" VALUES('83a35e9f-a35e-48ed-83ae-fcd85fa16f72',X'3E7131206C616D62646120313030302D313630300A474341474347434141434143434354544154435447475454474343474143474741544747544741544743434741474141435454544154474141414143434341434754544741470A434347414354415454434754474154415454434347544347435447435447474347435447474343434347544747544154474743414141414147434143434747474154414143410A434743544341434341544741414743475454544341435441415447474743475447474354544354474754474343544747474347475441414147434747434141414141414354410A434347544741414141475443474754474741544754474743474747545441544741544741414354544743544743545454544741544741544741544154544741414341474741410A474743544354434347414347545443435447474754474143414147434754415454474141474743544347475443544747434341414147544343415443434754474743544343410A434743434141414147544741474147474341434354475443414741545447414743475447434147434341475447414154434343434743415454545441544743475454545443410A544754544743435447434343474341545447434747474741474741474341475441544354544141415454544747434741434141414741474143474343475454544747434354430A414141544747414347434347474154474143434343544343414743475447545454544154435443544743474147434154414154474343544743475443415443434743434147430A414747414743544747414354545441435447415447434343475454415441544354474347414141410A3E7132206C616D62646120373030302D373530300A474741544743474741434743414341474347434741414747434154544141434743435443544743434347545441434343474141414141435447474754474143434143434747430A474154434347474347434754474147545443414343415447415454434147544341474341434347435447415447435447435447474354474143434354474154474147545443470A544754434347544143414143544747434754414154434154474743434354544347474747434341545447545454435443544754474741474741475443434154474143474141410A474154474141435447415454474343434754435443434743544347435447474754474141434141435447414143434754474154475443414743435447414347474747414347410A414147414147414143544747434743544343475447544747434147414743544741414147414747414743545447415447414341434747415447414141435447434347475443410A474741434143434343544354434147434347474741414141544754474354474143434747414341544741414141544741474754474747415443414743474341474343474741540A414343475447415454435447474154414347544354474141435447475443414347475443475447474341435447475447414147435447434154414354474154474341435454430A414347434341434743470A',NULL);
CREATE TABLE token (
    token_id     TEXT PRIMARY KEY,
    owner        TEXT NOT NULL,
    role         TEXT NOT NULL CHECK (role IN ('user', 'admin')),
    sha256       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    last_used_at INTEGER
, surface TEXT CHECK (surface IN ('ncbi'))) STRICT, WITHOUT ROWID;
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
    output_sha256 TEXT, blast_version TEXT,
    PRIMARY KEY (job_id, idx)
) STRICT, WITHOUT ROWID;
INSERT INTO "unit" VALUES('2729fdb8-282c-418e-ab0f-b712ff367a03',0,'search',0,NULL,0,1,300,0,310,1,'[]','done',1,1796034988952,1796034989180,0,NULL,'',NULL,93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b','2.12.0+');
INSERT INTO "unit" VALUES('3bd00918-322c-44d2-8f91-190c48b142d1',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','failed',1,1796034989554,1796034989654,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL,NULL,NULL,NULL);
INSERT INTO "unit" VALUES('5303c9a7-a94e-4073-974f-4153d15c871b',0,'search',0,NULL,0,1,20000,0,20008,1,'[]','running',1,1796034989922,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL);
INSERT INTO "unit" VALUES('5303c9a7-a94e-4073-974f-4153d15c871b',1,'search',1,NULL,1,1,20000,20008,20008,1,'[]','waiting',1,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL);
INSERT INTO "unit" VALUES('83a35e9f-a35e-48ed-83ae-fcd85fa16f72',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',1,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL);
INSERT INTO "unit" VALUES('b6bab069-34dd-4166-942b-e54098e5a312',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',1,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL,NULL);
INSERT INTO "unit" VALUES('bfc41972-e5b9-40a0-80b9-d8a79d93dc26',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','done',1,1796034988676,1796034988908,0,NULL,'',NULL,1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e','2.12.0+');
CREATE TABLE usage (
    owner   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    letters INTEGER NOT NULL,
    PRIMARY KEY (owner, at)
) STRICT, WITHOUT ROWID;
INSERT INTO "usage" VALUES('local',1796034960000,45800);
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
CREATE INDEX outbox_due ON outbox (host, due_at);
CREATE INDEX idempotency_job ON idempotency (job_id);
CREATE INDEX gone_at ON gone (at);
CREATE INDEX usage_at ON usage (at);
CREATE INDEX database_task_newest ON database_task (created_at DESC, task_id);
CREATE INDEX database_task_finished ON database_task (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX database_task_open ON database_task (owner) WHERE finished_at IS NULL;
CREATE INDEX database_history_of ON database_history (name, history_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',21);
COMMIT;
PRAGMA user_version = 12;
