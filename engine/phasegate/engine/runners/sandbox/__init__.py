"""Runs untrusted Python solutions of HumanEval-shaped problems and gives verdicts that cannot be forged.

A program is split in two processes that share no memory: a *checker* runs the problem's test against a
stand-in for the entry point, and a *solution* runs the candidate and answers typed call and return
messages over a pipe. Values travel by copy, so a candidate that changes its arguments does not change
the test's. Both halves are confined; `Pool.isolation` says by what, and what that gives.

    with Pool(workers=2) as pool:
        for outcome in pool.run(programs):
            print(outcome.key, outcome.verdict)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attacks import SELF_CHECKS
    from .errors import SandboxError, SandboxUnavailableError, SandboxUsageError, WorkerError
    from .model import ALL_PROPERTIES, Isolation, Limits, Outcome, Program, Property, Verdict
    from .pool import Pool
    from .self_checking import CheckResult, self_check

_HOMES = {
    "ALL_PROPERTIES": "model",
    "CheckResult": "self_checking",
    "Isolation": "model",
    "SELF_CHECKS": "attacks",
    "self_check": "self_checking",
    "Limits": "model",
    "Outcome": "model",
    "Pool": "pool",
    "Program": "model",
    "Property": "model",
    "SandboxError": "errors",
    "SandboxUnavailableError": "errors",
    "SandboxUsageError": "errors",
    "Verdict": "model",
    "WorkerError": "errors",
}

__all__ = [
    "ALL_PROPERTIES",
    "SELF_CHECKS",
    "CheckResult",
    "Isolation",
    "Limits",
    "Outcome",
    "Pool",
    "Program",
    "Property",
    "SandboxError",
    "SandboxUnavailableError",
    "SandboxUsageError",
    "Verdict",
    "WorkerError",
    "self_check",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module `{__name__}` has no attribute `{name}`")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
