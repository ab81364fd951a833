CREATE TRIGGER leases_insert BEFORE INSERT ON leases
WHEN NEW.epoch IS NOT 1 OR EXISTS (SELECT 1 FROM leases WHERE task = NEW.task AND phase = NEW.phase)
BEGIN
    SELECT RAISE(ABORT, 'epochs never reset: a first lease has epoch 1, a later one updates the row');
END
