-- How often the clean-up of a leftover failed in a way that nobody foresaw: it must not be tried for ever.

ALTER TABLE leftover ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
