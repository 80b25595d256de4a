"""Errors of the models package."""


class ModelError(RuntimeError):
    """Root of the errors of this package."""


class BaseWeightsError(ModelError):
    """Base weights or demo data are missing, or their SHA-256 differs from the expected one."""


class RegistryError(ModelError):
    """A model version is missing, truncated, altered or incompatible with this code or the other active versions."""


class TrainingDataError(ModelError):
    """The data does not identify the model to be trained; the message names the reason and a remedy."""
