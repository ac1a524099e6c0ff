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
INSERT INTO "artifact" VALUES('dbdb3207-1b82-4280-a87c-ec60b4cd65cd','units/0','units/0.out','text/tab-separated-values; charset=utf-8',93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b',1795626140022);
INSERT INTO "artifact" VALUES('e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b','results/csv','results/csv.csv','text/csv; charset=utf-8',97,'1d97936cbd61822d7142c0f66c953a12ca76c02b7711a10cc3abd17bcf396b34',1795626139943);
INSERT INTO "artifact" VALUES('e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b','units/0','units/0.out','text/tab-separated-values; charset=utf-8',1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e',1795626139934);
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
INSERT INTO "attempt" VALUES('370e8313-2396-4558-9035-36ffd4409d5c',0,1,1795626140115,1795626140171,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL);
INSERT INTO "attempt" VALUES('dbdb3207-1b82-4280-a87c-ec60b4cd65cd',0,1,1795626139955,1795626140019,0,NULL,'',NULL);
INSERT INTO "attempt" VALUES('e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b',0,1,1795626139873,1795626139931,0,NULL,'',NULL);
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
INSERT INTO "event" VALUES(1,'e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b','local',1795626139862,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(2,'e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b','local',1795626139868,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(3,'e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b','local',1795626139874,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(4,'e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b','local',1795626139934,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(5,'dbdb3207-1b82-4280-a87c-ec60b4cd65cd','local',1795626139948,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(6,'dbdb3207-1b82-4280-a87c-ec60b4cd65cd','local',1795626139951,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(7,'dbdb3207-1b82-4280-a87c-ec60b4cd65cd','local',1795626139957,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(8,'dbdb3207-1b82-4280-a87c-ec60b4cd65cd','local',1795626140022,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(9,'8e003168-1f7c-43e3-b1a5-b54239bfc078','local',1795626140028,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(10,'8e003168-1f7c-43e3-b1a5-b54239bfc078','local',1795626140031,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(11,'8e003168-1f7c-43e3-b1a5-b54239bfc078','local',1795626140037,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(12,'8e003168-1f7c-43e3-b1a5-b54239bfc078','local',1795626140099,'completed','completed','completed','{}');
INSERT INTO "event" VALUES(13,'8e003168-1f7c-43e3-b1a5-b54239bfc078','local',1795626140104,'deleted','completed','completed','{}');
INSERT INTO "event" VALUES(14,'370e8313-2396-4558-9035-36ffd4409d5c','local',1795626140109,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(15,'370e8313-2396-4558-9035-36ffd4409d5c','local',1795626140112,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(16,'370e8313-2396-4558-9035-36ffd4409d5c','local',1795626140118,'moved','running','running','{"units_done":0,"units_total":1}');
INSERT INTO "event" VALUES(17,'370e8313-2396-4558-9035-36ffd4409d5c','local',1795626140173,'failed','failed','failed','{"code":"engine_error"}');
INSERT INTO "event" VALUES(18,'cfa5b2c3-c19b-48c0-b87d-358942d7d498','local',1795626140179,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(19,'cfa5b2c3-c19b-48c0-b87d-358942d7d498','local',1795626140183,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(20,'cfa5b2c3-c19b-48c0-b87d-358942d7d498','local',1795626140189,'moved','running','running','{"units_done":0,"units_total":2}');
INSERT INTO "event" VALUES(21,'a2eb306e-79a8-4c7d-b7dc-9eb00736b16d','local',1795626140191,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(22,'a2eb306e-79a8-4c7d-b7dc-9eb00736b16d','local',1795626140198,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(23,'8a545cb4-401c-4e04-a0f7-1c96ce1ff39f','local',1795626140202,'accepted','queued','queued','{"source":"api"}');
INSERT INTO "event" VALUES(24,'8a545cb4-401c-4e04-a0f7-1c96ce1ff39f','local',1795626140208,'moved','queued','submitting','{}');
INSERT INTO "event" VALUES(25,'a2eb306e-79a8-4c7d-b7dc-9eb00736b16d','local',1795626140214,'cancelling','queued','cancelling','{}');
INSERT INTO "event" VALUES(26,'a2eb306e-79a8-4c7d-b7dc-9eb00736b16d','local',1795626140218,'cancelled','cancelled','cancelled','{}');
CREATE TABLE gone (
    job_id TEXT PRIMARY KEY,
    owner  TEXT NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL CHECK (reason IN ('deleted', 'expired'))
) STRICT, WITHOUT ROWID;
INSERT INTO "gone" VALUES('8e003168-1f7c-43e3-b1a5-b54239bfc078','local',1795626140104,'deleted');
CREATE TABLE idempotency (
    owner       TEXT NOT NULL,
    key         TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    job_id      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;
INSERT INTO "idempotency" VALUES('local','kept','e26203c8373a58e4cbb6a2b92cae06dbe21e72488945a6991c3320ab48cf9e99','e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b',1795626139862);
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
INSERT INTO "job" VALUES('e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b',4,'local','api','','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','completed','completed',1795626139862,1795626139934,1795626139873,1795626139934,1795626139934,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:19.862000Z","ended_at":"2026-11-25T17:02:19.868000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:19.868000Z","ended_at":"2026-11-25T17:02:19.873000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:02:19.873000Z","ended_at":"2026-11-25T17:02:19.931000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:02:19.931000Z","ended_at":"2026-11-25T17:02:19.934000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9',NULL,2,0,'{}');
INSERT INTO "job" VALUES('dbdb3207-1b82-4280-a87c-ec60b4cd65cd',4,'local','api','nothing found','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":1,"letters":300,"molecule":"nucl","first_id":"nothing","sha256":"aed4f0553bbce6258dceb43e42a6e25e54a6409609e68198dc46f7b43a811034"}','completed','completed',1795626139948,1795626140022,1795626139954,1795626140022,1795626140022,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:19.948000Z","ended_at":"2026-11-25T17:02:19.951000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:19.951000Z","ended_at":"2026-11-25T17:02:19.955000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:02:19.954000Z","ended_at":"2026-11-25T17:02:20.019000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:02:20.019000Z","ended_at":"2026-11-25T17:02:20.022000Z","skip_reason":null,"error":null,"parts":{}}]',1,1,1,'{}','2.12.0+',NULL,NULL,'[]','[]','39ec8822606a0f5f2f8403c80362c35905bdd5617e799944eab65c89f56ff6a8',NULL,0,0,'{}');
INSERT INTO "job" VALUES('370e8313-2396-4558-9035-36ffd4409d5c',4,'local','api','failed','blastn','blastn','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{"reward":"1","penalty":"-7"}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','failed','failed',1795626140109,1795626140173,1795626140115,1795626140173,1795626140173,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:20.109000Z","ended_at":"2026-11-25T17:02:20.112000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"failed","started_at":"2026-11-25T17:02:20.112000Z","ended_at":"2026-11-25T17:02:20.173000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"running","status":"failed","started_at":"2026-11-25T17:02:20.115000Z","ended_at":"2026-11-25T17:02:20.173000Z","skip_reason":null,"error":"blastn could not do this search: Substitution scores 1 and -7 are not supported","parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+','engine_error','blastn could not do this search: Substitution scores 1 and -7 are not supported Change the options or queries that it names.','[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','cbc358c8a2af26cbfe3678e537dc024ea017af5385774bb0dd65c0544d6c6449',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('cfa5b2c3-c19b-48c0-b87d-358942d7d498',3,'local','api','running','tblastx','tblastx','
slow
','[{"name":"slow","fingerprint":"1c56639cc2329759a81abdba3e2eb8c3dc048abcb8681a3209534c414534ff61","title":"slow","molecule":"nucl","sequences":60,"letters":3000000,"date":"Nov 25, 2026  5:02 PM","version":5}]','{"evalue":"1e-30"}',NULL,'local',0,'{"count":2,"letters":40000,"molecule":"nucl","first_id":"busy0","sha256":"34b8f0bd989d1aa5ae27c7546cad030f9e0c0f0e7a07b6f26ef4f21485eebb8e"}','running','running',1795626140179,1795626140189,1795626140186,NULL,1795626140189,'process',NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:20.179000Z","ended_at":"2026-11-25T17:02:20.183000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"running","started_at":"2026-11-25T17:02:20.183000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"running","started_at":"2026-11-25T17:02:20.186000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',2,0,1,'{}','2.12.0+',NULL,NULL,'[]','[]','ec5e8a01f922812c3b3efefaf40f4268ca20dc1ce1fbbfdefce879a5cbd8033c',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('a2eb306e-79a8-4c7d-b7dc-9eb00736b16d',4,'local','api','cancelled','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','cancelled','cancelled',1795626140191,1795626140218,NULL,1795626140218,1795626140218,NULL,NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:20.191000Z","ended_at":"2026-11-25T17:02:20.198000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:20.198000Z","ended_at":"2026-11-25T17:02:20.218000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}},{"name":"exporting","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"the search ended before this step","error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9',NULL,NULL,NULL,'{}');
INSERT INTO "job" VALUES('8a545cb4-401c-4e04-a0f7-1c96ce1ff39f',2,'local','api','queued','blastn','megablast','
tnt
','[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}]','{}',NULL,'local',0,'{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"}','queued','submitting',1795626140202,1795626140208,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:20.202000Z","ended_at":"2026-11-25T17:02:20.208000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"configuring","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"staging_db","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"submitting","status":"running","started_at":"2026-11-25T17:02:20.208000Z","ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"pending","started_at":null,"ended_at":null,"skip_reason":null,"error":null,"parts":{}}]',1,0,1,'{}','2.12.0+',NULL,NULL,'[]','["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"]','a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9',NULL,NULL,NULL,'{}');
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
INSERT INTO "leftover" VALUES('8e003168-1f7c-43e3-b1a5-b54239bfc078','local','{"job_id":"8e003168-1f7c-43e3-b1a5-b54239bfc078","version":4,"title":"deleted","program":"blastn","task":"megablast","databases":[{"name":"tnt","fingerprint":"018c984fdf6c289fc95eeace562f6685280ad64957da54dd13dea42a3f7aa3e5","title":"tnt","molecule":"nucl","sequences":30,"letters":66286,"date":"Nov 25, 2026  5:02 PM","version":5}],"options":{},"query_loc":null,"engine":"local","priority":0,"owner":"local","source":"api","query":{"count":2,"letters":1100,"molecule":"nucl","first_id":"q1","sha256":"e4e36f0823f79450213040a80aae5b232d6d223c7883b7c8792388f9d7c19f05"},"status":"completed","phase":"completed","created_at":"2026-11-25T17:02:20.028000Z","updated_at":"2026-11-25T17:02:20.099000Z","started_at":"2026-11-25T17:02:20.035000Z","finished_at":"2026-11-25T17:02:20.099000Z","observed_at":"2026-11-25T17:02:20.099000Z","observed_by":"process","stale_since":null,"stale_reason":null,"waiting_for":null,"queue_position":null,"steps":[{"name":"preparing","status":"done","started_at":"2026-11-25T17:02:20.028000Z","ended_at":"2026-11-25T17:02:20.031000Z","skip_reason":null,"error":null,"parts":{}},{"name":"warming_up","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"configuring","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"staging_db","status":"skipped","started_at":null,"ended_at":null,"skip_reason":"not needed on this machine","error":null,"parts":{}},{"name":"submitting","status":"done","started_at":"2026-11-25T17:02:20.031000Z","ended_at":"2026-11-25T17:02:20.035000Z","skip_reason":null,"error":null,"parts":{}},{"name":"running","status":"done","started_at":"2026-11-25T17:02:20.035000Z","ended_at":"2026-11-25T17:02:20.096000Z","skip_reason":null,"error":null,"parts":{}},{"name":"exporting","status":"done","started_at":"2026-11-25T17:02:20.096000Z","ended_at":"2026-11-25T17:02:20.099000Z","skip_reason":null,"error":null,"parts":{}}],"units_total":1,"units_done":1,"attempt":1,"engine_ref":{},"blast_version":"2.12.0+","error_code":null,"error":null,"warnings":[],"plan_why":["one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them"],"reuse_key":"a749bc3102ae5f6e3aa8131854b576e42d4bd372226706c16fc3e0f0da9a44f9","reused_from":null,"hits":2,"limit_reached":0,"standins":{}}',1795626140104);
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
INSERT INTO "unit" VALUES('370e8313-2396-4558-9035-36ffd4409d5c',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','failed',1,1795626140115,1795626140171,3,'engine_error','BLAST engine error: Error: Substitution scores 1 and -7 are not supported Error: Substitution scores 1 and -7 are not supported 
',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('8a545cb4-401c-4e04-a0f7-1c96ce1ff39f',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',0,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('a2eb306e-79a8-4c7d-b7dc-9eb00736b16d',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','waiting',0,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('cfa5b2c3-c19b-48c0-b87d-358942d7d498',0,'search',0,NULL,0,1,20000,0,20008,1,'[]','running',1,1795626140186,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('cfa5b2c3-c19b-48c0-b87d-358942d7d498',1,'search',1,NULL,1,1,20000,20008,20008,1,'[]','waiting',1,NULL,NULL,NULL,NULL,'',NULL,NULL,NULL);
INSERT INTO "unit" VALUES('dbdb3207-1b82-4280-a87c-ec60b4cd65cd',0,'search',0,NULL,0,1,300,0,310,1,'[]','done',1,1795626139955,1795626140019,0,NULL,'',NULL,93,'958fe6c53884fe8ac52c892f9d0e13a514f2c8227b3ac22ff06538f94c079a6b');
INSERT INTO "unit" VALUES('e6dcf0ee-2db3-49e9-bf1d-86b7eae0e88b',0,'search',0,NULL,0,2,1100,0,1159,1,'[]','done',1,1795626139873,1795626139931,0,NULL,'',NULL,1323,'8e283fdd3504eb12d5bdcccd2ee671c860337c6063d9331a3766c8b2228b848e');
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('event',26);
COMMIT;
PRAGMA user_version = 1;
