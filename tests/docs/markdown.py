"""Reads Markdown as the tests of documents need it: links, headings, code."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
GENERATED: Final = ("settings.md", "commands.md", "exit-codes.md", "http.md", "import-columns.md", "problems.md")
_FENCE: Final = re.compile(r"^ *```.*?^ *```\n?", re.MULTILINE | re.DOTALL)
_SPAN: Final = re.compile(r"`([^`\n]+)`")
_LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Document:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def prose(self) -> str:
        """The text without fenced code."""
        return _FENCE.sub("", self.text)

    @property
    def spans(self) -> list[str]:
        """Inline code; one that is wrapped over two lines counts too."""
        return [" ".join(found.split()) for found in re.findall(r"`([^`]+)`", self.prose)]

    @property
    def fences(self) -> list[str]:
        """Fenced code without its fences, continued lines joined."""
        blocks = (found.group() for found in _FENCE.finditer(self.text))
        return ["\n".join(block.splitlines()[1:-1]).replace("\\\n", " ") for block in blocks]

    @property
    def links(self) -> list[str]:
        """Targets of links that stand outside code."""
        return _LINK.findall(_SPAN.sub("", self.prose)) + [
            target for text in re.findall(r"\[`[^\]]*\]\([^)\s]+\)", self.prose) for target in _LINK.findall(text)
        ]

    @property
    def anchors(self) -> set[str]:
        """Ids of headings, as the site generator makes them."""
        headings = re.findall(r"^#{1,6} +(.+?) *$", self.prose, re.MULTILINE)
        return {slug(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)) for heading in headings}


def slug(heading: str) -> str:
    """A heading's id."""
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def documents() -> list[Document]:
    """All documents of the repository."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return [Document(path, path.read_text("utf-8")) for path in sorted(paths)]


def written() -> list[Document]:
    """Those written by hand."""
    return [one for one in documents() if one.path.parent.name != "reference" or one.path.name not in GENERATED]
