"""When checkpoints are made beside marked transitions, and for whom: `checkpoints.yaml` in the home.

    every_entries: 1000
    every_seconds: 3600
    sinks:
      - git: /srv/repository
      - file: /srv/ci/checkpoint.note
      - witness: https://witness.example/
        vkey: witness.example+...
      - state: /mnt/witness
        key: /mnt/witness/witness.key

Without the file a checkpoint is due at marked transitions only, and nobody outside of the home is handed it.
Paths are taken from the home on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from phasegate.engine.app.home_policy import load_home_policy
from phasegate.engine.app.outbox.policy import parse_target
from phasegate.engine.core.errors import BadInput
from phasegate.ledger.errors import NoteError
from phasegate.ledger.note_keys import Algorithm, parse_verifier_key

CHECKPOINT_POLICY: Final = "checkpoints.yaml"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SinkRule(_Model):
    """One sink: exactly one of `git`, `file`, `witness` and `state` is given.

    Attributes:
        git: a folder of a repository, whose ref `refs/phasegate/checkpoints` holds the checkpoints.
        file: a file that holds the latest.
        witness: URL of a C2SP tlog-witness, with its cosignature key as `vkey`.
        state: state folder of a witness on this machine, with its private key file as `key`.
    """

    git: str = ""
    file: str = ""
    witness: str = ""
    vkey: str = ""
    state: str = ""
    key: str = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(map(bool, (self.git, self.file, self.witness, self.state))) != 1:
            raise ValueError("a sink is one of `git`, `file`, `witness` and `state`")
        if bool(self.witness) != bool(self.vkey) or bool(self.state) != bool(self.key):
            raise ValueError("`vkey` goes with `witness`, and `key` with `state`")
        if "\0" in f"{self.git}{self.file}{self.state}{self.key}":
            raise ValueError("a path holds a zero character, which no file's name can")
        try:
            if self.witness:
                parse_target(self.witness)
                if parse_verifier_key(self.vkey).algorithm is not Algorithm.COSIGNATURE:
                    raise ValueError("`vkey` is no key for cosignatures")
        except (BadInput, NoteError) as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def name(self) -> str:
        """What messages and counters call it."""
        kind = next(kind for kind in ("git", "file", "witness", "state") if getattr(self, kind))
        return f"{kind} {getattr(self, kind)}"


class CheckpointPolicy(_Model):
    """When and for whom.

    Attributes:
        every_entries: a checkpoint is due after so many entries; 0 for never.
        every_seconds: and when the last is so old and entries have come since; 0 for never.
        timeout_s: seconds a witness may take to answer.
    """

    every_entries: Annotated[int, Field(ge=0, le=10**9)] = 0
    every_seconds: Annotated[int, Field(ge=0, le=10**9)] = 0
    timeout_s: Annotated[int, Field(ge=1, le=300)] = 5
    sinks: Annotated[tuple[SinkRule, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({sink.name for sink in self.sinks}) != len(self.sinks):
            raise ValueError("a sink stands twice")
        return self


def load_checkpoint_policy(home: Path) -> CheckpointPolicy:
    """The home's policy.

    Raises:
        BadInput: the file cannot be read, or is refused; the message has the line.
    """
    return load_home_policy(
        home, CHECKPOINT_POLICY, CheckpointPolicy, "a checkpoint policy", "docs/checkpoints.md"
    )
