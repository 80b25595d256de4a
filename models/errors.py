"""Errors of the models package."""


class ModelError(RuntimeError):
    """Root of everything that models raise on purpose."""


class BaseWeightsError(ModelError):
    """Base weights or demo data are missing or are not the expected file."""


class RegistryError(ModelError):
    """A model version is missing, truncated, tampered with or does not fit."""


class TrainingDataError(ModelError):
    """The data cannot carry what is to be learned from it; the message says why and what would help."""
