"""Readers share the lock, writers hold it exclusively."""

from threading import Barrier, Event, Thread

from retrieval.locks import ReadWriteLock

PATIENCE_S = 5.0


def test_two_readers_are_inside_at_once() -> None:
    lock, inside = ReadWriteLock(), Barrier(2, timeout=PATIENCE_S)

    def read() -> None:
        with lock.reading():
            inside.wait()  # breaks if the other cannot come in

    readers = [Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE_S)
    assert not inside.broken


def test_a_writer_waits_for_readers_and_keeps_new_ones_out() -> None:
    lock, order = ReadWriteLock(), list[str]()
    release, reading = Event(), Event()

    def first() -> None:
        with lock.reading():
            reading.set()
            release.wait(PATIENCE_S)
            order.append("first reader")

    def write() -> None:
        with lock.writing():
            order.append("writer")

    def second() -> None:
        with lock.reading():
            order.append("second reader")

    threads = [Thread(target=first), Thread(target=write), Thread(target=second)]
    threads[0].start()
    assert reading.wait(PATIENCE_S)
    threads[1].start()
    while not lock._writers_waiting:
        pass
    threads[2].start()
    release.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == ["first reader", "writer", "second reader"]


def test_an_error_releases_the_lock() -> None:
    lock = ReadWriteLock()
    for hold in (lock.reading, lock.writing):
        try:
            with hold():
                raise KeyError
        except KeyError:
            pass
    with lock.writing():
        entered = True
    assert entered
