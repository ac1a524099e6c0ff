-- Who this store is: what its daemon makes outside carries the name, so that daemons of other stores leave it alone.
CREATE TABLE instance (
    one   INTEGER PRIMARY KEY CHECK (one = 1),
    name  TEXT NOT NULL
) STRICT;
INSERT INTO instance (one, name) VALUES (1, lower(hex(randomblob(8))));
