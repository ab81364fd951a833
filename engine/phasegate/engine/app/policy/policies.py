"""Explaining which rules decide on a task, and trying a change or a call without doing anything.

What is said here comes from what decides: the tables of the process, its checks, its packs. Nothing is
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import orjson

from phasegate.engine.app.command_path import CommandPath
from phasegate.engine.app.discovery.discovering import Discovery, discover
from phasegate.engine.app.discovery.planned import FILE_MAP
from phasegate.engine.app.evidence import Shelf
from phasegate.engine.app.paths import decode_path
from phasegate.engine.app.people.flags import Flags
from phasegate.engine.app.policy.answers import TABLE, Answer, Outcome, of_check, of_finding
from phasegate.engine.app.policy.calls import CallAnswer, decide_call
from phasegate.engine.app.results import GateReport
from phasegate.engine.app.tools import Tools
from phasegate.engine.core.errors import BadInput
from phasegate.engine.core.gate import REPOSITORY
from phasegate.engine.core.ids import parse_phase
from phasegate.engine.core.state import TaskState, is_current
from phasegate.policies.model import EvidenceRule, FlagMode, Process
from phasegate.policies.persona import PersonaSpec
from phasegate.validators.change_scope import path_faults
from phasegate.validators.globs import globs
from phasegate.validators.interface import Artifact
from phasegate.validators.patch import read_patch
from phasegate.validators.truth import PATCH

MODIFIED_FILES = "modified_files.json"
GATE = "gate"


class Policies:
    """What policy says of the tasks of one ledger.

    Args:
        path: knows tasks and processes.
        shelf: holds evidence.
        flags: modes of gates.
        tools: decides on calls.
        gate: the dry run of a task's gate.
    """

    def __init__(
        self, path: CommandPath, shelf: Shelf, flags: Flags, tools: Tools, gate: Callable[[str], GateReport]
    ) -> None:
        self._path = path
        self._shelf = shelf
        self._flags = flags
        self._tools = tools
        self._gate = gate

    def explain(self, task: str, phase: str | None = None) -> tuple[Answer, ...]:
        """Which rules decide on a phase, and what each says now.

        Args:
            task: the task.
            phase: a phase; the current one without it, whose gate is examined as a whole.

        Raises:
            BadInput: there is no such task or phase.
        """
        process, state, name = self._asked(task, phase)
        answers = [*_tables(process, name), *self._checks(process, state, name)]
        if name == state.phase:
            told = {(answer.rule, answer.artifact, answer.place) for answer in answers}
            answers += [
                of_finding(finding, GATE)
                for finding in self._gate(task).findings
                if (finding.code, finding.artifact, finding.place) not in told
            ]
        return tuple(answers)

    def simulate_patch(self, task: str, patch: bytes, phase: str | None = None) -> tuple[Answer, ...]:
        """What the rules would say of a change, if it were handed in as the task's patch.

        Args:
            task: the task.
            patch: a git diff.
            phase: the phase to hand it in for; the one that asks for a patch without it.

        Raises:
            BadInput: there is no such task or phase, or it asks for no patch.
        """
        process, state, _ = self._asked(task, phase)
        name, rule = _patch_rule(process, state, phase)
        there = _present(self._shelf.seen(process, state, name))
        # The list of files that would be handed in with it.
        there[MODIFIED_FILES] = _listed(patch)
        there[PATCH] = patch
        modes = self._flags.modes(process, name)
        answers = [*_paths(process, name, patch, modes.get(f"{name}/{REPOSITORY}", FlagMode.ENFORCE))]
        for check in rule.checks:
            mode = modes.get(f"{name}/{check.name}", FlagMode.ENFORCE)
            answers.extend(of_check(check, Artifact(PATCH, patch), _without(there, PATCH), mode))
        return tuple(answers)

    def simulate_tool(
        self,
        task: str | None,
        tool: str,
        *,
        persona: PersonaSpec | str | None = None,
        lease: int | None = None,
    ) -> CallAnswer:
        """What the tables and the pack `tools` say of a call; the arguments are those of `Tools.check`."""
        process, state, personas, in_the_way = self._tools.context(task, persona=persona, lease=lease)
        return decide_call(process, state, tool, personas, in_the_way, task=task or "")

    def discover(self, task: str, file_map: bytes | None = None) -> Discovery:
        """What a task's plan would touch, how large it would be, and which evidence is missing.

        Args:
            task: the task.
            file_map: another plan than the file map that the task has left, as if it were handed in.

        Raises:
            BadInput: there is no such task, its repository cannot be looked at, or the file map is none.
        """
        state = self._path.state(task)
        process = self._path.process(state.process_digest)
        left = state.evidence.get(FILE_MAP)
        if file_map is None and left is not None and is_current(state, left):
            file_map = self._shelf.snapshot(left.digest)
        repository = decode_path(state.repository) if state.repository else None
        return discover(process, repository=repository, file_map=file_map, state=state)

    def _asked(self, task: str, phase: str | None) -> tuple[Process, TaskState, str]:
        state = self._path.state(task)
        process = self._path.process(state.process_digest)
        name = parse_phase(phase) if phase else state.phase
        if name not in process.order:
            raise BadInput(f"there is no phase `{name}`", f"it is one of {', '.join(process.order)}")
        return process, state, name

    def _checks(self, process: Process, state: TaskState, phase: str) -> Iterator[Answer]:
        there = _present(self._shelf.seen(process, state, phase))
        modes = self._flags.modes(process, phase)
        for rule in process.phase(phase).evidence:
            content = there.get(rule.name)
            if content is None:
                why = f"phase {phase} has left no `{rule.name}` that counts"
                remedy = f"add it: `engine evidence add {state.task} {rule.name}`"
                yield Answer("evidence.missing", Outcome.DENIED, GATE, rule.name, phase, why, remedy)
                continue
            for check in rule.checks:
                mode = modes.get(f"{phase}/{check.name}", FlagMode.ENFORCE)
                yield from of_check(check, Artifact(rule.name, content), _without(there, rule.name), mode)


def _tables(process: Process, phase: str) -> Iterator[Answer]:
    lists = {
        f"{process.process}:read_only_tools": process.read_only_tools,
        f"{process.process}:{phase}.tools": process.phase(phase).tools,
    }
    for rule, tools in lists.items():
        # An empty list decides nothing: it lets no tool pass, which is what counts without it.
        if tools:
            yield Answer(rule, Outcome.ALLOWED, TABLE, why=f"lets pass: {', '.join(tools)}")


def _patch_rule(process: Process, state: TaskState, phase: str | None) -> tuple[str, EvidenceRule]:
    """The phase that asks for a patch: the one named, else the current one if it does, else the first."""
    names = [phase] if phase else [state.phase, *process.order]
    for name in names:
        rule = process.evidence_rules[name].get(PATCH)
        if rule is not None:
            return name, rule
    where = f"{phase} of `{process.process}`" if phase else f"no phase of `{process.process}`"
    asks = "asks for no" if phase else "asks for a"
    raise BadInput(f"{where} {asks} `{PATCH}`", "name a phase that does, or see `engine policy explain`")


def _paths(process: Process, phase: str, patch: bytes, mode: FlagMode) -> Iterator[Answer]:
    """What the process says of the paths a phase may touch."""
    rules, source = process.git_rules(phase), f"{process.process}:{phase}.git"
    parsed, findings = read_patch(Artifact(PATCH, patch))
    if rules is None or findings or mode is FlagMode.OFF:
        return
    faults = tuple(path_faults(PATCH, parsed.paths, globs(rules, "allow"), globs(rules, "deny")))
    yield from (of_finding(fault, TABLE, mode) for fault in faults)
    if not faults:
        yield Answer(source, Outcome.ALLOWED, TABLE, PATCH, why="every path is one that the phase may touch")


def _listed(patch: bytes) -> bytes:
    parsed, _ = read_patch(Artifact(PATCH, patch))
    return orjson.dumps({"files": sorted(parsed.touched)})


def _present(contents: Mapping[str, bytes | None]) -> dict[str, bytes]:
    return {name: content for name, content in contents.items() if content is not None}


def _without(there: Mapping[str, bytes], name: str) -> dict[str, bytes]:
    return {other: content for other, content in there.items() if other != name}
