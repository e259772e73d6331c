"""The loss on rows that are not trained on."""

from __future__ import annotations

import torch

from nightreel.errors import DataError
from nightreel.neural.feed.batch import Feed
from nightreel.neural.training.objective import Objective
from nightreel.neural.training.process_group import Process


def validation_loss(measure: Objective, feed: Feed, process: Process) -> float:
    """Mean of the measure's losses over all rows of all ranks, in float64; any number of ranks gives the same figure.

    Leaves the network in training mode. To be called on every rank.

    Raises
    ------
    DataError : no row has a loss, as no rating of an implicit validation is high enough
    """
    total = torch.zeros((), dtype=torch.float64, device=process.device)
    count = 0
    measure.eval()
    with torch.inference_mode():
        for batch in feed.epoch(0):
            losses = measure(batch.users, batch.items, batch.ratings)
            total += losses.sum(dtype=torch.float64)
            count += len(losses)
    measure.train()
    loss, entries = process.total(total, count)
    if not entries:
        raise DataError("no validation row is a positive; lower the network's min_rating or validate on more rows")
    return loss / entries
