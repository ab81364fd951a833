"""Every type of entry is told as a sentence."""

from __future__ import annotations

from phasegate.engine.cli.telling import SENTENCES
from phasegate.engine.core.events import EVENT_TYPES


def test_every_type_of_event_has_its_sentence() -> None:
    assert SENTENCES.keys() == EVENT_TYPES.keys()
