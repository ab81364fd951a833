-- A ledger in a schema of its own. `@schema@` stands for its quoted name; names are spelled out in the
-- functions, because whoever inserts chooses the search path and could put a table of the same name first.

CREATE TABLE @schema@.migrations (
    version integer PRIMARY KEY,
    digest text COLLATE "C" NOT NULL
);

CREATE TABLE @schema@.entries (
    seq bigint PRIMARY KEY,
    task text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    bytes bytea NOT NULL
);

CREATE INDEX entries_by_task ON @schema@.entries (task, seq);

CREATE TABLE @schema@.projections (
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (kind, key)
);

CREATE TABLE @schema@.leases (
    task text COLLATE "C" NOT NULL,
    phase text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL CHECK (epoch BETWEEN 1 AND 9007199254740991),
    holder text COLLATE "C" NOT NULL,
    expires_ms bigint NOT NULL,
    PRIMARY KEY (task, phase)
);

CREATE TABLE @schema@.tiles (
    level integer NOT NULL,
    number bigint NOT NULL,
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    hashes bytea NOT NULL CHECK (octet_length(hashes) = 8192),
    PRIMARY KEY (level, number)
);

-- One row: where the chain and the tree end, and the latest time by which leases were judged. Every writer
-- locks it first, so that writers queue here and nowhere else. It is rewritten with every append: with room on
-- its page, and no index on what changes, that touches one page.
CREATE TABLE @schema@.head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ledger text COLLATE "C" NOT NULL,
    created_at text COLLATE "C" NOT NULL,
    size bigint NOT NULL,
    hash text COLLATE "C" NOT NULL,
    at text COLLATE "C" NOT NULL,
    clock_ms bigint NOT NULL CHECK (clock_ms BETWEEN 0 AND 253402300799999),
    nodes bytea NOT NULL CHECK (octet_length(nodes) % 32 = 0)
) WITH (fillfactor = 10);

-- Refuses whatever it is put on; its argument is the message.
CREATE FUNCTION @schema@.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = TG_ARGV[0];
END
$$;

CREATE FUNCTION @schema@.entries_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM @schema@.entries) THEN
        RAISE EXCEPTION 'entries are append-only: seq must be max + 1';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION @schema@.tiles_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.number IS DISTINCT FROM
        (SELECT coalesce(max(number), -1) + 1 FROM @schema@.tiles WHERE level = NEW.level)
    THEN
        RAISE EXCEPTION 'tiles are append-only: number must be max + 1';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION @schema@.leases_begin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch IS DISTINCT FROM (SELECT coalesce(max(epoch), 0) + 1 FROM @schema@.leases WHERE task = NEW.task)
        OR EXISTS (SELECT 1 FROM @schema@.leases WHERE task = NEW.task AND phase = NEW.phase)
    THEN
        RAISE EXCEPTION
            'epochs never reset: a first lease has the task''s next epoch, a later one updates the row';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION @schema@.leases_go_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.task IS DISTINCT FROM OLD.task OR NEW.phase IS DISTINCT FROM OLD.phase
        OR (NEW.epoch = OLD.epoch AND NEW.holder IS DISTINCT FROM OLD.holder)
        OR (NEW.epoch IS DISTINCT FROM OLD.epoch
            AND NEW.epoch IS DISTINCT FROM
                (SELECT max(epoch) + 1 FROM @schema@.leases WHERE task = NEW.task))
    THEN
        RAISE EXCEPTION 'epochs never reset: a new holder takes the next epoch';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER entries_insert BEFORE INSERT ON @schema@.entries
    FOR EACH ROW EXECUTE FUNCTION @schema@.entries_follow();
CREATE TRIGGER entries_update BEFORE UPDATE ON @schema@.entries
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('entries are append-only: no update');
CREATE TRIGGER entries_delete BEFORE DELETE ON @schema@.entries
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('entries are append-only: no delete');
CREATE TRIGGER entries_truncate BEFORE TRUNCATE ON @schema@.entries
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('entries are append-only: no truncate');

CREATE TRIGGER tiles_insert BEFORE INSERT ON @schema@.tiles
    FOR EACH ROW EXECUTE FUNCTION @schema@.tiles_follow();
CREATE TRIGGER tiles_update BEFORE UPDATE ON @schema@.tiles
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('tiles are append-only: no update');
CREATE TRIGGER tiles_delete BEFORE DELETE ON @schema@.tiles
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('tiles are append-only: no delete');
CREATE TRIGGER tiles_truncate BEFORE TRUNCATE ON @schema@.tiles
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('tiles are append-only: no truncate');

CREATE TRIGGER leases_insert BEFORE INSERT ON @schema@.leases
    FOR EACH ROW EXECUTE FUNCTION @schema@.leases_begin();
CREATE TRIGGER leases_update BEFORE UPDATE ON @schema@.leases
    FOR EACH ROW EXECUTE FUNCTION @schema@.leases_go_on();
CREATE TRIGGER leases_delete BEFORE DELETE ON @schema@.leases
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('epochs never reset: no delete');
CREATE TRIGGER leases_truncate BEFORE TRUNCATE ON @schema@.leases
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('epochs never reset: no truncate');

CREATE TRIGGER head_update BEFORE UPDATE ON @schema@.head
    FOR EACH ROW
    WHEN (NEW.size < OLD.size OR NEW.clock_ms < OLD.clock_ms
        OR NEW.ledger IS DISTINCT FROM OLD.ledger OR NEW.created_at IS DISTINCT FROM OLD.created_at)
    EXECUTE FUNCTION @schema@.refuse('the head only goes forward');
CREATE TRIGGER head_delete BEFORE DELETE ON @schema@.head
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('the head only goes forward: no delete');
CREATE TRIGGER head_truncate BEFORE TRUNCATE ON @schema@.head
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.refuse('the head only goes forward: no truncate');

-- ALWAYS: they fire for sessions with session_replication_role = replica as well.
ALTER TABLE @schema@.entries
    ENABLE ALWAYS TRIGGER entries_insert, ENABLE ALWAYS TRIGGER entries_update,
    ENABLE ALWAYS TRIGGER entries_delete, ENABLE ALWAYS TRIGGER entries_truncate;
ALTER TABLE @schema@.tiles
    ENABLE ALWAYS TRIGGER tiles_insert, ENABLE ALWAYS TRIGGER tiles_update,
    ENABLE ALWAYS TRIGGER tiles_delete, ENABLE ALWAYS TRIGGER tiles_truncate;
ALTER TABLE @schema@.leases
    ENABLE ALWAYS TRIGGER leases_insert, ENABLE ALWAYS TRIGGER leases_update,
    ENABLE ALWAYS TRIGGER leases_delete, ENABLE ALWAYS TRIGGER leases_truncate;
ALTER TABLE @schema@.head
    ENABLE ALWAYS TRIGGER head_update, ENABLE ALWAYS TRIGGER head_delete,
    ENABLE ALWAYS TRIGGER head_truncate;
