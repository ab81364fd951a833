"""Canaries: failing tests planted in a checkout. What turns failures into passes betrays itself on them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasegate.validators.test_text import measure

_PLANTED = """


import unittest as _unittest_{token}


class Test{token}(_unittest_{token}.TestCase):
    def test_{token}(self):
        self.assertEqual(1, 2)
"""


@dataclass(frozen=True, slots=True)
class Canaries:
    """What was planted.

    Attributes:
        token: a word no test of the author can hold, because it is drawn anew each time.
        modules: the test modules it was planted in.
    """

    token: str
    modules: tuple[str, ...]

    def read(self, outcomes: Mapping[str, str]) -> dict[str, Any]:
        """What a report says of the planted tests: how many failed as they must, and how many did not.

        `unseen` names modules the report tells of, but not of the test planted in them.
        """
        own = {test: outcome for test, outcome in outcomes.items() if self.token in test}
        others = [re.split(r"[^A-Za-z0-9_]+", test) for test in outcomes if self.token not in test]
        failed = sum(outcome in {"failed", "error"} for outcome in own.values())
        told = {word for words in others for word in words}
        shown = {word for test in own for word in re.split(r"[^A-Za-z0-9_]+", test)}
        unseen = [path for path in self.modules if Path(path).stem in told - shown]
        return {
            "planted": len(self.modules),
            "failed": failed,
            "hidden": len(own) - failed,
            "unseen": sorted(unseen)[:100],
        }


def plant(folder: Path, paths: Iterable[str], token: str) -> Canaries:
    """Plant a failing test in each Python test module of a checkout.

    Args:
        folder: the checkout.
        paths: the test files by their paths in it.
        token: letters and digits, drawn at random.
    """
    planted: list[str] = []
    for path in paths:
        place = folder / path
        if not path.endswith(".py") or place.is_symlink() or not place.is_file():
            continue
        content = place.read_bytes()
        if measure(content).tests:
            place.write_bytes(content + _PLANTED.format(token=token).encode())
            planted.append(path)
    return Canaries(token, tuple(planted))


NONE = {"planted": 0, "failed": 0, "hidden": 0, "unseen": []}
"""What is said where nothing was planted."""
