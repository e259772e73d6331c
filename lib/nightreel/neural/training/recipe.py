"""How a network is trained: steps, learning rates, penalties and when to stop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nightreel.settings.sections import PositiveInt, Section

Rate = Annotated[float, Field(gt=0.0)]
Penalty = Annotated[float, Field(ge=0.0)]


class Recipe(Section):
    """What is tuned about training, whatever the network."""

    batch_size: PositiveInt
    """Rows of a step over all ranks."""
    epochs: PositiveInt
    patience: Annotated[int, Field(ge=0)]
    """Stop after so many epochs in a row that did not better the validation loss; 0 never stops early."""
    table_rate: Rate
    """Learning rate of the user and item tables (Adagrad)."""
    table_l2: Penalty
    """Every rating draws its user's and its item's row to zero: table_l2 / 2 * |row|^2 is added to its loss."""
    dense_rate: Rate
    """Learning rate of all other weights (AdamW)."""
    weight_decay: Penalty
    """Decoupled, of all other weights; not of biases."""
    schedule: Literal["constant", "cosine", "plateau"]
    """`cosine`: the rates fall to zero over `epochs`; `plateau`: they halve after each epoch that betters nothing."""
    warmup_steps: Annotated[int, Field(ge=0)]
    """Steps over which the rates rise to their value."""
    loss: Literal["mse", "huber"]
    """Of ratings; the implicit mode has its binary cross-entropy."""
    huber_delta: Rate
    """Errors beyond this, in rating units, count linearly."""
    gradient_clip: Penalty
    """Largest norm of a step's gradient over all weights; 0 does not clip."""
