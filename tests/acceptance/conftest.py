"""A home for each test, each way to the engine in turn, and finished work to look at or to change."""

from __future__ import annotations

from pathlib import Path

import autopilot_artifacts as artifacts
import pytest
from checkpoint_work import CheckpointWork
from engine_drivers import NINE_PHASES, ApiDriver, CliDriver, Driver

from phasegate.engine.app.engine import Engine


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An initialised home."""
    with Engine.init(tmp_path / "state") as engine:
        return engine.home.root


@pytest.fixture
def in_spec(home: Path, tmp_path: Path) -> Path:
    """A home with a task in SPEC: IMP-6."""
    with Engine.open(home) as engine:
        engine.open_task("IMP-6", NINE_PHASES, "a title")
        artifacts.drive(engine, tmp_path, "IMP-6", "SPEC")
    return home


@pytest.fixture(params=[ApiDriver, CliDriver], ids=["api", "cli"])
def driver(request: pytest.FixtureRequest, home: Path) -> Driver:
    """The same engine through its API and through its command line."""
    return request.param(home)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CheckpointWork:
    """Finished work with its bundle; not to be changed."""
    return CheckpointWork(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def work(tmp_path: Path) -> CheckpointWork:
    """Finished work to do something to."""
    return CheckpointWork(tmp_path)
