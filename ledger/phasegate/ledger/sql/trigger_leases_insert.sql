CREATE TRIGGER leases_insert BEFORE INSERT ON leases
WHEN NEW.epoch IS NOT (SELECT coalesce(max(epoch), 0) + 1 FROM leases WHERE task = NEW.task)
    OR EXISTS (SELECT 1 FROM leases WHERE task = NEW.task AND phase = NEW.phase)
BEGIN
    SELECT RAISE(ABORT, 'epochs never reset: a first lease has the task''s next epoch, a later one updates the row');
END
