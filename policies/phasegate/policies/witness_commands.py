"""Commands that a process names for the engine to witness: `engine witness TASK --named NAME` runs one.

Pure. They say how the evidence is usually made; what counts is decided by the checks alone, whatever was run.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class WitnessCommand(BaseModel):
    """One command.

    Attributes:
        name: what it is called by; unique in its phase.
        run: its words; no shell reads them.
        folder: where it runs, from the repository's root; empty for the root.
        junit: the test report it writes, from the repository's root; `-` for its output, empty for none. With
            `*` it is a pattern of several.
        coverage: the coverage report it writes, likewise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
    run: Annotated[
        tuple[Annotated[str, StringConstraints(min_length=1, max_length=2_000)], ...],
        Field(min_length=1, max_length=64),
    ]
    folder: Annotated[str, StringConstraints(max_length=500)] = ""
    junit: Annotated[str, StringConstraints(max_length=500)] = ""
    coverage: Annotated[str, StringConstraints(max_length=500)] = ""

    @property
    def reports(self) -> dict[str, str]:
        """The reports that it writes, by kind."""
        named = {"junit": self.junit, "coverage": self.coverage}
        return {kind: path for kind, path in named.items() if path}

    @model_validator(mode="after")
    def _paths_stay_inside(self) -> Self:
        for field in ("folder", "junit", "coverage"):
            value = getattr(self, field)
            if value.startswith("/") or ".." in value.split("/") or not value.isprintable():
                raise ValueError(f"`{field}` is no path from the repository's root")
        return self


WitnessCommands = Annotated[tuple[WitnessCommand, ...], Field(max_length=8)]
