"""Base of response models."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A body of an answer; text below a field describes it in the OpenAPI document."""

    model_config = ConfigDict(use_attribute_docstrings=True)
