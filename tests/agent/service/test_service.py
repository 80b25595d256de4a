"""A running service follows activations: no request fails, and a bad version changes nothing."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from agent.domain.decision import Decision
from agent.domain.request import QuotedProduct, QuoteRequest, Shopper
from agent.service.service import Service
from agent.store.data_folder import DataFolder
from models.errors import RegistryError
from models.registry.registry import META, ModelKind, Registry, read_meta
from tests.prepared import World


def request(world: World) -> QuoteRequest:
    return QuoteRequest.model_validate({"shopper": {"id": world.shopper}, "product": {"id": world.bought}})


@pytest.fixture
def own(world: World, tmp_path: Path) -> Iterator[tuple[World, Service, Registry]]:
    copy = world.copy(tmp_path / "data")
    service = copy.service()
    yield copy, service, Registry(DataFolder(copy.folder).models)
    service.close()


def twin(registry: Registry, kind: ModelKind, version: str) -> None:
    """The active version again, under another name."""
    source = registry.folder(kind, registry.active(kind))

    def write(folder: Path) -> None:
        for path in source.iterdir():
            if path.name != META:
                shutil.copyfile(path, folder / path.name)

    registry.install(read_meta(source).model_copy(update={"version": version}), write)


def quote(service: Service, world: World) -> Decision:
    answer = service.quote([request(world)])[0]
    assert isinstance(answer, Decision)
    return answer


def test_quotes_go_on_while_a_new_evaluator_comes_into_use(own: tuple[World, Service, Registry]) -> None:
    world, service, registry = own
    before = quote(service, world)
    twin(registry, ModelKind.EVALUATOR, "twin")
    stop, failures, versions = Event(), [], set()

    def keep_asking() -> None:
        while not stop.is_set():
            try:
                versions.add(quote(service, world).versions.evaluator)
            except Exception as error:  # any failure at all is what this test is about
                failures.append(error)

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(keep_asking) for _ in range(2)]
        try:
            registry.activate(ModelKind.EVALUATOR, "twin")
            found = service.reload()
            after = quote(service, world)
        finally:
            stop.set()
        for one in asking:
            one.result()
    assert not failures
    assert found is not None
    assert found[ModelKind.EVALUATOR] == "twin"
    assert after.versions.evaluator == "evaluator/twin"
    assert before.versions.evaluator in versions
    assert service.reload() is None


def test_a_truncated_version_is_refused_and_the_old_one_goes_on(own: tuple[World, Service, Registry]) -> None:
    world, service, registry = own
    before = quote(service, world)
    twin(registry, ModelKind.STRATEGIST, "broken")
    registry.activate(ModelKind.STRATEGIST, "broken")
    weights = next(registry.folder(ModelKind.STRATEGIST, "broken").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(RegistryError, match="truncated or tampered"):
        service.reload()
    assert service.reload() is None  # not tried again until something else is activated
    assert quote(service, world).versions.strategist == before.versions.strategist
    registry.rollback(ModelKind.STRATEGIST)
    assert service.reload() is None  # back where it was
    twin(registry, ModelKind.STRATEGIST, "sound")
    registry.activate(ModelKind.STRATEGIST, "sound")
    service.reload()
    assert quote(service, world).versions.strategist == "strategist/sound"


def test_versions_that_were_not_trained_with_one_another_are_refused(own: tuple[World, Service, Registry]) -> None:
    world, service, registry = own
    before = quote(service, world)
    twin(registry, ModelKind.ENCODER, "other")
    registry.activate(ModelKind.ENCODER, "other")
    with pytest.raises(RegistryError, match="was trained with encoder"):
        service.reload()
    assert quote(service, world).versions.encoder == before.versions.encoder


def test_each_of_several_workers_remembers_its_share_of_the_shoppers(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.service.assembly.CAPACITY", 4)
    copy = world.copy(tmp_path / "data")
    for workers, remembered in ((1, 4), (2, 2)):
        with closing(copy.service(workers=workers)) as service:
            for shopper in list(service._parts.store.shopper_ids())[:5]:
                service.quote([QuoteRequest(shopper=Shopper(id=shopper), product=QuotedProduct(id=copy.bought))])
            assert len(service._parts.shoppers._known) == remembered
