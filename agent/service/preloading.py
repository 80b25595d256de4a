"""Reading of products before the processes that serve are forked, so that they share the memory."""

import gc

from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.state.cached_encoder import CachedEncoder
from agent.state.catalogue import Catalogue
from agent.state.loading import open_product_index
from agent.state.preloaded import Preloaded
from agent.store.data_folder import DataFolder
from models.encoder.encoder import Vectors
from models.encoder.settings import read_encoder_settings
from models.registry.registry import ModelKind, Registry


class _NoEncoder:
    """Stands for an encoder, whose threads would not live on in a forked process."""

    def __init__(self, version: str, dim: int) -> None:
        self.version = version
        self.dim = dim

    def encode(self, texts: object) -> Vectors:
        raise RuntimeError("nothing is encoded before processes are forked")

    encode_each = encode


def preload(settings: Settings) -> Preloaded:
    """Read the default merchant's products, leaving no thread and no connection behind.

    Raises:
        RegistryError: No encoder is active.
        StoreError: The store cannot be read.
    """
    import openvino  # noqa: F401 - only to be shared: it starts its threads with the first model

    folder = DataFolder(settings.data_dir)
    registry = Registry(folder.models)
    version = registry.active(ModelKind.ENCODER)
    dim = read_encoder_settings(registry.folder(ModelKind.ENCODER, version)).dim
    with open_store(settings) as store:
        marks = store.marks()
        index = open_product_index(folder, version, dim)
        catalogue = Catalogue(store, CachedEncoder(_NoEncoder(version, dim)), index)
    indexed = index.watermark == catalogue.revision and len(index) == len(catalogue)
    gc.collect()
    gc.freeze()  # a collection in a forked process would write to, and so copy, every object
    return Preloaded(folder.root.resolve(), version, catalogue, indexed, marks)
