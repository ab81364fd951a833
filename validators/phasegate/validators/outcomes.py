"""Named checks inside a document: each `{name, status}`, each to be good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phasegate.validators.interface import Finding
from phasegate.validators.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

GREEN = frozenset({"success", "succeeded", "passed", "pass", "ok", "green"})
NEUTRAL = frozenset({"skipped", "neutral"})


def is_one_of(status: str, good: AbstractSet[str]) -> bool:
    """Return whether a status is one of `good`, whatever its case."""
    return status.strip().lower() in good


def not_good(
    artifact: str, code: str, checks: Iterable[dict[str, Any]], good: AbstractSet[str], remedy: str
) -> list[Finding]:
    """Return a finding for each check whose status is not one of `good`."""
    return [
        Finding(
            code,
            artifact,
            f"/checks/{index}",
            f"the check {quoted(check['name'])} ended as {quoted(check['status'])}",
            remedy,
        )
        for index, check in enumerate(checks)
        if not is_one_of(check["status"], good)
    ]
