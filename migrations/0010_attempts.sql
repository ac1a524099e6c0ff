-- How often the making of a database was begun: one that stops the service each time must not do so for ever.

ALTER TABLE database_task ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
