"""Vertical packs, protected attributes and jurisdictions, as data files with strict loaders."""

from agent.rules.packs.attributes import ProtectedAttribute, attributes_named, may_mention, protected_attributes
from agent.rules.packs.errors import PackError
from agent.rules.packs.jurisdictions import Binding, Citation, Jurisdiction
from agent.rules.packs.law_in_force import (
    binding,
    find_jurisdiction,
    jurisdictions,
    law_at,
    law_of,
    law_versions,
    legal_day,
    taking_effect,
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
    "attributes_named",
    "binding",
    "find_jurisdiction",
    "jurisdictions",
    "law_at",
    "law_of",
    "law_versions",
    "legal_day",
    "load_pack",
    "may_mention",
    "pack_names",
    "payable",
    "payable_step",
    "protected_attributes",
    "taking_effect",
]
