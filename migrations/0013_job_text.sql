-- Words of jobs by which lists find them: pieces of three letters of title, first query and databases (FTS5, trigram).
-- A row's number is the job's place in the lists: milliseconds of its beginning, then the first five digits of its id, so that what
-- matches is read newest first. (Two jobs of one millisecond with the same five digits: the second is found while it is new.)

CREATE VIRTUAL TABLE job_text USING fts5 (text_job UNINDEXED, text_title, text_query, text_databases, tokenize = 'trigram');

CREATE VIEW job_text_row (number, job_id, title, query, databases) AS
    SELECT (created_at << 20)
           | ((instr('0123456789abcdef', substr(job_id, 1, 1)) - 1) << 16)
           | ((instr('0123456789abcdef', substr(job_id, 2, 1)) - 1) << 12)
           | ((instr('0123456789abcdef', substr(job_id, 3, 1)) - 1) << 8)
           | ((instr('0123456789abcdef', substr(job_id, 4, 1)) - 1) << 4)
           | (instr('0123456789abcdef', substr(job_id, 5, 1)) - 1),
           job_id, title, query ->> '$.first_id', database_names
    FROM job;

CREATE TRIGGER job_text_insert AFTER INSERT ON job BEGIN
    INSERT INTO job_text (rowid, text_job, text_title, text_query, text_databases)
        SELECT * FROM job_text_row
        WHERE job_id = NEW.job_id AND NOT EXISTS (SELECT 1 FROM job_text WHERE rowid = job_text_row.number);
END;
CREATE TRIGGER job_text_title AFTER UPDATE OF title ON job WHEN NEW.title <> OLD.title BEGIN
    UPDATE job_text SET text_title = NEW.title
        WHERE rowid = (SELECT number FROM job_text_row WHERE job_id = NEW.job_id) AND text_job = NEW.job_id;
END;
CREATE TRIGGER job_text_delete BEFORE DELETE ON job BEGIN
    DELETE FROM job_text
        WHERE rowid = (SELECT number FROM job_text_row WHERE job_id = OLD.job_id) AND text_job = OLD.job_id;
END;

INSERT OR IGNORE INTO job_text (rowid, text_job, text_title, text_query, text_databases)
    SELECT * FROM job_text_row;
