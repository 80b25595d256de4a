"""Products read once, before processes are forked that share the memory.

Nothing here is personal: an erasure need not reach the process that read it, which serves nobody.
"""

from dataclasses import dataclass
from pathlib import Path

from agent.state.catalogue import Catalogue
from agent.store.changes import Marks


@dataclass(frozen=True, slots=True)
class Preloaded:
    """Products of one merchant, with weekly facts and index, as they were at some moment.

    Attributes:
        folder: The merchant's data folder.
        encoder: Version of the encoder whose states the index holds.
        catalogue: Products; its store is closed and it has no encoder, so that it is only good to be shared.
        indexed: Whether the index holds all of them; looking would copy the memory.
        marks: Of the store before it was read; what came later is followed.
    """

    folder: Path
    encoder: str
    catalogue: Catalogue
    indexed: bool
    marks: Marks
