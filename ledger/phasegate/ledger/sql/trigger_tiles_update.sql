CREATE TRIGGER tiles_update BEFORE UPDATE ON tiles
BEGIN
    SELECT RAISE(ABORT, 'tiles are append-only: no update');
END
