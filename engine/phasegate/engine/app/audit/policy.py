"""The policy file of `validate_checkpoint`, and where it and the key come from.

    processes: [autopilot, processes/ours.yaml]   # definitions a task may run under; any without it
    operators: ["ann+0a1b2c3d+AQ..."]              # keys that may begin as operators; any without it
    accept_break_glass: false
    max_age_hours: 24
    markers: {words: [TODO], sources: ["src/**"], excluded: ["src/gen/**"], stubs: true, scope: all}
    docs: {"src/**": [docs/design.md]}             # which documents describe which code

In CI, key and policy are read from a git ref, the protected base branch: a change under review that brings
its own would set its own terms. A definition that is named as a file is read from there as well.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePath
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from phasegate.engine.app.audit.markers import EXCLUDED, SOURCES, WORDS, MarkerRules
from phasegate.engine.app.git.commit import Commit
from phasegate.engine.app.git.running import GitUnavailable
from phasegate.engine.app.people.keys import load_vkey
from phasegate.engine.core.errors import BadInput, NotEvaluated
from phasegate.engine.statements.note_keys import VerifyKey
from phasegate.policies.loader import load_process, parse_process, refusal
from phasegate.policies.rego.pack import FOLDER
from phasegate.policies.yaml_lines import FILE_BYTES_MAX, read_yaml

WHAT: Final = "a checkpoint policy"
_SUFFIXES: Final = (".yaml", ".yml")
_Strings = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=500)], ...], Field(max_length=500)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MarkerPolicy(_Frozen):
    """What marks unfinished work; with `scope: changed` only in files changed since `--base`."""

    words: _Strings = WORDS
    sources: _Strings = SOURCES
    excluded: _Strings = EXCLUDED
    stubs: bool = True
    scripts: bool = True
    scope: Literal["all", "changed"] = "all"

    @property
    def rules(self) -> MarkerRules:
        """As the check takes them."""
        return MarkerRules(self.words, self.sources, self.excluded, self.stubs, self.scripts)


class CheckpointPolicy(_Frozen):
    """What a checkpoint is held against; see the head of this module."""

    processes: _Strings | None = None
    operators: _Strings | None = None
    accept_break_glass: bool = False
    max_age_hours: Annotated[int, Field(ge=0, le=100_000)] | None = None
    markers: MarkerPolicy = MarkerPolicy()
    docs: Annotated[dict[str, _Strings], Field(max_length=1_000)] = Field(default_factory=dict)


class TermsSource:
    """Where key and policy files are read.

    Args:
        commit: the repository, when they come from a ref.
        base: the ref; empty to read files as they stand.
    """

    def __init__(self, commit: Commit | None, base: str) -> None:
        self._commit = commit
        self._base = base

    def key(self, file: Path) -> VerifyKey:
        """The verifier key in a file.

        Raises:
            KeyRefused: it is none, or others may write the file.
            NotEvaluated: it is not there at the ref.
        """
        if not self._base:
            return load_vkey(file)
        return VerifyKey.parse(self.read(str(file)).decode("ascii", "replace").strip())

    def policy(self, file: Path | None) -> CheckpointPolicy:
        """The policy in a file; the default one without.

        Raises:
            ProcessInvalid: it is none; the message has file and line.
            NotEvaluated: it is not there.
        """
        if file is None:
            return CheckpointPolicy()
        lined = read_yaml(self.read(str(file)), file.name)
        try:
            return CheckpointPolicy.model_validate(lined.data)
        except ValidationError as error:
            raise refusal(lined, error, WHAT) from error

    def processes(self, names: tuple[str, ...] | None) -> frozenset[str] | None:
        """Digests of the definitions that are named; None for any.

        Raises:
            PolicyError: one of them is none.
            NotEvaluated: one is not there.
        """
        return None if names is None else frozenset(self._process(name) for name in names)

    def _process(self, name: str) -> str:
        if name.endswith(_SUFFIXES):
            return parse_process(self.read(name), name, partial(self._pack, name)).digest
        return load_process(name).digest

    def _pack(self, process: str, file: str) -> bytes | None:
        """Bytes of a pack's file beside a process; None where it is not there."""
        try:
            return self.read(str(PurePath(process).parent / FOLDER / file))
        except NotEvaluated:
            return None

    def read(self, path: str) -> bytes:
        """Bytes of a file, at the ref if there is one.

        Raises:
            NotEvaluated: it is not there.
        """
        try:
            if self._commit is None or not self._base:
                with Path(path).open("rb") as file:
                    return file.read(FILE_BYTES_MAX + 1)
            return self._commit.at(self._base, _inside(self._commit.root, path))
        except (OSError, ValueError, GitUnavailable) as error:
            where = f" at `{self._base}`" if self._base else ""
            remedy = "commit it on the base branch" if self._base else "name a file that can be read"
            raise NotEvaluated(f"there is no `{path}`{where}: {_reason(error)}", remedy) from error


def _inside(root: Path, path: str) -> str:
    """A path as the repository names it.

    Raises:
        BadInput: it is outside.
    """
    if not Path(path).is_absolute():
        return path
    try:
        return Path(path).relative_to(root).as_posix()
    except ValueError:
        raise BadInput(
            f"`{path}` is not in the repository, so no ref has it", "name it from the repository's root"
        ) from None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
