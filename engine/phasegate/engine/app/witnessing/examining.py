"""What is asked of a test command and of the place it runs in, beside running it again."""

from __future__ import annotations

from collections.abc import Iterator

from phasegate.engine.app.git.truth import PathStatus
from phasegate.engine.app.witnessing.checkout import Checkouts
from phasegate.engine.app.witnessing.environment import is_dropped
from phasegate.engine.app.witnessing.ignored_code import ignored_code
from phasegate.engine.app.witnessing.observing import Job
from phasegate.engine.app.witnessing.programs import Places
from phasegate.engine.app.witnessing.surroundings import leads_back, links_away
from phasegate.validators.runner_options import WITHOUT_SETTINGS, Risk
from phasegate.validators.test_configuration import chosen_paths, command_risks, has_pytest_settings


def examine(job: Job, checkouts: Checkouts, places: Places) -> Iterator[Risk]:
    """Arguments of a command, ignored code and links, by which other things could decide than the tests.

    Args:
        job: the command as it was witnessed.
        checkouts: the base commit and the working tree.
        places: where the command runs.
    """
    plain = places.cwd == places.root and not _has_settings(checkouts)
    for risk in command_risks(job.argv, is_dropped, places.is_inside):
        if not (plain and WITHOUT_SETTINGS.fullmatch(risk.argument)):
            yield risk
    for name in places.unknown(job.argv):
        yield Risk("program", name)
    for path in chosen_paths(job.argv):
        if not places.is_inside(path):
            yield Risk("environment", path)  # a `conftest.py` there is one of all runs
    reports = [str(path) for path in job.reports.values() if path.is_absolute()]
    argv = list(job.argv)
    for report in reports:  # they are moved as they are named
        argv = [argument.replace(report, "") for argument in argv]
    for argument in leads_back(argv, places.root, places.cwd):
        yield Risk("environment", argument)
    for path in ignored_code(places.root, checkouts.stands, places.import_roots(job.argv)):
        yield Risk("ignored", path)
    changed = [change.path for change in checkouts.changes if change.status is not PathStatus.DELETED]
    for link in links_away(checkouts.stands, changed):
        yield Risk("link", link)


def _has_settings(checkouts: Checkouts) -> bool:
    """Whether the base commit has settings of pytest anywhere."""
    return any(
        has_pytest_settings(path, checkouts.at_base(path) or b"[unreadable")
        for path in checkouts.base_paths()
        if path.endswith((".ini", ".toml", ".cfg"))
    )
