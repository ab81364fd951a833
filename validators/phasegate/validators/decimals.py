"""Numbers as the documents carry them: JSON numbers or decimal strings, compared exactly.

A threshold of 0.60 must be met by 60 of 100; in binary floating point that depends on the order of the
summation, so comparisons are made on fractions.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

# Bounded, so that no exponent can make the fraction fill the memory.
_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


def exact(value: Any) -> Fraction | None:
    """Return a JSON number or decimal string as a fraction, None if it is neither.

    A float stands for its shortest decimal form (`repr`), which is what its author wrote.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = value if isinstance(value, str) else repr(value)
    return Fraction(text) if _DECIMAL.fullmatch(text) else None


def checked(value: Any) -> Fraction:
    """Return what a schema has already found to be a decimal.

    Raises:
        TypeError: it is none; the schema and this module disagree, which is a bug.
    """
    result = exact(value)
    if result is None:
        raise TypeError(f"{value!r} passed its schema and is no decimal")
    return result


def shown(value: Fraction, places: int = 6) -> str:
    """Return `value` as a decimal with at most `places` digits after the point, for messages."""
    try:
        text = f"{float(value):.{places}f}"
    except OverflowError:
        return "a number beyond 1e308"
    return text.rstrip("0").rstrip(".")
