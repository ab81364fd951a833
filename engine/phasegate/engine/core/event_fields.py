"""What the payloads of events are made of: strict models and bounded fields, none of them a float."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

FINDINGS_IN_ENTRY_MAX = 20

Short = Annotated[str, StringConstraints(max_length=300)]
Text = Annotated[str, StringConstraints(max_length=2_000)]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
OptionalHex = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{64})?$")]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Number = Annotated[int, Field(gt=-(2**53), lt=2**53)]
FigureName = Annotated[str, StringConstraints(pattern=r"^[ -~]{1,128}$")]


class EventPayload(BaseModel):
    """A payload; `kind` is the type of its entry, and a part of another payload has none."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    kind: ClassVar[str]
