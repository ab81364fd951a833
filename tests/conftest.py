"""What tests of every kind share: files nobody waits for, and one PostgreSQL server a session."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from postgres_server import Server, server
from unsynced_files import unsynced_files

# How long an example takes says how busy the machine is. A failure prints what repeats it.
settings.register_profile(
    "shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("shared machine")

_numbers = count(1)


@pytest.fixture(scope="session", autouse=True)
def _unsynced() -> Iterator[None]:
    with unsynced_files():
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server."""
    with server() as running:
        yield running


@pytest.fixture
def database(postgres: Server) -> str:
    """The DSN of a database of its own on that server."""
    return postgres.database()


@pytest.fixture
def dsn(postgres: Server) -> str:
    """A DSN with a schema of its own, which is not there yet; much quicker than a database."""
    return f"{postgres.dsn}&schema=test_{next(_numbers)}"
