"""Hyperparameters of the strategist's training."""

from dataclasses import dataclass, replace

from models.language.llama import LlamaShape
from models.strategist.strategist import SMOLLM2_SHAPE


@dataclass(frozen=True, slots=True)
class StrategistTrainingConfig:
    """Hyperparameters of the three stages: `steps` supervised, `policy_steps`, then `number_steps` and `joint_steps`.

    Attributes:
        layers: Number of SmolLM2's thirty layers that are kept.
        policy_learning_rate: Peak rate of the second stage; `target_weight` is the soft targets' weight there.
        number_steps: Steps of the third stage without the language model; `joint_steps` follow with it, on the first
            `joint_situations`, whose language-model logits are computed once.
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
        """Dimensions of the language model."""
        return replace(SMOLLM2_SHAPE, n_layers=self.layers)
