"""What a network knows of the data it is for."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from nightreel.settings.sections import PositiveInt, Section


class Domain(Section):
    """Users 0 .. users - 1, items 0 .. items - 1, and the ratings between them."""

    users: PositiveInt
    items: PositiveInt
    lowest: float
    """The rating scale; predictions are clipped to it when they are used, never while training."""
    highest: float
    mean: float
    """Mean training rating: where a network's output starts from."""

    @model_validator(mode="after")
    def ordered(self) -> Self:
        if self.lowest >= self.highest:
            raise ValueError("lowest must be below highest")
        if not self.lowest <= self.mean <= self.highest:
            raise ValueError("mean must lie between lowest and highest")
        return self
