"""From what was observed to what is recorded: reports converted, outputs kept, evidence offered."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson

from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.witnessing.observing import Observation
from phasegate.engine.app.witnessing.sources import working_tree_of
from phasegate.engine.core.commands import Offer
from phasegate.engine.core.events import ARGV_ITEMS_MAX, FINDINGS_IN_ENTRY_MAX, WitnessRecorded
from phasegate.engine.core.state import TaskState, is_current
from phasegate.policies.model import EvidenceRule, Process, Witness
from phasegate.validators.errors import ValidatorError
from phasegate.validators.report_formats import analysis_of, coverage_of, test_results_of

_ALONG = frozenset({Witness.COVERAGE, Witness.PROTECTED})

ARGUMENT_CHARS_MAX = 500
PROBLEM_CHARS_MAX = 300
ARGV_BYTES_MAX = 16_000

_CONVERTERS: Mapping[str, Callable[[bytes], Mapping[str, object]]] = {
    Witness.JUNIT: test_results_of,
    Witness.COVERAGE: coverage_of,
    Witness.SARIF: analysis_of,
}


def as_witnessed(
    shelf: Shelf,
    process: Process,
    state: TaskState,
    seen: Observation,
    started_at: str,
    protected: bytes | None = None,
) -> tuple[WitnessRecorded, list[Offer], tuple[str, ...]]:
    """The event, the evidence offered and the reports that do not count, with the reason.

    A command's output becomes evidence when it wrote no report, or when no output is current yet: a later
    test run does not replace the log of the build. Coverage and protected checks are offered along with the
    test results of the same command, not without them where those were asked for and do not count.

    Args:
        shelf: keeps outputs and reports.
        process: says what the phase takes.
        state: the task before the command.
        seen: the command.
        started_at: when it started.
        protected: the document of the protected checks; None when they were not due.
    """
    problems = list(seen.problems)
    offers: list[Offer] = []
    for rule in process.phase(state.phase).evidence:
        content = protected if rule.witness is Witness.PROTECTED else _content(rule, state, seen, problems)
        if content is not None and rule.witness is not None:
            offers.append(
                shelf.make_offer(state.task, state.phase, rule.name, content, rule.witness, seen.exit_code)
            )
    if any(offer.witness is Witness.JUNIT for offer in offers) or Witness.JUNIT not in seen.asked:
        return _event(shelf, seen, started_at, problems), offers, tuple(problems)
    kept = [offer for offer in offers if offer.witness not in _ALONG]
    return _event(shelf, seen, started_at, problems), kept, tuple(problems)


def _content(rule: EvidenceRule, state: TaskState, seen: Observation, problems: list[str]) -> bytes | None:
    if rule.witness is Witness.OUTPUT:
        current = state.evidence.get(rule.name)
        wanted = not seen.asked_reports or current is None or not is_current(state, current)
        return seen.ran.log if wanted else None
    if rule.witness is None or rule.witness not in seen.reports:
        return None
    try:
        converted = _CONVERTERS[rule.witness](seen.reports[rule.witness])
    except ValidatorError as error:
        problems.append(f"the {rule.witness} report does not count: {error}")
        return None
    return as_document(_from_root(converted, seen) if rule.witness is Witness.COVERAGE else converted)


def _from_root(report: Mapping[str, object], seen: Observation) -> Mapping[str, object]:
    """A coverage report with the names of the working tree's files from its root on, as patches have them.

    Tools name files from where they ran, or whole paths: another file may end the same.
    """
    files, tree = report["files"], working_tree_of(Path(seen.cwd))
    if not isinstance(files, dict) or tree is None:
        return report
    root = tree.resolve()
    named = {name: Path(os.path.normpath(Path(seen.cwd).resolve() / name)) for name in files}
    own = {
        name: place.relative_to(root).as_posix()
        for name, place in named.items()
        if place.is_relative_to(root) and place.is_file()
    }
    if len({own.get(name, name) for name in files}) < len(files):
        return report  # one file by two names: neither is taken for the other
    return {**report, "files": {own.get(name, name): entry for name, entry in files.items()}}


def as_document(value: Mapping[str, object]) -> bytes:
    """A document of the engine's own as bytes: sorted, indented, with a line end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _event(shelf: Shelf, seen: Observation, started_at: str, problems: Sequence[str]) -> WitnessRecorded:
    ran = seen.ran
    return WitnessRecorded(
        argv=_bounded(seen.argv),
        argv_digest=hashlib.sha256(json.dumps(seen.argv).encode()).hexdigest(),
        cwd=printable(seen.cwd),
        exit_code=seen.exit_code,
        started_at=started_at,
        duration_ms=ran.duration_ms,
        stdout_digest=shelf.keep(ran.stdout),
        stderr_digest=shelf.keep(ran.stderr),
        stdout_bytes=len(ran.stdout),
        stderr_bytes=len(ran.stderr),
        environment_digest=seen.environment_digest,
        git_commit=seen.before.commit,
        git_dirty=seen.before.dirty,
        reports={str(kind): shelf.keep(content) for kind, content in seen.reports.items()},
        git_tree_before=seen.before.tree,
        git_tree_after=seen.after.tree,
        git_dirty_after=seen.after.dirty,
        cpu_user_ms=ran.cpu_user_ms,
        cpu_system_ms=ran.cpu_system_ms,
        max_rss_kib=ran.max_rss_kib,
        hermetic=seen.hermetic,
        dropped=seen.dropped,
        problems=tuple(printable(text)[:PROBLEM_CHARS_MAX] for text in problems[:FINDINGS_IN_ENTRY_MAX]),
    )


def _bounded(argv: Sequence[str]) -> tuple[str, ...]:
    """The first arguments, as many as an entry has room for; `argv_digest` is that of all of them."""
    kept: list[str] = []
    room = ARGV_BYTES_MAX
    for argument in argv[:ARGV_ITEMS_MAX]:
        text = printable(argument)
        room -= len(json.dumps(text))
        if room < 0:
            break
        kept.append(text)
    return tuple(kept)


def printable(text: str) -> str:
    """Text an entry can hold: undecodable bytes replaced, cut to `ARGUMENT_CHARS_MAX`."""
    return text.encode("utf-8", "replace").decode()[:ARGUMENT_CHARS_MAX]
