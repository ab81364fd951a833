-- What a role needs that appends: nothing by which an entry, an epoch or the end could be taken back.
GRANT USAGE ON SCHEMA @schema@ TO @role@;
GRANT SELECT ON @schema@.migrations TO @role@;
GRANT SELECT, INSERT ON @schema@.entries, @schema@.tiles TO @role@;
GRANT SELECT, INSERT, UPDATE, DELETE ON @schema@.projections TO @role@;
GRANT SELECT, INSERT, UPDATE (epoch, holder, expires_ms) ON @schema@.leases TO @role@;
GRANT SELECT, UPDATE (size, hash, at, clock_ms, nodes) ON @schema@.head TO @role@;
