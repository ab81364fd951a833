"""Fractions as text: the form in which a figure goes where floats may not, such as a ledger entry."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any


def decimal_text(number: float | None) -> str | None:
    """The shortest decimal text from which the very same float can be read again, as `repr` gives it.

    Returns:
        The text; None for NaN, the infinities and None, which have no decimal form.
    """
    if number is None or not math.isfinite(number):
        return None
    return repr(float(number))


def exact(number: float) -> Fraction:
    """The fraction a person meant by a decimal: 0.6 is 3/5, not the binary fraction nearest to it."""
    return Fraction(repr(number))


def entry_form(value: Any) -> Any:
    """A JSON value with every float, at any depth, as decimal text, and tuples as lists."""
    if isinstance(value, float):
        return decimal_text(value)
    if isinstance(value, Mapping):
        return {key: entry_form(part) for key, part in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [entry_form(part) for part in value]
    return value
