"""What in-toto calls a layout and a link, as plain JSON.

Source: in-toto specification v1.0, section 4.3 (layout) and 4.4 (link), and its artifact rules, 4.3.3.

An artifact is named `TASK/PHASE/NAME`, as it stands below `evidence/` of a home, and the signed statement of
the transition is an artifact of its phase as well. The task is part of every name because the same key signs
the links of all tasks of a ledger, and verifiers take a link for that of the step its file is named for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from phasegate.engine.app.in_toto.course import Course, Left, Ran
from phasegate.engine.core.state import Approved
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.engine.statements.public_keys import in_toto_key, in_toto_key_id

STATEMENT: Final = "statements/transition"
"""Name of the transition among a phase's artifacts; no artifact of a process has a `/` in its own."""

_REST: Final = ["DISALLOW", "*"]
_README: Final = (
    "Task {task} of the ledger {ledger}, under process {process} version {version} ({digest}). "
    "One step for each phase that must be left, in order. The materials of a step are the products of the "
    "one before; its products are the evidence that its gate was passed with, and the signed statement of "
    "the transition. Every link is signed by the engine that kept the ledger, for what it recorded."
)


def layout(course: Course, functionary: VerifyKey, expires: str) -> dict[str, Any]:
    """The layout of a task: what its process demands, phase by phase.

    Args:
        course: how the task went.
        functionary: the key that signs the links.
        expires: when it is no more to be accepted, `YYYY-MM-DDTHH:MM:SSZ`.
    """
    process = course.process
    ran = {item.said.source: item.ran for item in course.left}
    phases = course.phases
    before = ("", *phases)
    return {
        "_type": "layout",
        "expires": expires,
        "inspect": [],
        "keys": {in_toto_key_id(functionary): in_toto_key(functionary)},
        "readme": _README.format(
            task=course.state.task,
            ledger=course.ledger,
            process=process.process,
            version=process.version,
            digest=process.digest,
        ),
        "steps": [
            {
                "_type": "step",
                "name": phase,
                "expected_command": _command(ran.get(phase, ())),
                "expected_materials": [*_from(course, previous), _REST],
                "expected_products": [*_new(course, phase), _REST],
                "pubkeys": [in_toto_key_id(functionary)],
                "threshold": 1,
            }
            for previous, phase in zip(before, phases, strict=False)
        ],
    }


def links(course: Course) -> Iterator[tuple[str, dict[str, Any]]]:
    """Phase and link of every phase that was left and stands, in order."""
    materials: Mapping[str, Any] = {}
    for item in course.left:
        products = _products(course, item)
        yield item.said.source, _link(course, item, materials, products)
        materials = products


def _link(
    course: Course, left: Left, materials: Mapping[str, Any], products: Mapping[str, Any]
) -> dict[str, Any]:
    process = course.process
    return {
        "_type": "link",
        "name": left.said.source,
        "command": _command(left.ran),
        "materials": dict(materials),
        "products": dict(products),
        "byproducts": _byproducts(left),
        "environment": {
            "ledger": course.ledger,
            "task": course.state.task,
            "process": {"name": process.process, "version": process.version, "digest": process.digest},
        },
    }


def _byproducts(left: Left) -> dict[str, Any]:
    said = left.said
    exit_code = {"return-value": left.ran[-1].event.exit_code} if left.ran else {}
    return {
        **exit_code,
        "attempt": said.attempt,
        "actor": said.actor,
        "at": said.at,
        "broken_glass": said.gate.broken_glass,
        "commit": said.commit,
        "decisions": [_decision(item) for item in left.decided],
        "entry": {"seq": left.entry.seq, "hash": left.entry.hash},
        "flags": {flag: str(mode) for flag, mode in said.gate.flags.items()},
        "statement": left.statement,
        "to": said.to,
        "witnessed": [_witnessed(item) for item in left.ran],
    }


def _decision(item: Approved) -> dict[str, Any]:
    return {
        "by": item.by,
        "decision": item.decision,
        "key_id": item.key_id,
        "role": item.role,
        "statement": item.statement,
    }


def _witnessed(item: Ran) -> dict[str, Any]:
    return {
        "argv": list(item.event.argv),
        "argv_digest": item.event.argv_digest,
        "entry": {"seq": item.entry.seq, "hash": item.entry.hash},
        "exit_code": item.event.exit_code,
        "statement": item.event.statement,
    }


def _command(ran: Sequence[Ran]) -> list[str]:
    """What was run in a phase, the last time that counts; in-toto warns where link and layout differ."""
    return list(ran[-1].event.argv) if ran else []


def _products(course: Course, left: Left) -> dict[str, Any]:
    digests = {item.name: item.digest for item in left.said.gate.evidence}
    named = {**digests, STATEMENT: left.statement}
    return {
        _path(course, left.said.source, name): {"sha256": digest} for name, digest in sorted(named.items())
    }


def _from(course: Course, phase: str) -> Iterator[list[str]]:
    """Rules for materials: all that the phase before must leave, in the very bytes it left."""
    for path in _demanded(course, phase) if phase else ():
        yield ["REQUIRE", path]
        yield ["MATCH", path, "WITH", "PRODUCTS", "FROM", phase]


def _new(course: Course, phase: str) -> Iterator[list[str]]:
    """Rules for products: all that the phase must leave."""
    for path in _demanded(course, phase):
        yield ["REQUIRE", path]
        yield ["CREATE", path]


def _demanded(course: Course, phase: str) -> list[str]:
    """Paths of what a phase must leave, by its process; no name has a character that in-toto's globs know."""
    names = [rule.name for rule in course.process.phase(phase).evidence]
    return [_path(course, phase, name) for name in sorted((*names, STATEMENT))]


def _path(course: Course, phase: str, name: str) -> str:
    return f"{course.state.task}/{phase}/{name}"
