CREATE TRIGGER leases_update BEFORE UPDATE ON leases
WHEN NEW.task IS NOT OLD.task OR NEW.phase IS NOT OLD.phase
    OR (NEW.epoch IS NOT OLD.epoch + 1 AND (NEW.epoch IS NOT OLD.epoch OR NEW.holder IS NOT OLD.holder))
BEGIN
    SELECT RAISE(ABORT, 'epochs never reset: a new holder takes the next epoch');
END
