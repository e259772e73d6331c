"""Without a checkpoint folder iterative models refuse, where Spark would go on until its stack overflows."""

from __future__ import annotations

from typing import cast

import pytest
from pyspark.sql import SparkSession

from nightreel.errors import ConfigurationError
from nightreel.models.solve.spark_als import require_checkpoints


class Session:
    """As much of a session as is asked for: its configuration."""

    def __init__(self, **properties: str) -> None:
        self.conf = {name.replace("__", "."): value for name, value in properties.items()}


def test_a_session_with_a_checkpoint_folder_is_accepted() -> None:
    require_checkpoints(cast(SparkSession, Session(spark__checkpoint__dir="/tmp/checkpoints")))


def test_a_session_without_one_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"^spark\.checkpoint\.dir: not set; .* every executor reaches"):
        require_checkpoints(cast(SparkSession, Session()))
