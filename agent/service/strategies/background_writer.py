"""Writer beside quotes: one thread that hands unknown situations to a process of low priority.

The process starts with the first unknown situation and ends when nothing was unknown for a while. After a failure it is
started again, each time after a longer wait. Servers that share a machine take turns, so that one such process runs.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Event, Thread, current_thread
from time import monotonic
from typing import Final

from agent.service.strategies.messages import Start
from agent.service.strategies.process import COMMAND, WriterEnded, WriterProcess
from agent.state.known_strategies import KnownStrategies
from agent.store.folder_lock import FolderLock
from models.strategist.facts import StrategistFacts
from models.strategist.proposals import from_rows

_CHUNK: Final = 16
_TURN_POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """Limits of the writer.

    Attributes:
        waiting: Situations that may wait; the oldest are dropped.
        retry_s, longest_retry_s: Wait before the process is started again, doubled with each failure.
        idle_s: Time without an unknown situation after which the process ends.
        turn_s, turn_idle_s: The same where turns are taken: the longest turn, and time without an unknown situation.
    """

    waiting: int = 2_000
    retry_s: float = 1.0
    longest_retry_s: float = 300.0
    idle_s: float = 600.0
    turn_s: float = 60.0
    turn_idle_s: float = 20.0


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One situation, and the memory that wants its strategies."""

    memory: KnownStrategies
    situation: str
    facts: StrategistFacts

    @property
    def key(self) -> tuple[int, str]:
        """Key by which it waits once."""
        return id(self.memory), self.situation


class BackgroundWriter:
    """Writes strategies of one strategist for all memories of this process that ask. Thread-safe."""

    at_once = False

    def __init__(
        self,
        start: Start,
        limits: WriterLimits | None = None,
        command: Sequence[str] = COMMAND,
        turn: FolderLock | None = None,
    ) -> None:
        """Start nothing yet; `start` names strategist and prompt, `turn` is held while a process is at work."""
        self._start = start
        self._limits = limits or WriterLimits()
        self._turn = turn
        self._idle_s = self._limits.idle_s if turn is None else self._limits.turn_idle_s
        self._turn_ends_s = float("inf")
        self._command = command
        self._changed = Condition()
        self._waiting: OrderedDict[tuple[int, str], _Asked] = OrderedDict()
        self._writing: dict[tuple[int, str], _Asked] = {}
        self._served: set[int] = set()
        self._thread: Thread | None = None
        self._stop = Event()
        self.trouble: str | None = None
        """Reason why nothing was written at last; quotes go on with known strategies and the numeric search."""
        self.process_id: int | None = None
        """Of the process at work; None where there is none."""

    def ask(self, memory: KnownStrategies, situations: Mapping[str, StrategistFacts]) -> None:
        """Have strategies of situations written, the newest first."""
        with self._changed:
            self._served.add(id(memory))
            for situation, facts in situations.items():
                asked = _Asked(memory, situation, facts)
                if asked.key not in self._writing:
                    self._waiting[asked.key] = asked
                    self._waiting.move_to_end(asked.key)
            while len(self._waiting) > self._limits.waiting:
                self._waiting.popitem(last=False)
            if self._thread is None:
                self._stop = Event()
                self._thread = Thread(target=self._run, args=(self._stop,), name="strategies", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits; False when it took too long or the last try failed."""
        with self._changed:
            done = self._changed.wait_for(lambda: not self._waiting and not self._writing, timeout_s)
        return done and self.trouble is None

    def leave(self, memory: KnownStrategies) -> None:
        """Write no more for a memory; the last one ends thread and process."""
        with self._changed:
            self._served.discard(id(memory))
            for key in [key for key in self._waiting if key[0] == id(memory)]:
                del self._waiting[key]
            thread = self._thread
            if self._served or thread is None:
                return
            self._thread = None
            self._stop.set()
            self._changed.notify_all()
        if thread is not current_thread():
            thread.join()

    def _run(self, stop: Event) -> None:
        retry_s = self._limits.retry_s
        process: WriterProcess | None = None
        try:
            while not stop.is_set():
                with self._taken(stop, idle=process is None) as some:
                    try:
                        if some:
                            process = process or self._started(stop)
                            self._write(process, some, stop)
                            retry_s = self._limits.retry_s
                            if monotonic() < self._turn_ends_s:
                                continue
                    except Exception as error:  # the thread must outlive any failure
                        why = error if isinstance(error, WriterEnded) else type(error).__name__
                        self.trouble = f"writing of strategies failed: {why}; quotes come from a lower rung"
                self._end(process)  # it failed, nothing was asked for long, or its turn is over
                process = None
                if some and not stop.wait(retry_s):
                    retry_s = min(2 * retry_s, self._limits.longest_retry_s)
        finally:
            self._end(process)

    def _started(self, stop: Event) -> WriterProcess:
        """Start the process, once it is this server's turn.

        Raises:
            WriterEnded: The writer was stopped meanwhile, or the process cannot be started.
        """
        if self._turn is not None:
            while not self._turn.take():
                if stop.wait(_TURN_POLL_S):
                    raise WriterEnded("the server stops")
            self._turn_ends_s = monotonic() + self._limits.turn_s
        process = WriterProcess(self._start, self._command)
        self.process_id = process.pid
        return process

    def _end(self, process: WriterProcess | None) -> None:
        """End the process, if there is one, and this server's turn."""
        if process is not None:
            process.close()
            self.process_id = None
        if self._turn is not None:
            self._turn.release()

    @contextmanager
    def _taken(self, stop: Event, *, idle: bool) -> Iterator[list[_Asked]]:
        """Situations to write next, newest first; none after a long wait, or when the writer stops."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or stop.is_set(), None if idle else self._idle_s)
            some = [] if stop.is_set() else [self._waiting.popitem()[1] for _ in range(min(_CHUNK, len(self._waiting)))]
            self._writing = {asked.key: asked for asked in some}
        try:
            yield some
        finally:
            with self._changed:
                self._writing = {}
                self._changed.notify_all()

    def _write(self, process: WriterProcess, some: Sequence[_Asked], stop: Event) -> None:
        """Have strategies written and add them to the memories that asked; others may have written them meanwhile.

        Raises:
            WriterEnded: The process ended, could not write, or answered with something else.
        """
        if self._turn is not None:
            some = [asked for asked in some if asked.memory.find([asked.situation]) == [None]]
            if not some:
                return
        answer = process.write([asked.facts for asked in some], stop)
        if answer is None:
            return
        if answer.trouble is not None or len(answer.written) != len(some):
            raise WriterEnded(answer.trouble or "its answer is malformed")
        try:
            written = [from_rows(rows) for rows in answer.written]
        except ValueError as error:
            raise WriterEnded("its answer is malformed") from error
        for memory in {id(asked.memory): asked.memory for asked in some}.values():
            memory.add(
                {asked.situation: items for asked, items in zip(some, written, strict=True) if asked.memory is memory}
            )
        self.trouble = None
