-- A key may be narrow: good for one surface only. NULL is a token for everything that its role may do.
ALTER TABLE token ADD COLUMN surface TEXT CHECK (surface IN ('ncbi'));
