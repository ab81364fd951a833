"""Policy packs: rules in Rego, evaluated apart, denying whatever could not be decided."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from phasegate.policies.rego.deciding import PolicyDecision, evaluate
    from phasegate.policies.rego.pack import Pack, PackInvalid, PackNotFound, Rule, load_pack, shipped_packs

_HOMES = {
    "deciding": ("PolicyDecision", "evaluate"),
    "pack": ("Pack", "PackInvalid", "PackNotFound", "Rule", "load_pack", "shipped_packs"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Pack",
    "PackInvalid",
    "PackNotFound",
    "PolicyDecision",
    "Rule",
    "evaluate",
    "load_pack",
    "shipped_packs",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
