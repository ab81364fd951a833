CREATE UNIQUE INDEX projections_by_key ON projections (kind, key)
