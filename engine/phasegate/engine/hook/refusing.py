"""A refusal, as the hook tells and spools it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNREADABLE = "hook.unreadable"
UNAVAILABLE = "hook.unavailable"
FAILED = "hook.failed"
TEXT_MAX = 2_000
SHORT_MAX = 300


class Refusal(Exception):
    """Why a call is refused; fields as those of `ToolRefusal`.

    Codes are those of `engine.tools.check`, or of the hook itself: `hook.unreadable` for an input that is
    none, `hook.unavailable` for a home, ledger or definition that cannot be relied on, `hook.failed` for a
    fault of the hook.
    """

    def __init__(
        self,
        code: str,
        rule: str,
        message: str,
        remedy: str,
        *,
        task: str = "",
        phase: str = "",
        tool: str = "",
        policy: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.rule = rule
        self.message = message
        self.remedy = remedy
        self.task = task
        self.phase = phase
        self.tool = tool
        self.policy = policy

    def __str__(self) -> str:
        """What the agent is told: why, and what to do about it."""
        return f"{self.code}: {self.message}; {self.remedy}"

    def record(self) -> dict[str, Any]:
        """The refusal as a line of the spool, every field within the bounds of an entry."""
        return {
            "kind": "denied",
            "code": self.code,
            "rule": plain(self.rule, SHORT_MAX),
            "message": plain(self.message, TEXT_MAX),
            "remedy": plain(self.remedy, SHORT_MAX),
            "task": plain(self.task, SHORT_MAX),
            "phase": plain(self.phase, SHORT_MAX),
            "tool": plain(self.tool, SHORT_MAX),
            "policy": self.policy,
        }


def plain(text: str, most: int) -> str:
    """What can be kept of any text: printable ASCII, within bounds."""
    if len(text) <= most and text.isascii() and text.isprintable():
        return text
    return ascii(text[:most])[1:-1][:most]
