"""A folder's lock has one holder at a time, whatever becomes of it."""

import subprocess
import sys
from pathlib import Path

from agent.store.folder_lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from agent.store.folder_lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print(lock.take(), flush=True)
time.sleep(60)
"""


def test_one_of_two_holds_it_until_it_is_released(tmp_path: Path) -> None:
    one, two = FolderLock(tmp_path / "locks" / "a"), FolderLock(tmp_path / "locks" / "a")
    assert one.take() and one.take() and not two.take()
    one.release()
    assert two.take() and not one.take()


def test_a_holder_that_is_killed_holds_it_no_more(tmp_path: Path) -> None:
    path = tmp_path / "a"
    command = [sys.executable, "-c", HOLDER, str(path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as holder:  # noqa: S603 - ours
        assert holder.stdout is not None and holder.stdout.readline() == "True\n"
        assert not FolderLock(path).take()
        holder.kill()
        holder.wait()
        assert FolderLock(path).take()


def test_a_folder_that_cannot_be_written_to_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert FolderLock(tmp_path / "file" / "lock").take()
