CREATE TRIGGER tiles_insert BEFORE INSERT ON tiles
WHEN NEW.number IS NOT (SELECT coalesce(max(number), -1) + 1 FROM tiles WHERE level = NEW.level)
BEGIN
    SELECT RAISE(ABORT, 'tiles are append-only: number must be max + 1');
END
