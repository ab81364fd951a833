"""Changed copies of frozen dataclasses, for less than `dataclasses.replace` takes."""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def changed(value: T, **changes: Any) -> T:
    """As `dataclasses.replace`, which sets every field anew: on the hot path it takes four times as long.

    Args:
        value: a frozen dataclass without slots that checks nothing when it is made.
        changes: new values by the names of its fields.

    Raises:
        TypeError: it has no such field.
    """
    fields = vars(value) | changes
    if len(fields) != len(vars(value)):
        raise TypeError(f"{type(value).__name__} has no {', '.join(changes.keys() - vars(value).keys())}")
    copy = object.__new__(type(value))
    object.__setattr__(copy, "__dict__", fields)
    return copy
