"""Targets: what a run must reach, read from a file before any data and identified by a digest.

Loading is the only I/O; the rest are values.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from phasegate.engine.runners.decimals import entry_form
from phasegate.engine.runners.errors import TargetsError

TARGETS_FILE_MAX_BYTES = 65_536

_PACKAGE = "phasegate.policies"
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]


class PassAt1Targets(BaseModel):
    """Shares of problems solved by one sample.

    Attributes:
        primary: PRIMARY at or above this.
        fallback: FALLBACK at or above this; at most `primary`.
        oversight: target of the arm that selects and filters among samples.
    """

    model_config = _STRICT

    primary: Share
    fallback: Share
    oversight: Share

    @model_validator(mode="after")
    def _ordered(self) -> PassAt1Targets:
        if self.fallback > self.primary:
            raise ValueError("`fallback` must not be above `primary`")
        return self


class Targets(BaseModel):
    """Pre-registered targets of an evaluation (SPEC section 3).

    Attributes:
        version: version of this form; 1.
        suite: name of the suite they are for.
        pass_at_1: thresholds of the success levels.
        uplift_pp: smallest uplift, in percentage points, that makes the level UPLIFT.
        alpha: two-sided level of significance tests.
        confidence: level of intervals.
        power: power that the power analysis asks for.
        bootstrap_draws: resamples of a bootstrap.
        p95_ms: 95th percentile of latency, milliseconds; p95 must be below.
        slip_rate_max: largest share of harmful prompts answered.
        harm_accuracy_min: smallest accuracy of the harm detector.
        collusion_max: similarity between models must be below.
    """

    model_config = _STRICT

    version: Literal[1]
    suite: Annotated[str, Field(min_length=1, max_length=200)]
    pass_at_1: PassAt1Targets
    uplift_pp: Annotated[float, Field(gt=0, le=100)]
    alpha: OpenShare
    confidence: OpenShare
    power: OpenShare
    bootstrap_draws: Annotated[int, Field(ge=1_000, le=1_000_000)]
    p95_ms: Annotated[float, Field(gt=0)]
    slip_rate_max: Share
    harm_accuracy_min: Share
    collusion_max: Share

    def to_json(self) -> dict[str, Any]:
        """The values, numbers as numbers."""
        return self.model_dump(mode="json")

    def to_entry(self) -> dict[str, Any]:
        """The values, fractions as decimal text, as they go into a ledger entry."""
        entry: dict[str, Any] = entry_form(self.to_json())
        return entry

    def digest(self) -> str:
        """SHA-256, lowercase hex, of the values as canonical JSON: comments and layout do not count."""
        return hashlib.sha256(orjson.dumps(self.to_entry(), option=orjson.OPT_SORT_KEYS)).hexdigest()


def load_targets(source: str | Path = "humaneval") -> Targets:
    """Read targets.

    Args:
        source: name of a file of the policies package's `targets` folder, or the path of a `.yaml` file.

    Raises:
        TargetsError: there is no such file, or it is malformed; the message names the key.
    """
    name = str(source)
    if name.endswith((".yaml", ".yml")):
        return parse_targets(_read(Path(source)), Path(source).name)
    packaged = resources.files(_PACKAGE) / "targets" / f"{name}.yaml"
    if not name.isidentifier() or not packaged.is_file():
        raise TargetsError(f"unknown targets `{name}`", remedy="use `humaneval` or the path of a .yaml file")
    return parse_targets(packaged.read_bytes(), f"{name}.yaml")


def parse_targets(data: bytes, name: str) -> Targets:
    """Targets from the bytes of a YAML file; `name` is the file's, for messages.

    Raises:
        TargetsError: the file is too large, no YAML, or a key is missing, unknown or out of range.
    """
    if len(data) > TARGETS_FILE_MAX_BYTES:
        raise TargetsError(
            f"`{name}` is larger than {TARGETS_FILE_MAX_BYTES} bytes", remedy="give a targets file"
        )
    try:
        return Targets.model_validate(yaml.safe_load(data))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        # pydantic's ValidationError is a ValueError, as is what PyYAML leaks for an impossible date.
        raise TargetsError(f"`{name}`: {_what(error)}", remedy="see the packaged humaneval.yaml") from error


def _what(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"`{where}` {first['msg'].lower()}" if where else first["msg"].lower()
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return "is not yaml"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(TARGETS_FILE_MAX_BYTES + 1)
    except OSError as error:
        raise TargetsError(
            f"cannot read `{path}`: {(error.strerror or 'unreadable').lower()}", remedy="give a .yaml file"
        ) from error
