-- Where the ids of a taxonomic filter come from: the organisms as they were asked for, and what they were then.

ALTER TABLE job ADD COLUMN organisms TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(organisms));
