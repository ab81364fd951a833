"""The models by name: what a caller writes, and the back end it opens."""

from __future__ import annotations

from pathlib import Path

from phasegate.engine.runners.errors import ModelError
from phasegate.engine.runners.models.port import Model
from phasegate.engine.runners.models.replay import ReplayModel
from phasegate.engine.runners.models.stub import SUCCESS_CHANCE, StubModel


def open_model(source: str, *, seed: int = 0) -> Model:
    """The model that `source` names.

    Args:
        source: `stub`, `stub:CHANCE` with a success chance from 0 to 1 such as `stub:0.6`, or
            `replay:FILE` with a `.jsonl` or `.jsonl.gz` file of recorded completions.
        seed: seed of the stub; a replay has none.

    Raises:
        ModelError: the name is unknown, the chance no number from 0 to 1, or the file malformed.
    """
    kind, _, detail = source.partition(":")
    if source == "stub":
        return StubModel(seed=seed, success_chance=SUCCESS_CHANCE)
    if kind == "stub":
        return StubModel(seed=seed, success_chance=_chance(source, detail))
    if kind == "replay" and detail:
        return ReplayModel.load(Path(detail))
    raise ModelError(
        f"unknown model `{source}`", remedy="use `stub`, `stub:CHANCE` (such as `stub:0.6`) or `replay:FILE`"
    )


def _chance(source: str, text: str) -> float:
    try:
        chance = float(text)
    except ValueError:
        chance = -1.0
    if not 0 <= chance <= 1:  # also refuses NaN, which compares false
        raise ModelError(
            f"model `{source}` has no success chance", remedy="write a number from 0 to 1, such as `stub:0.6`"
        )
    return chance
