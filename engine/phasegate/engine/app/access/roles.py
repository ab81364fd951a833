"""What the holder of a token may do: one table for every interface that takes tokens."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from phasegate.engine.core.errors import BadInput


class TokenRole(StrEnum):
    """What a token is for. A decision of a person is signed with their key, whatever their token's role."""

    AGENT = "agent"
    OPERATOR = "operator"
    APPROVER = "approver"
    AUDITOR = "auditor"


class Action(StrEnum):
    """Kinds of what can be asked for."""

    READ = "read"
    WORK = "work"
    STEER = "steer"
    JUDGE = "judge"


ACTIONS: Final[Mapping[TokenRole, frozenset[Action]]] = MappingProxyType(
    {
        TokenRole.AGENT: frozenset({Action.READ, Action.WORK}),
        TokenRole.OPERATOR: frozenset({Action.READ, Action.WORK, Action.STEER}),
        TokenRole.APPROVER: frozenset({Action.READ, Action.JUDGE}),
        TokenRole.AUDITOR: frozenset({Action.READ}),
    }
)
"""Read: look at everything but keys. Work: open, hand in, witness, advance, go back, lease, ask for tools.

Steer: hand in signed pauses, resumptions, escalations, abortions, broken glass and flags. Judge: hand in
signed approvals, rejections and requests for changes.
"""


class NotPermitted(BadInput):
    """The token's role does not allow what was asked for."""


def demand(role: TokenRole, action: Action) -> None:
    """Refuse what a role may not.

    Raises:
        NotPermitted: it may not.
    """
    if action in ACTIONS[role]:
        return
    able = " or ".join(f"`{other}`" for other in TokenRole if action in ACTIONS[other])
    raise NotPermitted(f"a token of the role `{role}` may not {action}", f"use a token of the role {able}")


def parse_token_role(text: str) -> TokenRole:
    """A role by its name.

    Raises:
        BadInput: there is none.
    """
    try:
        return TokenRole(text)
    except ValueError:
        known = ", ".join(TokenRole)
        raise BadInput(f"there is no role `{text[:40]}` of tokens", f"use one of: {known}") from None
