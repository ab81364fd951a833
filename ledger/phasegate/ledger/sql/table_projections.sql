CREATE TABLE projections (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT
