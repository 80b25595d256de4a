"""`python -m docs.generator` writes the pages; `make docs` does so before it builds the site."""

import sys

from docs.generator.pages import REFERENCE, pages


def main() -> int:
    """Write the pages that differ and name them."""
    for name, text in pages().items():
        target = REFERENCE / name
        if not target.exists() or target.read_text("utf-8") != text:
            target.write_text(text, "utf-8")
            sys.stdout.write(f"wrote docs/reference/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
