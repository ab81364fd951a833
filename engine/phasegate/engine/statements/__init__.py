"""Signed statements about a task: in-toto Statement v1 in DSSE envelopes, with predicate types of ours.

Pure but for `schema_store`: no files, no clock, no randomness; the signer is passed in. Names are imported
when they are first asked for, so that importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.engine.statements.approval import Approval, Decision
    from phasegate.engine.statements.catalogue import PREDICATES, parse_statement
    from phasegate.engine.statements.dsse import Verified, sign, verify, verify_signed
    from phasegate.engine.statements.errors import Fault, KeyFault, KeyRefused, StatementError
    from phasegate.engine.statements.head import LedgerHead
    from phasegate.engine.statements.note_keys import SigningKey, VerifyKey
    from phasegate.engine.statements.ports import Signer, Verifier
    from phasegate.engine.statements.predicate import ChainRef, Predicate, Subject
    from phasegate.engine.statements.roles import Role
    from phasegate.engine.statements.statement import Statement
    from phasegate.engine.statements.transition import EvidenceItem, Gate, ProcessRef, Transition
    from phasegate.engine.statements.witness import GitState, Outputs, Resources, Witness

__all__ = [
    "PREDICATES",
    "Approval",
    "ChainRef",
    "Decision",
    "EvidenceItem",
    "Fault",
    "Gate",
    "GitState",
    "KeyFault",
    "KeyRefused",
    "LedgerHead",
    "Outputs",
    "Predicate",
    "ProcessRef",
    "Resources",
    "Role",
    "Signer",
    "SigningKey",
    "Statement",
    "StatementError",
    "Subject",
    "Transition",
    "Verified",
    "Verifier",
    "VerifyKey",
    "Witness",
    "parse_statement",
    "sign",
    "verify",
    "verify_signed",
]

_HOMES = {
    "approval": ("Approval", "Decision"),
    "catalogue": ("PREDICATES", "parse_statement"),
    "dsse": ("Verified", "sign", "verify", "verify_signed"),
    "errors": ("Fault", "KeyFault", "KeyRefused", "StatementError"),
    "head": ("LedgerHead",),
    "note_keys": ("SigningKey", "VerifyKey"),
    "ports": ("Signer", "Verifier"),
    "predicate": ("ChainRef", "Predicate", "Subject"),
    "roles": ("Role",),
    "statement": ("Statement",),
    "transition": ("EvidenceItem", "Gate", "ProcessRef", "Transition"),
    "witness": ("GitState", "Outputs", "Resources", "Witness"),
}


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
