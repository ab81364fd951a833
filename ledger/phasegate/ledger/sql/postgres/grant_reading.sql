-- What a role needs that reads and verifies.
GRANT USAGE ON SCHEMA @schema@ TO @role@;
GRANT SELECT ON @schema@.migrations, @schema@.entries, @schema@.tiles, @schema@.projections,
    @schema@.leases, @schema@.head TO @role@;
