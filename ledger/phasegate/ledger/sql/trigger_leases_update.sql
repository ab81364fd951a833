CREATE TRIGGER leases_update BEFORE UPDATE ON leases
WHEN NEW.task IS NOT OLD.task OR NEW.phase IS NOT OLD.phase
    OR (NEW.epoch IS OLD.epoch AND NEW.holder IS NOT OLD.holder)
    OR (NEW.epoch IS NOT OLD.epoch
        AND NEW.epoch IS NOT (SELECT max(epoch) + 1 FROM leases WHERE task = NEW.task))
BEGIN
    SELECT RAISE(ABORT, 'epochs never reset: a new holder takes the next epoch');
END
