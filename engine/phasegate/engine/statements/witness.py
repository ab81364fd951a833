"""The witness predicate: the engine ran a command itself, and this is what it saw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from phasegate.engine.core.event_fields import Count, Hex, Number, Text
from phasegate.engine.core.events import ARGV_ITEMS_MAX
from phasegate.engine.statements.predicate import (
    PREDICATE_ROOT,
    ChainRef,
    Part,
    Phase,
    Predicate,
    Subject,
    Time,
)
from phasegate.engine.statements.statement import Statement

REPORTS_MAX = 8

ObjectId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]
"""A git object id, SHA-1 or SHA-256."""
ReportKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class GitState(Part):
    """The repository around the run.

    Attributes:
        commit: `HEAD` when the command started.
        tree_before: tree of the working directory before the run, uncommitted changes included.
        tree_after: the same after the run.
        dirty_before: whether the working directory differed from `commit` before the run.
        dirty_after: the same after the run.
    """

    commit: ObjectId
    tree_before: ObjectId
    tree_after: ObjectId
    dirty_before: bool
    dirty_after: bool


class Outputs(Part):
    """SHA-256 of each output stream, as far as it was kept."""

    stdout: Hex
    stderr: Hex


class Resources(Part):
    """What the command and its children used: processor time in milliseconds, peak memory in KiB."""

    cpu_user_ms: Count
    cpu_system_ms: Count
    max_rss_kib: Count


class Witness(Predicate):
    """A command that the engine ran.

    Attributes:
        phase: the phase it ran for.
        argv: its first arguments, as many as an entry has room for.
        argv_digest: SHA-256 of all arguments as a JSON array, non-ASCII escaped.
        environment_digest: SHA-256 of its environment as a sorted JSON array of name and value.
        git: the repository it ran in; null outside one.
        exit_code: its exit code; negative when a signal ended it.
        started_at: when it started.
        duration_ms: how long it ran.
        outputs: digests of what it printed.
        reports: digests of the report files it wrote, by kind.
        resources: what it used.
        hermetic: whether it ran without network and with the repository read-only.
        chain: the ledger as it was when that was recorded.
    """

    TYPE: ClassVar[str] = PREDICATE_ROOT + "witness/v1"

    phase: Phase
    argv: Annotated[tuple[Text, ...], Field(strict=False, min_length=1, max_length=ARGV_ITEMS_MAX)]
    argv_digest: Hex
    environment_digest: Hex
    git: GitState | None
    exit_code: Number
    started_at: Time
    duration_ms: Count
    outputs: Outputs
    reports: Annotated[dict[ReportKind, Hex], Field(max_length=REPORTS_MAX)]
    resources: Resources
    hermetic: bool
    chain: ChainRef

    def to_statement(self, subjects: Iterable[Subject]) -> Statement[Witness]:
        """This as a statement about the artifacts the run produced.

        Raises:
            StatementError: `bad_subject`.
        """
        return Statement(tuple(subjects), self)
