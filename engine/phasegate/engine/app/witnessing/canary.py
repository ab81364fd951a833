"""Canaries: tests that must fail in a checkout. What turns failures into passes betrays itself on them.

Existing tests are broken under their own names, and others are edited so that they hold, as chance has it:
what the first assertion demands is denied once or twice, or two numbers are compared that are equal or not.
A program that writes reports without running the tests cannot know which. Where no existing test can be
broken, failing ones are added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from phasegate.engine.app.witnessing.test_modules import Edit, TestKey, TestModule, key_of
from phasegate.validators.test_text import measure

Entropy = Callable[[int], bytes]
"""Gives so many random bytes: `os.urandom`, or a test's own."""

_LISTED_MAX = 100
_FAILED = frozenset({"failed", "error"})
_PLANTED = """


import unittest as _unittest_{token}


class Test{token}(_unittest_{token}.TestCase):
    def test_{token}(self):
        self.assertEqual(1, 2)
"""


class Planted(Protocol):
    """What was planted in a checkout."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Paths of the test modules it was planted in."""
        ...

    def read(self, outcomes: Mapping[str, str]) -> dict[str, Any]:
        """What the document says of it, from the outcomes that a report tells."""
        ...


@dataclass(frozen=True, slots=True)
class Broken:
    """Tests broken under their own names.

    Attributes:
        modules: the modules they are in.
        broken: ids of the tests that must fail now.
        spared: ids of those that must pass as before.
    """

    modules: tuple[str, ...]
    broken: tuple[str, ...]
    spared: tuple[str, ...]

    def read(self, outcomes: Mapping[str, str]) -> dict[str, Any]:
        """How many failed as they must, how many did not, and which of the others no longer pass."""
        failed = sum(outcomes.get(test) in _FAILED for test in self.broken)
        others = sorted(test for test in self.spared if outcomes.get(test) != "passed")
        return {
            "planted": len(self.broken),
            "failed": failed,
            "hidden": len(self.broken) - failed,
            "unseen": [],
            "others": others[:_LISTED_MAX],
        }


@dataclass(frozen=True, slots=True)
class Added:
    """Failing tests that were added.

    Attributes:
        token: a word no test of the author can hold, because it is drawn anew each time.
        modules: the test modules they were added to.
    """

    token: str
    modules: tuple[str, ...]

    def read(self, outcomes: Mapping[str, str]) -> dict[str, Any]:
        """How many failed as they must, and how many did not.

        `unseen` names modules the report tells of, but not of the test planted in them.
        """
        own = {test: outcome for test, outcome in outcomes.items() if self.token in test}
        others = [re.split(r"[^A-Za-z0-9_]+", test) for test in outcomes if self.token not in test]
        failed = sum(outcome in _FAILED for outcome in own.values())
        told = {word for words in others for word in words}
        shown = {word for test in own for word in re.split(r"[^A-Za-z0-9_]+", test)}
        unseen = [path for path in self.modules if Path(path).stem in told - shown]
        return {
            "planted": len(self.modules),
            "failed": failed,
            "hidden": len(own) - failed,
            "unseen": sorted(unseen)[:_LISTED_MAX],
            "others": [],
        }


def break_tests(
    folder: Path, modules: Sequence[TestModule], outcomes: Mapping[str, str], entropy: Entropy
) -> Broken | None:
    """Break some of the tests that pass, in place; None when there is none that can be broken.

    Args:
        folder: the checkout.
        modules: its test modules.
        outcomes: how the tests end there as they are.
        entropy: decides which are broken. At least one is, and where there are several at least one is not.
    """
    candidates = _candidates(modules, outcomes)
    # A module whose text cannot be changed is left as it is, and so are others with tests of the same names.
    trial = {key: _edit(entropy, holds=True) for key in candidates}
    odd = [module for module in modules if module.edited(trial) is None]
    keys = sorted(candidates.keys() - {function.key for module in odd for function in module.functions})
    if not keys:
        return None
    chosen = _chosen(keys, entropy)
    edits = {key: _edit(entropy, holds=key not in chosen) for key in keys}
    written = []
    for module in modules:
        changed = module.edited(edits)
        if changed is not None and changed != module.content:
            (folder / module.path).write_bytes(changed)
            written.append(module.path)
    broken = [test for key in keys if key in chosen for test in candidates[key]]
    spared = [test for key in keys if key not in chosen for test in candidates[key]]
    return Broken(tuple(written), tuple(broken), tuple(spared))


def _candidates(modules: Sequence[TestModule], outcomes: Mapping[str, str]) -> dict[TestKey, list[str]]:
    """The tests of which every case passes, with the ids of their cases."""
    keys = {function.key for module in modules for function in module.functions}
    found: dict[TestKey, list[str]] = {}
    spoiled: set[TestKey] = set()
    for test, outcome in outcomes.items():
        key = key_of(test, keys)
        if key is None:
            continue
        found.setdefault(key, []).append(test)
        if outcome != "passed":
            spoiled.add(key)
    return {key: tests for key, tests in found.items() if key not in spoiled}


def _chosen(keys: Sequence[TestKey], entropy: Entropy) -> set[TestKey]:
    chosen = {key for key, drawn in zip(keys, entropy(len(keys)), strict=True) if drawn & 1}
    if not chosen or (len(chosen) == len(keys) and len(keys) > 1):
        chosen ^= {keys[int.from_bytes(entropy(4), "big") % len(keys)]}
    return chosen


def _edit(entropy: Entropy, *, holds: bool) -> Edit:
    number, step = int.from_bytes(entropy(3), "big"), 1 + entropy(1)[0]
    opening, closing = ("not (not (", "))") if holds else ("not (", ")")
    return Edit(opening, closing, f"assert {number} == {number if holds else number + step}")


def plant(folder: Path, paths: Iterable[str], token: str) -> Added:
    """Add a failing test to each Python test module of a checkout.

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
    return Added(token, tuple(planted))


NONE = {"planted": 0, "failed": 0, "hidden": 0, "unseen": [], "others": []}
"""What is said where nothing was planted."""
