"""Writers put facts into sentences; each sentence is checked before it is sent."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from agent.explain.facts import FactTable
from agent.explain.narration import Narratable, narratable
from agent.explain.questions import Language
from prompts import Prompt

if TYPE_CHECKING:
    from models.language.narrator import Narrator

_WHOLE: Final = re.compile(r"\s*(.+?(?:[.!?](?=\s)|[。！？]))", re.DOTALL)


Accepts = Callable[[str], bool]


class WriterError(RuntimeError):
    """A writer failed; the deterministic text takes over."""


class Writer(Protocol):
    """Puts facts into words."""

    def write(self, table: FactTable, language: Language, accepts: Accepts) -> Iterator[str] | None:
        """Stream whole sentences with their values; None where the writer does not answer this kind.

        `accepts` says whether a sentence may go out; a writer may write one again that may not.

        Raises:
            WriterError: While sentences are drawn: it cannot go on.
        """
        ...


@dataclass(frozen=True, slots=True)
class NarratorWriter:
    """Writes with the narrator, loaded on first use; `lock` serialises its calls."""

    load: "Callable[[], Narrator]"
    prompt: Prompt
    lock: Lock

    def write(self, table: FactTable, language: Language, accepts: Accepts) -> Iterator[str] | None:
        """Write English; a sentence that fails the check or repeats one is generated again."""
        asked = narratable(table, self.prompt) if language is Language.EN else None
        return None if asked is None else self._sentences(asked, accepts)

    def _sentences(self, asked: Narratable, accepts: Accepts) -> Iterator[str]:
        said: set[str] = set()

        def fits(sentence: str) -> bool:
            return sentence not in said and accepts(asked.fill(sentence))

        with self.lock:
            for sentence in self.load().sentences(asked.prompt, tuple(asked.values), fits):
                said.add(sentence)
                yield asked.fill(sentence)


def whole_sentences(pieces: Iterable[str]) -> Iterator[str]:
    """Split streamed pieces into sentences; the rest at the end counts as one."""
    text = ""
    for piece in pieces:
        text += piece
        while found := _WHOLE.match(text):
            yield found.group(1)
            text = text[found.end() :]
    if text.strip():
        yield text.strip()
