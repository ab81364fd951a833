"""The context fabric: what each visit to a phase had before it, thought and left, folded from entries.

Pure. The same entries give the same fabric, byte for byte, so that its hash can be quoted and checked. Texts
stand as digests; the shell reads them from the object store for whoever wants to see them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from phasegate.engine.core.errors import IntegrityError
from phasegate.engine.core.events import (
    ApprovalRecorded,
    EvidenceAdded,
    GatePassed,
    JournalNoted,
    PhaseBacktracked,
    PromptAttested,
    Recorded,
    TaskAborted,
    TaskCompleted,
    ViolationRecorded,
)
from phasegate.engine.core.state import TaskState, begin, evolve, is_current
from phasegate.ledger.canonical import dumps
from phasegate.ledger.entry import Entry

FABRIC_VERSION: Final = 1
_TRACE_CHARS: Final = 32


@dataclass(frozen=True, slots=True)
class Link:
    """An entry, and the span it belongs to; `trace_id` and `span_id` are empty where it carries none."""

    seq: int
    hash: str
    type: str
    at: str
    actor: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Item:
    """A piece of evidence as a visit had or left it."""

    name: str
    digest: str
    phase: str
    attempt: int
    origin: str


@dataclass(frozen=True, slots=True)
class Note:
    """A reasoning summary that was kept, and the decisions and links noted with it."""

    seq: int
    summary: str
    chars: int
    decisions: tuple[str, ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided on a phase."""

    seq: int
    decision: str
    role: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A command that was refused."""

    seq: int
    kind: str
    command: str
    message: str


@dataclass(slots=True)
class Visit:
    """One attempt of a phase.

    Attributes:
        inputs: evidence of other phases that counted when it was entered.
        prompts: digests of the prompts it was worked under, in order and each once.
        notes: reasoning summaries.
        rulings: decisions of people.
        outputs: evidence it left; of one name the latest.
        refusals: commands refused in it.
        ended: what ended it: `passed`, `completed`, `aborted`, or `back to PHASE`; empty while it goes on.
        links: its entries.
    """

    phase: str
    attempt: int
    inputs: tuple[Item, ...]
    prompts: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    rulings: list[Ruling] = field(default_factory=list)
    outputs: dict[str, Item] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    ended: str = ""
    links: list[Link] = field(default_factory=list)

    def context(self, ledger: str, task: str) -> dict[str, Any]:
        """The visit as the document that is hashed: inputs, reasoning, outputs, and links."""
        return {
            "v": FABRIC_VERSION,
            "ledger": ledger,
            "task": task,
            "phase": self.phase,
            "attempt": self.attempt,
            "inputs": [asdict(item) for item in self.inputs],
            "prompts": list(self.prompts),
            "reasoning": [_plain(note) for note in self.notes],
            "rulings": [asdict(ruling) for ruling in self.rulings],
            "outputs": [asdict(item) for item in self.outputs.values()],
            "refusals": [asdict(refusal) for refusal in self.refusals],
            "ended": self.ended,
            "entries": [{"seq": link.seq, "hash": link.hash, "type": link.type} for link in self.links],
            "spans": _spans(self.links),
        }


def context_hash(context: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of a context's canonical JSON."""
    return hashlib.sha256(dumps(dict(context))).hexdigest()


def visits(task: str, history: Iterable[tuple[Entry, Recorded]]) -> list[Visit]:
    """The visits of a task in the order they began.

    Raises:
        IntegrityError: the entries are no task's.
    """
    found: list[Visit] = []
    state: TaskState | None = None
    for entry, recorded in history:
        event = recorded.event
        before = state
        state = begin(task, recorded) if state is None else evolve(state, recorded)
        if isinstance(event, PhaseBacktracked) and found:
            found[-1].ended = f"back to {event.target}"
        if before is None or (before.phase, before.attempt) != (state.phase, state.attempt):
            found.append(Visit(state.phase, state.attempt, _inputs(state)))
        _see(_visited(found, recorded), entry, recorded)
    return found


def _visited(found: list[Visit], recorded: Recorded) -> Visit:
    for visit in reversed(found):
        if (visit.phase, visit.attempt) == (recorded.phase, recorded.attempt):
            return visit
    raise IntegrityError(f"an entry of {recorded.phase}, attempt {recorded.attempt}, which was never entered")


def _inputs(state: TaskState) -> tuple[Item, ...]:
    return tuple(
        Item(item.name, item.digest, item.phase, item.attempt, item.origin)
        for item in state.evidence.values()
        if item.phase != state.phase and is_current(state, item)
    )


def _see(visit: Visit, entry: Entry, recorded: Recorded) -> None:
    visit.links.append(_link(entry))
    event, seq = recorded.event, entry.seq
    match event:
        case EvidenceAdded():
            visit.outputs.pop(event.name, None)
            visit.outputs[event.name] = Item(
                event.name, event.digest, recorded.phase, recorded.attempt, str(event.origin)
            )
        case JournalNoted():
            visit.notes.append(Note(seq, event.summary, event.chars, event.decisions, event.links))
        case ApprovalRecorded():
            visit.rulings.append(Ruling(seq, event.decision, event.role, event.by, event.reason))
        case ViolationRecorded():
            visit.refusals.append(Refusal(seq, str(event.violation), event.command, event.message))
        case PromptAttested():
            if event.prompt not in visit.prompts:
                visit.prompts.append(event.prompt)
        case GatePassed():
            visit.ended = "passed"
        case TaskCompleted():
            visit.ended = "completed"
        case TaskAborted():
            visit.ended = "aborted"
        case _:
            return


def _link(entry: Entry) -> Link:
    trace_id, _, span_id = entry.trace.partition("-")
    if len(trace_id) != _TRACE_CHARS:
        trace_id = span_id = ""
    return Link(entry.seq, entry.hash, entry.type, entry.at, entry.actor, trace_id, span_id)


def _spans(links: Iterable[Link]) -> list[dict[str, str]]:
    named = dict.fromkeys((link.trace_id, link.span_id) for link in links if link.span_id)
    return [{"trace_id": trace_id, "span_id": span_id} for trace_id, span_id in named]


def _plain(note: Note) -> dict[str, Any]:
    return {**asdict(note), "decisions": list(note.decisions), "links": list(note.links)}
