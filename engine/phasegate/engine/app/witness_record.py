"""From what was observed to what is recorded: reports converted, outputs kept, evidence offered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence

import orjson

from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.witness import Observation
from phasegate.engine.core.commands import Offer
from phasegate.engine.core.events import ARGV_ITEMS_MAX, WitnessRecorded
from phasegate.engine.core.state import TaskState, is_current
from phasegate.policies.model import EvidenceRule, Process, Witness
from phasegate.validators.coverage_json import coverage_json_to_report
from phasegate.validators.errors import ValidatorError
from phasegate.validators.junit import junit_to_test_results

ARGUMENT_CHARS_MAX = 500
ARGV_BYTES_MAX = 16_000

_CONVERTERS: Mapping[str, Callable[[bytes], Mapping[str, object]]] = {
    Witness.JUNIT: junit_to_test_results,
    Witness.COVERAGE: coverage_json_to_report,
}


def as_witnessed(
    shelf: Shelf, process: Process, state: TaskState, seen: Observation, started_at: str
) -> tuple[WitnessRecorded, list[Offer], tuple[str, ...]]:
    """The event, the evidence offered and the reports that do not count, with the reason.

    A command's output becomes evidence when it wrote no report, or when no output is current yet: a later
    test run does not replace the log of the build.
    """
    problems = list(seen.problems)
    offers: list[Offer] = []
    for rule in process.phase(state.phase).evidence:
        content = _content(rule, state, seen, problems)
        if content is not None and rule.witness is not None:
            offers.append(
                shelf.make_offer(state.task, state.phase, rule.name, content, rule.witness, seen.exit_code)
            )
    return _event(shelf, seen, started_at), offers, tuple(problems)


def _content(rule: EvidenceRule, state: TaskState, seen: Observation, problems: list[str]) -> bytes | None:
    if rule.witness is Witness.OUTPUT:
        current = state.evidence.get(rule.name)
        wanted = not seen.asked_reports or current is None or not is_current(state, current)
        return seen.log if wanted else None
    if rule.witness is None or rule.witness not in seen.reports:
        return None
    try:
        converted = _CONVERTERS[rule.witness](seen.reports[rule.witness])
    except ValidatorError as error:
        problems.append(f"the {rule.witness} report does not count: {error}")
        return None
    return orjson.dumps(converted, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _event(shelf: Shelf, seen: Observation, started_at: str) -> WitnessRecorded:
    return WitnessRecorded(
        argv=_bounded(seen.argv),
        argv_digest=hashlib.sha256(json.dumps(seen.argv).encode()).hexdigest(),
        cwd=_printable(seen.cwd),
        exit_code=seen.exit_code,
        started_at=started_at,
        duration_ms=seen.duration_ms,
        stdout_digest=shelf.keep(seen.stdout),
        stderr_digest=shelf.keep(seen.stderr),
        stdout_bytes=len(seen.stdout),
        stderr_bytes=len(seen.stderr),
        environment_digest=seen.environment_digest,
        git_commit=seen.git_commit,
        git_dirty=seen.git_dirty,
        reports={str(kind): shelf.keep(content) for kind, content in seen.reports.items()},
    )


def _bounded(argv: Sequence[str]) -> tuple[str, ...]:
    """The first arguments, as many as an entry has room for; `argv_digest` is that of all of them."""
    kept: list[str] = []
    room = ARGV_BYTES_MAX
    for argument in argv[:ARGV_ITEMS_MAX]:
        text = _printable(argument)
        room -= len(json.dumps(text))
        if room < 0:
            break
        kept.append(text)
    return tuple(kept)


def _printable(text: str) -> str:
    """Text an entry can hold: undecodable bytes replaced, cut to `ARGUMENT_CHARS_MAX`."""
    return text.encode("utf-8", "replace").decode()[:ARGUMENT_CHARS_MAX]
