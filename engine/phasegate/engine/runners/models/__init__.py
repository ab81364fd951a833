"""Models: where completions come from. `port` is the interface; `stub` and `replay` are its back ends."""

from __future__ import annotations

from phasegate.engine.runners.models.catalog import open_model
from phasegate.engine.runners.models.port import Completion, Model

__all__ = ["Completion", "Model", "open_model"]
