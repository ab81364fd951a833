"""The roles a key can be registered for."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What a key may act as. None signs for another."""

    ENGINE = "engine"
    OPERATOR = "operator"
    REVIEWER = "reviewer"
    SUPERVISOR = "supervisor"
    MODERATOR = "moderator"
    CRITIC = "critic"
    AUDITOR = "auditor"
    AGENT = "agent"


APPROVING: Final = frozenset(Role) - {Role.ENGINE, Role.AGENT}
"""Roles that can sign an approval. What the engine decides is an entry, and an agent approves nothing."""
