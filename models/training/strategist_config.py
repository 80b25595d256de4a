"""How the strategist is trained."""

from dataclasses import dataclass, replace

from models.language.llama import LlamaShape
from models.strategist.strategist import SMOLLM2_SHAPE


@dataclass(frozen=True, slots=True)
class StrategistTrainingConfig:
    """How the strategist's delta is trained; `policy_steps` follow the supervised `steps`.

    Attributes:
        layers: How many of SmolLM2's thirty layers are kept.
        policy_learning_rate: Peak rate of the second stage; `target_weight` is the soft targets' weight there.
        number_steps: Steps of the third stage on numbers alone; `joint_steps` follow beside the language model, on the
            first `joint_situations`, each of which it has to read once.
    """

    situations: int = 24_000
    layers: int = 4
    rank: int = 16
    alpha: int = 32
    steps: int = 500
    batch: int = 32
    learning_rate: float = 1.5e-3
    policy_steps: int = 120
    policy_learning_rate: float = 5e-4
    target_weight: float = 0.1
    number_steps: int = 4000
    number_batch: int = 128
    number_rate: float = 2e-3
    joint_situations: int = 8000
    joint_steps: int = 1500
    seed: int = 17

    @property
    def shape(self) -> LlamaShape:
        """The model's sizes."""
        return replace(SMOLLM2_SHAPE, n_layers=self.layers)
