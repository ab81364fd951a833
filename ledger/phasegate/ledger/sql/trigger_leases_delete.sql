CREATE TRIGGER leases_delete BEFORE DELETE ON leases
BEGIN
    SELECT RAISE(ABORT, 'epochs never reset: no delete');
END
