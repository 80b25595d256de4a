"""The lock file detects changes of published prompts."""

from pathlib import Path

import pytest

import prompts
from prompts import PromptError
from prompts.loader import read_lock
from prompts.lock import publish

ROOT = Path(prompts.__file__).parent
TEXT = """\
name: greeter
version: 1
variables: {name: {description: who is greeted}}
system: ""
user: hello {name}
output: words
notes: none
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Folder with one unpublished prompt."""
    (tmp_path / "greeter").mkdir()
    (tmp_path / "greeter" / "v001.yaml").write_text(TEXT)
    return tmp_path


def test_every_prompt_in_the_repository_matches_the_lock(tmp_path: Path) -> None:
    lock = read_lock(ROOT)
    published = {f"{path.parent.name}/{path.stem}" for path in ROOT.glob("*/v*.yaml")}
    assert lock.keys() == published
    for path in ROOT.glob("*/v*.yaml"):
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        (tmp_path / path.parent.name / path.name).write_bytes(path.read_bytes())
    publish(tmp_path)
    assert read_lock(tmp_path) == lock


def test_publishing_returns_only_new_versions(root: Path) -> None:
    assert publish(root) == ["greeter/v001"]
    assert publish(root) == []
    (root / "greeter" / "v002.yaml").write_text(TEXT.replace("version: 1", "version: 2"))
    assert publish(root) == ["greeter/v002"]


@pytest.mark.parametrize("change", ["edit", "delete"])
def test_a_published_version_that_changed_is_refused_and_the_lock_stays(root: Path, change: str) -> None:
    publish(root)
    before = (root / "lock.json").read_bytes()
    path = root / "greeter" / "v001.yaml"
    path.unlink() if change == "delete" else path.write_text(TEXT.replace("hello", "hallo"))
    with pytest.raises(PromptError, match="greeter/v001"):
        publish(root)
    assert (root / "lock.json").read_bytes() == before
