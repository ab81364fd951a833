"""A home for each test, and each way to the engine in turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_drivers import ApiDriver, CliDriver, Driver

from phasegate.engine.app.engine import Engine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An initialised home."""
    with Engine.init(tmp_path / "state") as engine:
        return engine.home.root


@pytest.fixture(params=[ApiDriver, CliDriver], ids=["api", "cli"])
def driver(request: pytest.FixtureRequest, home: Path) -> Driver:
    """The same engine through its API and through its command line."""
    return request.param(home)
