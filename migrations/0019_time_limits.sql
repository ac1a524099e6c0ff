-- How long a search may run at most as its owner asked (none: as the operator allows), and how long it has run: what a restart forgets.
ALTER TABLE job ADD COLUMN time_limit_seconds INTEGER CHECK (time_limit_seconds > 0);
ALTER TABLE job ADD COLUMN ran_ms INTEGER NOT NULL DEFAULT 0 CHECK (ran_ms >= 0);
