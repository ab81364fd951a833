"""Commands of people: sign a decision and say what it did."""

from __future__ import annotations

from pathlib import Path

from phasegate.engine.app.people.deciding import Decision, Role
from phasegate.engine.cli.options import Format
from phasegate.engine.cli.session import session
from phasegate.engine.cli.tasks import answer
from phasegate.engine.core.errors import BadInput


def decide(
    home: Path | None, format_: Format, task: str, decision: str, reason: str, key: Path, role: str | None
) -> None:
    """Sign and submit a decision; exit 1 when it is refused."""
    with session(home) as engine:
        chosen = Decision(decision)
        result = engine.people.decide(task, chosen, reason, key, parse_role(role) if role else None)
        text = (
            f"{task}: {decision.replace('_', ' ')} recorded for {result.state.phase}; {result.state.status}"
        )
        answer(engine, format_, result, text)


def parse_role(text: str) -> Role:
    """A role by its name."""
    try:
        return Role(text)
    except ValueError:
        known = ", ".join(role for role in Role if role is not Role.ENGINE)
        raise BadInput(f"there is no role `{text[:40]}`", f"use one of: {known}") from None
