"""What really happened in a home where random agents act, kept by the test, and what may follow from it.

`World` knows which bytes it wrote and what they are worth, which commands it ran, who signed what, who holds
which lease. It reads the entries only to learn what the engine let happen, and the files to learn what lies
there; whether that was right it judges by its own book, never by a state, a finding or a check of the engine.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import autopilot_artifacts as artifacts

from phasegate.ledger.entry import Entry

RESULTS = ("test_results.json", "build_output.log", "coverage_report.json")
NAMES = {phase: tuple(artifacts.contents("T", phase)) or RESULTS for phase in artifacts.PHASES}
REPEATABLE = {"pr_url.txt"}
MAY_GO_BACK = artifacts.PHASES[artifacts.PHASES.index("VERIFY") :]
REVIEWERS = {"rita", "ben"}
_RUN = re.compile(rb"run_(\d+)")
_MOVES = ("phase.backtracked", "phase.entered", "task.completed", "task.opened")
_WORK = ("evidence.added", "witness.recorded", "gate.passed", "prompt.attested", "prompt.baselined")


class Visit(NamedTuple):
    """One attempt of a phase of a task."""

    task: str
    phase: str
    attempt: int


@dataclass(frozen=True)
class Written:
    """A document that was written: for which task, under which name, and whether it is good work."""

    task: str
    name: str
    good: bool


@dataclass(frozen=True)
class Run:
    """A command that was run: for which visit, whether it ended well, and whether what it found was good."""

    visit: Visit
    ended_well: bool
    good: bool


@dataclass(frozen=True)
class Signed:
    """A decision somebody signed, over the evidence as it stood."""

    by: str
    approves: bool
    stood: dict[str, str]


@dataclass(frozen=True)
class Held:
    """A lease that was given."""

    holder: str
    epoch: int
    until_s: int


@dataclass(frozen=True)
class Hand:
    """Who gives the command in hand, under which lease, and what they say of a prompt or a decision."""

    who: str = ""
    epoch: int | None = None
    holder: str = ""
    signer: str = ""
    approves: bool = False
    prompt: str = ""


@dataclass
class World:
    """The test's own book.

    Attributes:
        home: the home the agents act on.
        now_s: the time, in seconds since the start.
        commands: how many commands were given.
        tried: how often each attack was tried.
        refused: how often the engine refused, by kind.
        completed: tasks that were completed.
    """

    home: Path
    now_s: int = 0
    commands: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    completed: list[str] = field(default_factory=list)
    written: dict[str, Written] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    leases: dict[tuple[str, str], Held] = field(default_factory=dict)
    standing: dict[str, Visit] = field(default_factory=dict)
    passed: dict[str, list[str]] = field(default_factory=dict)
    bound: dict[str, dict[str, tuple[Visit, str, Path | None]]] = field(default_factory=dict)
    visits: dict[str, set[Visit]] = field(default_factory=dict)
    implementers: dict[str, set[str]] = field(default_factory=dict)
    signed: dict[Visit, list[Signed]] = field(default_factory=dict)
    prompts: dict[Visit, list[str]] = field(default_factory=dict)

    # -- what the agents say they do ----------------------------------------------------------------------

    def wrote(self, task: str, name: str, content: bytes, *, good: bool) -> None:
        """A document was written."""
        self.written[hashlib.sha256(content).hexdigest()] = Written(task, name, good)

    def took_lease(self, task: str, phase: str, held: Held) -> None:
        """A lease was given; nobody else may have held it."""
        before = self.leases.get((task, phase))
        assert before is None or before.until_s <= self.now_s, (task, phase, "two hold the lease", held)
        assert before is None or held.epoch > before.epoch, (task, phase, "the token did not rise", held)
        self.leases[task, phase] = held

    # -- what the engine let happen -----------------------------------------------------------------------

    def judge(self, entries: Iterable[Entry], hand: Hand) -> None:
        """Hold what a command brought about against the book."""
        for entry in entries:
            if entry.type == "violation.recorded":
                self.refused[str(entry.payload["violation"])] += 1
            if entry.type in _WORK:
                visit = Visit(entry.task, entry.phase, entry.attempt)
                assert visit == self.standing[entry.task], (
                    visit,
                    "work on another phase than the task is in",
                )
                self._judge_lease(entry.task, entry.phase, hand)
            self._note(entry, hand)

    def _note(self, entry: Entry, hand: Hand) -> None:
        visit = Visit(entry.task, entry.phase, entry.attempt)
        if entry.type in _MOVES:
            self._judge_move(entry, visit, hand)
        elif entry.type == "evidence.added":
            self._note_evidence(entry, visit, hand)
        elif entry.type == "gate.passed":
            self._judge_gate(entry, visit)
            self.passed[entry.task].append(entry.phase)
        elif entry.type == "approval.recorded":
            assert hand.signer in REVIEWERS, (visit, f"`{hand.signer}` may not decide")
            assert hand.signer not in self.implementers[entry.task], (visit, "judged by an implementer")
            stood = {name: digest for name, (_, digest, _) in self.bound[entry.task].items()}
            self.signed.setdefault(visit, []).append(Signed(hand.signer, hand.approves, stood))
        elif entry.type == "prompt.attested":
            self.prompts.setdefault(visit, []).append(hand.prompt)

    def _judge_move(self, entry: Entry, visit: Visit, hand: Hand) -> None:
        task, phase = entry.task, entry.phase
        if entry.type == "task.opened":
            assert task not in self.standing, (task, "opened twice")
            self.passed[task], self.bound[task], self.implementers[task] = [], {}, set()
        elif entry.type == "phase.entered":
            assert [*self.passed[task], phase] == list(artifacts.PHASES[: len(self.passed[task]) + 1]), (
                visit,
                self.passed[task],
            )
        elif entry.type == "phase.backtracked":
            source = self.standing[task].phase
            self._judge_lease(task, source, hand)
            assert source in MAY_GO_BACK, (visit, f"went back from {source}")
            assert phase in self.passed[task], (visit, "went back to where it never was")
            self.passed[task] = self.passed[task][: self.passed[task].index(phase)]
        else:
            assert self.passed[task] == list(artifacts.PHASES), (visit, self.passed[task])
            self.completed.append(task)
        self.standing[task] = visit

    def _judge_lease(self, task: str, phase: str, hand: Hand) -> None:
        held = self.leases.get((task, phase))
        live = held is not None and held.until_s > self.now_s
        if held is not None and live:
            assert (hand.holder, hand.epoch) == (held.holder, held.epoch), (task, phase, "past a lease", hand)
        else:
            assert hand.epoch is None, (task, phase, "under a lease that is no more", hand)

    def _note_evidence(self, entry: Entry, visit: Visit, hand: Hand) -> None:
        name, digest = str(entry.payload["name"]), str(entry.payload["digest"])
        assert name in NAMES[visit.phase], (visit, name, "evidence of another phase")
        source = Path(str(entry.payload["source"])) if entry.payload["source"] else None
        self.bound[entry.task][name] = (visit, digest, source)
        self.visits.setdefault(digest, set()).add(visit)
        if visit.phase == "IMPLEMENT":
            self.implementers[entry.task].add(hand.who)

    # -- a gate that was passed -------------------------------------------------------------------------

    def _judge_gate(self, entry: Entry, visit: Visit) -> None:
        evidence: Any = entry.payload["evidence"]
        named = {str(item["name"]): str(item["digest"]) for item in evidence}
        assert set(named) == set(NAMES[visit.phase]), (visit, named)
        assert not entry.payload["broken_glass"], visit
        for name, digest in named.items():
            where, bound, source = self.bound[visit.task].get(name, (None, "", None))
            assert (where, bound) == (visit, digest), (visit, name, "not what was left in this very attempt")
            self._judge_files(visit, name, digest)
            assert source is None or not source.exists() or _digest(source) == digest, (visit, name, source)
            if visit.phase != "VERIFY":
                self._judge_document(visit, name, digest)
        if visit.phase == "VERIFY":
            self._judge_runs(visit, named)
        if visit.phase == "REVIEW":
            self._judge_people(visit, named)
            self._judge_prompt(visit)
        if visit.phase == artifacts.PHASES[-1]:
            for name, (where, digest, _) in self.bound[visit.task].items():
                self._judge_files(where, name, digest)

    def _judge_files(self, visit: Visit, name: str, digest: str) -> None:
        copy = self.home / "evidence" / visit.task / visit.phase / name
        assert _digest(copy) == digest, (visit, name, "the readable copy is another")
        assert _digest(self.snapshot(digest)) == digest, (visit, name, "the snapshot is damaged")

    def snapshot(self, digest: str) -> Path:
        """Where the snapshot of an artifact lies."""
        return self.home / "objects" / "sha256" / digest[:2] / digest

    def _judge_document(self, visit: Visit, name: str, digest: str) -> None:
        made = self.written.get(digest)
        assert made is not None, (visit, name, "bytes that nobody wrote")
        assert made.name == name, (visit, name, "bytes written for", made.name)
        looked_at = all(
            mode == "enforce" for flag, mode in self.modes.items() if flag.startswith(visit.phase)
        )
        assert made.good or not looked_at, (visit, name, "bad work")
        if name not in REPEATABLE:
            assert made.task == visit.task, (visit, name, "work for another task")
            assert self.visits[digest] == {visit}, (visit, name, "bytes of", self.visits[digest])

    def _judge_runs(self, visit: Visit, named: dict[str, str]) -> None:
        tested, built, measured = (self._run_of(named[name]) for name in RESULTS)
        assert tested is measured, (visit, "results of different runs", tested, measured)
        assert tested.visit == built.visit == visit, (visit, "results of another visit", tested, built)
        assert tested.good, (visit, "a bad run")
        assert built.ended_well, (visit, "a build that failed")

    def _run_of(self, digest: str) -> Run:
        (mark,) = set(_RUN.findall(self.snapshot(digest).read_bytes()))
        return self.runs[int(mark)]

    def _judge_people(self, visit: Visit, named: dict[str, str]) -> None:
        last = {item.by: item for item in self.signed.get(visit, ())}
        assert all(item.approves for item in last.values()), (visit, "an objection stands")
        good = [
            item
            for item in self.signed.get(visit, ())
            if item.approves and named.items() <= item.stood.items()
        ]
        assert {item.by for item in good} - self.implementers[visit.task], (visit, "nobody else approved it")

    def _judge_prompt(self, visit: Visit) -> None:
        seen = self.prompts.get(visit, [])
        assert "compiled" in seen, (visit, "no prompt of the engine's own", seen)
        hooked = [how for how in seen if how.startswith("hook")]
        assert not hooked or hooked[-1] == "hook: good", (visit, "drift was seen", seen)


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
