"""Vertical packs, protected attributes and jurisdictions: data files and their strict loaders."""

from agent.packs.attributes import ProtectedAttribute, protected_attributes
from agent.packs.errors import PackError
from agent.packs.jurisdictions import Jurisdiction, discount_only, find_jurisdiction
from agent.packs.pack import Pack, load_pack, pack_names

__all__ = [
    "Jurisdiction",
    "Pack",
    "PackError",
    "ProtectedAttribute",
    "discount_only",
    "find_jurisdiction",
    "load_pack",
    "pack_names",
    "protected_attributes",
]
