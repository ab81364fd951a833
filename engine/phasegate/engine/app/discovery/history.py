"""How large changes of a repository's files have been, and what that says of those that are planned.

An estimate is the median of what was added and removed together in the file's own latest changes; of a file
that has none, in those of files of its kind. Beside it stands the ninetieth percentile (nearest rank) of the
same sample. What nothing is known of is not guessed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from phasegate.engine.app.git.output import text_of
from phasegate.engine.app.git.scratch import find, scratch_of

COMMITS_MAX: Final = 500
"""How many of the latest commits are looked at; merges are not."""
OWN_MAX: Final = 20
KIND_MAX: Final = 200
"""How many changes of one file, and of files of one kind, make a sample."""
_LOG: Final = (
    "log", "--raw", "--numstat", "-z", "--no-renames", "--no-merges", "--no-ext-diff", "--no-textconv",
    "--format=", f"--max-count={COMMITS_MAX}",
)  # fmt: skip


class Estimate(NamedTuple):
    """Added and removed lines of a file, together.

    Attributes:
        lines: what is expected; None where nothing is known.
        high: what nine of ten such changes stayed within; None likewise.
        basis: what that was seen in.
    """

    lines: int | None
    high: int | None
    basis: str


UNKNOWN: Final = Estimate(None, None, "nothing is known of such files")


@dataclass(slots=True)
class History:
    """Sizes of past changes, the latest first.

    Attributes:
        own: added and removed lines of each change of a file, by its path.
        changed: the same by the kind of file.
        added: lines of files when they were added, by their kind.
    """

    own: dict[str, list[int]] = field(default_factory=dict)
    changed: dict[str, list[int]] = field(default_factory=dict)
    added: dict[str, list[int]] = field(default_factory=dict)

    def of_change(self, path: str) -> Estimate:
        """The estimate for a file that is modified."""
        own, kind = self.own.get(path, []), kind_of(path)
        if own:
            return _estimate(own, f"its own {_times(own)}")
        return _estimate(self.changed.get(kind, []), f"{_times(self.changed.get(kind, []))} of `{kind}`")

    def of_addition(self, path: str) -> Estimate:
        """The estimate for a file that is added."""
        kind = kind_of(path)
        sample = self.added.get(kind, [])
        return _estimate(sample, f"latest {len(sample)} added `{kind}`")


def history_of(repository: Path) -> History:
    """Read the history behind the commit that is checked out; without any, it is empty.

    It is read by a repository of our own that borrows the objects, so that none of its settings count.

    Raises:
        GitUnavailable: there is no git, no repository, or it cannot be read.
    """
    real = find(repository)
    if not real.head:
        return History()
    with scratch_of(real) as scratch:
        return read_history(scratch.run(*_LOG, real.head))


def read_history(log: bytes) -> History:
    """Read what `git log --raw --numstat -z` tells (git-diff, "Raw output format" and "Other formats")."""
    history = History()
    for status, path, lines in _changes(log):
        kind = kind_of(path)
        if status == "A":
            _keep(history.added, kind, lines, KIND_MAX)
        elif status == "M":
            _keep(history.own, path, lines, OWN_MAX)
            _keep(history.changed, kind, lines, KIND_MAX)
    return history


def kind_of(path: str) -> str:
    """Files that are taken for alike: those of one ending, or of one name where there is none."""
    name = PurePosixPath(path)
    return f"*{name.suffix}" if name.suffix else name.name


def _changes(log: bytes) -> Iterator[tuple[str, str, int]]:
    statuses: dict[str, str] = {}
    fields = iter(log.split(b"\0"))
    for field_ in fields:
        if field_.startswith(b":"):
            statuses[text_of(next(fields, b""))] = field_[-1:].decode("ascii", "replace")
            continue
        added, _, rest = field_.partition(b"\t")
        removed, _, name = rest.partition(b"\t")
        if added.isdigit() and removed.isdigit():  # of what is binary git counts no lines
            path = text_of(name)
            yield statuses.get(path, ""), path, int(added) + int(removed)


def _keep(samples: dict[str, list[int]], key: str, lines: int, most: int) -> None:
    sample = samples.setdefault(key, [])
    if len(sample) < most:
        sample.append(lines)


def _estimate(sample: Sequence[int], basis: str) -> Estimate:
    if not sample:
        return UNKNOWN
    ordered = sorted(sample)
    return Estimate(statistics.median_high(ordered), ordered[math.ceil(len(ordered) * 0.9) - 1], basis)


def _times(sample: Sequence[int]) -> str:
    return f"latest {len(sample)} changes" if len(sample) != 1 else "latest change"


def total(estimates: Sequence[Estimate]) -> Mapping[str, int]:
    """Sums of what is known, and the number of files that nothing is known of."""
    return {
        "lines": sum(one.lines or 0 for one in estimates),
        "high": sum(one.high or 0 for one in estimates),
        "unknown": sum(one.lines is None for one in estimates),
    }
