"""Companions beside a task's artifacts: results of earlier attempts, and facts that the engine knows.

    previous:NAME        bytes of NAME in the attempt before
    previous:NAME:2      in the one before that, and so on, back to the last one that passed its gate
    facts:actors.json    who implemented the change, and who signed which artifact, as the ledger has it
    facts:task.json      task, phase, attempt, risk and process, as policy packs are told them
    pack:NAME            the policy pack NAME as the process pins it
    facts:git.json       the commit checked out when the gate was examined, and the working tree's id then

Only what the phase's checks ask for is gathered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import orjson

from phasegate.engine.core.approvals import implementers, signers
from phasegate.engine.core.state import TaskState
from phasegate.policies.model import CheckRule, Process

PREVIOUS = "previous:"
ACTORS = "facts:actors.json"
COMMIT = "facts:git.json"
TASK = "facts:task.json"
PACK = "pack:"

Snapshot = Callable[[str], bytes | None]


def companions(
    process: Process, state: TaskState, phase: str, *, commit: str, snapshot: Snapshot, tree: str = ""
) -> Mapping[str, bytes]:
    """The companions that the checks of a phase ask for, as far as they exist.

    Args:
        process: the process.
        state: the task.
        phase: the phase whose checks will run.
        commit: commit checked out; empty when nobody looked.
        snapshot: bytes of an object by digest; None when they are gone.
        tree: id of the working tree's tree; empty when nobody looked.
    """
    seen = {"head": commit, **({"tree": tree} if tree else {})} if commit else {}
    return dict(_gathered(process, state, phase, seen, snapshot))


def _gathered(
    process: Process, state: TaskState, phase: str, seen: Mapping[str, str], snapshot: Snapshot
) -> Iterator[tuple[str, bytes]]:
    checks = [check for rule in process.phase(phase).evidence for check in rule.checks]
    if any(check.use == "reviewer" for check in checks):
        signed = signers(process, state, phase)
        yield ACTORS, orjson.dumps({"implementers": _names(process, state), "signers": signed})
    if seen and any(check.use in {"ci_commit", "gate_bundle", "protected_checks"} for check in checks):
        yield COMMIT, orjson.dumps(seen)
    packs = process.packs_of(phase)
    if packs:
        yield TASK, orjson.dumps(_task(process, state, phase))
    for name in packs:
        # Bytes that are gone are none that could be evaluated.
        pinned = process.packs.get(name)
        yield f"{PACK}{name}", (snapshot(pinned) if pinned else None) or b""
    for name in {name for check in checks for name in _previous_names(check)}:
        for number, digest in enumerate(reversed(state.previous.get(name, ())), start=1):
            # Bytes that are gone must not look like an attempt that never was: nothing can be compared with.
            yield f"{PREVIOUS}{name}{f':{number}' if number > 1 else ''}", snapshot(digest) or b""


def _task(process: Process, state: TaskState, phase: str) -> dict[str, object]:
    return {
        "task": {
            "id": state.task, "phase": phase, "attempt": state.attempts.get(phase, 0), "risk": state.risk,
        },
        "process": {"name": process.process, "version": process.version, "digest": process.digest},
    }  # fmt: skip


def _names(process: Process, state: TaskState) -> list[str]:
    """Names of implementers, without what says how they were proven: a rubric names people, not keys."""
    return [who.partition(":")[2] or who for who in implementers(process, state)]


def _previous_names(check: CheckRule) -> Iterator[str]:
    if check.use == "test_history":
        yield "test_results.json"
    if check.use == "coverage" and "max_drop" in check.params:
        yield "coverage_report.json"
