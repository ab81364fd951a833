"""Contracts: what phases hand to each other, as models, schemas, a strict check and a repair."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.validators.contracts.catalog import CONTRACTS, contract_model, contract_schema
    from phasegate.validators.contracts.check import contract, contract_findings
    from phasegate.validators.contracts.documents import ChangeSet, Plan, ProblemSpec, PRSummary, RiskReport
    from phasegate.validators.contracts.repair import Edit, Proposal, propose_repair

# pydantic costs 100 ms, which a registry that only lists names must not pay.
_HOME_OF = {
    "CONTRACTS": "catalog",
    "ChangeSet": "documents",
    "Edit": "repair",
    "PRSummary": "documents",
    "Plan": "documents",
    "ProblemSpec": "documents",
    "Proposal": "repair",
    "RiskReport": "documents",
    "contract": "check",
    "contract_findings": "check",
    "contract_model": "catalog",
    "contract_schema": "catalog",
    "propose_repair": "repair",
}

__all__ = [
    "CONTRACTS",
    "ChangeSet",
    "Edit",
    "PRSummary",
    "Plan",
    "ProblemSpec",
    "Proposal",
    "RiskReport",
    "contract",
    "contract_findings",
    "contract_model",
    "contract_schema",
    "propose_repair",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
