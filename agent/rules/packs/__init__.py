"""Vertical packs, protected attributes and jurisdictions, as data files with strict loaders."""

from agent.rules.packs.attributes import ProtectedAttribute, may_mention, protected_attributes
from agent.rules.packs.errors import PackError
from agent.rules.packs.jurisdictions import (
    Binding,
    Citation,
    Jurisdiction,
    binding,
    find_jurisdiction,
    jurisdictions,
    law_of,
)
from agent.rules.packs.pack import Pack, load_pack, pack_names
from agent.rules.packs.payable_steps import payable, payable_step

__all__ = [
    "Binding",
    "Citation",
    "Jurisdiction",
    "Pack",
    "PackError",
    "ProtectedAttribute",
    "binding",
    "find_jurisdiction",
    "jurisdictions",
    "law_of",
    "load_pack",
    "may_mention",
    "pack_names",
    "payable",
    "payable_step",
    "protected_attributes",
]
