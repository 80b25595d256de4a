"""Publication of prompt versions: `python -m prompts.lock` adds new ones to the lock and refuses changed ones."""

import hashlib
import json
import sys
from pathlib import Path

from prompts.loader import LOCK, PromptError, read_lock


def publish(root: Path) -> list[str]:
    """Add new versions below `root` to its lock; returns those added.

    Raises:
        PromptError: A published version was changed or deleted.
    """
    locked = read_lock(root)
    found = {
        f"{path.parent.name}/{path.stem}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob("*/v*.yaml"))
    }
    broken = sorted(key for key, digest in locked.items() if found.get(key) != digest)
    if broken:
        raise PromptError(
            f"published versions were changed or deleted: {', '.join(broken)}; remedy: restore the files and write new "
            "versions"
        )
    (root / LOCK).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    return sorted(found.keys() - locked.keys())


if __name__ == "__main__":
    try:
        added = publish(Path(__file__).parent)
    except PromptError as error:
        sys.exit(f"prompts.lock: {error}")
    print("\n".join(added) or "no new versions")
