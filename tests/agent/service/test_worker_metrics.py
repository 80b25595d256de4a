"""Metrics of several processes are told by whichever is asked."""

from pathlib import Path

from agent.service.metrics import Metrics
from agent.service.worker_metrics import WorkerMetrics


def answered(times: int) -> bytes:
    metrics = Metrics()
    for _ in range(times):
        metrics.answered("GET", "/livez", 200, 0.01)
    return metrics.exposition()


def count(worker: int, text: bytes) -> float | None:
    name = f'pricesmith_requests_total{{method="GET",route="/livez",status="200",worker="{worker}"}} '
    found = [line.removeprefix(name) for line in text.decode().splitlines() if line.startswith(name)]
    return float(found[0]) if found else None


def test_one_answer_has_the_metrics_of_all(tmp_path: Path) -> None:
    one, two = WorkerMetrics(tmp_path), WorkerMetrics(tmp_path)
    one.publish(answered(2))
    two.publish(answered(3))
    merged = one.merged(answered(4))
    assert (count(1, merged), count(2, merged)) == (4, 3)
    assert merged.decode().count("# TYPE pricesmith_requests_total counter") == 1
    assert count(1, two.merged(answered(5))) == 4


def test_a_process_that_ended_is_left_out_and_its_number_given_again(tmp_path: Path) -> None:
    one, two = WorkerMetrics(tmp_path), WorkerMetrics(tmp_path)
    one.publish(answered(2))
    two.publish(answered(3))
    one.close()
    assert count(1, two.merged(answered(3))) is None
    three = WorkerMetrics(tmp_path)
    assert count(1, three.merged(answered(1))) == 1


def test_metrics_that_a_killed_process_left_behind_are_not_told(tmp_path: Path) -> None:
    (tmp_path / "7.prom").write_bytes(answered(9))
    assert count(7, WorkerMetrics(tmp_path).merged(answered(1))) is None
    assert not (tmp_path / "7.prom").exists()
