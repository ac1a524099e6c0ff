-- What the scan of a file and makeblastdb say of a database that is made all the same.
ALTER TABLE database_task ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(warnings));
