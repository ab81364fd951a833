CREATE INDEX entries_by_task ON entries (task, seq)
