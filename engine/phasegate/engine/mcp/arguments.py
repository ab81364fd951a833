"""Arguments of the tools. What a field is for stands beside it: the model that calls reads this."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from phasegate.ledger.leases import LEASE_EPOCH_MAX

DOCUMENT_CHARS_MAX = 4_000_000
ENTRIES_MAX = 200

Task = Annotated[str, Field(min_length=1, max_length=128, description="Task id, such as `IMP-27`.")]
Lease = Annotated[
    int | None,
    Field(ge=1, le=LEASE_EPOCH_MAX, description="Epoch of the lease you hold on the phase, if you hold one."),
]
Epoch = Annotated[int, Field(ge=1, le=LEASE_EPOCH_MAX, description="Epoch that `lease_acquire` gave you.")]
Phase = Annotated[str | None, Field(max_length=64, description="A phase; the current one by default.")]
Inside = Annotated[str | None, Field(min_length=1, max_length=4096)]


class Arguments(BaseModel):
    """No tool takes what it does not name: who acts, for one, is never said by the caller."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OfTask(Arguments):
    """A task."""

    task: Task


class StatusOf(Arguments):
    """A task, or none for all."""

    task: Annotated[str | None, Field(max_length=128, description="Task id; leave out for all tasks.")] = None


class Opening(Arguments):
    """A task to open."""

    task: Task
    process: Annotated[
        str, Field(max_length=4096, description="Process it runs under, such as `autopilot`.")
    ] = "autopilot"
    title: Annotated[str | None, Field(max_length=200, description="What is to be done, in one line.")] = None
    repository: Annotated[
        str | None,
        Field(
            max_length=4096,
            description="Absolute path of the git repository it changes; `autopilot` needs it.",
        ),
    ] = None
    base: Annotated[str, Field(max_length=255, description="Commit the work starts from.")] = "HEAD"
    risk: Annotated[str, Field(max_length=64, description="Risk class; the process's first by default.")] = ""
    depends_on: Annotated[
        tuple[str, ...], Field(max_length=32, description="Tasks that must be completed before.")
    ] = ()
    milestone: Annotated[str, Field(max_length=64, description="Milestone of the process.")] = ""


class Documents(Arguments):
    """Evidence to hand in: files of the repository, or texts, or both one after the other."""

    task: Task
    files: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...],
        Field(
            max_length=32,
            description="Paths in the task's repository; each becomes evidence under its file name.",
        ),
    ] = ()
    documents: Annotated[
        dict[Annotated[str, Field(max_length=128)], Annotated[str, Field(max_length=DOCUMENT_CHARS_MAX)]],
        Field(max_length=32, description='Text by artifact name, such as {"spec.md": "# ..."}.'),
    ] = Field(default_factory=dict)
    lease: Lease = None


class Command(Arguments):
    """A command for the engine to run and see."""

    task: Task
    argv: Annotated[
        tuple[Annotated[str, Field(max_length=100_000)], ...],
        Field(
            max_length=256,
            description="Program and arguments; no shell is involved. Needed where nothing is `named`.",
        ),
    ] = ()
    named: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            description="A command that the process names for the phase (`prompt` lists them), with its own "
            "folder and reports; then leave out `argv`, `cwd` and the reports.",
        ),
    ] = None
    cwd: Annotated[str, Field(max_length=4096, description="Folder in the repository to run in.")] = "."
    junit: Annotated[Inside, Field(description="Test report that it writes, a path in the repository.")] = (
        None
    )
    coverage: Annotated[Inside, Field(description="Coverage report that it writes, likewise.")] = None
    sarif: Annotated[Inside, Field(description="SARIF log that it writes, likewise.")] = None
    hermetic: Annotated[
        bool, Field(description="Run it without network, everything read-only but a scratch folder.")
    ] = False
    lease: Lease = None


class Forward(Arguments):
    """To leave a phase."""

    task: Task
    to: Annotated[
        str | None, Field(max_length=64, description="Next phase, where the process leaves a choice.")
    ] = None
    lease: Lease = None


class Back(Arguments):
    """To go back."""

    task: Task
    reason: Annotated[str, Field(min_length=1, max_length=2000, description="Why, in one line.")]
    to: Annotated[
        str | None,
        Field(max_length=64, description="Earlier phase; by default the earliest whose evidence changed."),
    ] = None
    lease: Lease = None


class Acquire(Arguments):
    """To take a lease."""

    task: Task
    phase: Phase = None
    ttl_s: Annotated[
        int | None, Field(ge=1, le=86_400, description="Seconds to expiry; the process's by default.")
    ] = None


class Held(Arguments):
    """A lease that is held."""

    task: Task
    epoch: Epoch
    phase: Phase = None


class Ask(Arguments):
    """A question to a person."""

    task: Task
    why: Annotated[
        str, Field(min_length=1, max_length=2000, description="What you ask for and why, in one line.")
    ]
    lease: Lease = None


class PromptOf(Arguments):
    """Whose prompt."""

    task: Task
    persona: Annotated[
        str | None, Field(max_length=64, description="Persona to work as; the baseline's by default.")
    ] = None
    lease: Lease = None


class Page(Arguments):
    """A part of a task's history."""

    task: Task
    since: Annotated[int, Field(ge=0, le=2**53 - 1, description="Only entries after this number.")] = 0
    limit: Annotated[int, Field(ge=1, le=ENTRIES_MAX, description="At most so many.")] = 50
