"""Attacks on the sandbox: programs that would pass, or leave a trace outside, if it let them."""

from __future__ import annotations

from .escaping import ESCAPING
from .exhausting import EXHAUSTING
from .forging import FORGING

SELF_CHECKS = (*FORGING, *ESCAPING, *EXHAUSTING)

__all__ = ["SELF_CHECKS"]
