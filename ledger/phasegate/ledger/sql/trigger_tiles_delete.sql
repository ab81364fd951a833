CREATE TRIGGER tiles_delete BEFORE DELETE ON tiles
BEGIN
    SELECT RAISE(ABORT, 'tiles are append-only: no delete');
END
