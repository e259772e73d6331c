"""What others are told of a job: structured log lines, a hook on refusal and failure, and runs in MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from nightreel.errors import ConfigurationError
from nightreel.progress import log_line
from nightreel.settings.sections import ObserveSettings

_HOOK_SECONDS = 30


def check(settings: ObserveSettings) -> None:
    """Raise ConfigurationError for an MLflow that is configured and not installed."""
    if settings.mlflow and find_spec("mlflow") is None:
        raise ConfigurationError(
            f"observe.mlflow = {settings.mlflow}: mlflow is not installed: pip install mlflow-skinny"
        )


def tell(settings: ObserveSettings, event: str, **fields: Any) -> None:
    """A line in the jobs' log, and with observe.log = "json" also on standard error: one JSON object."""
    line = json.dumps(
        {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}, default=str
    )
    log_line(line)
    if settings.log == "json":
        print(line, file=sys.stderr, flush=True)


def call_hook(settings: ObserveSettings, event: str, **fields: Any) -> None:
    """Tell observe.hook, a command or an address, of a refusal or a failure. What goes wrong here is logged only.

    A command gets the JSON object on its standard input, without a shell; an address gets it as a POST.
    """
    if not settings.hook:
        return
    body = json.dumps({"event": event, **fields}, default=str)
    try:
        if settings.hook[0].startswith(("http://", "https://")):
            request = urllib.request.Request(
                settings.hook[0], data=body.encode(), headers={"Content-Type": "application/json"}, method="POST"
            )
            urllib.request.urlopen(request, timeout=_HOOK_SECONDS).close()
        else:
            subprocess.run(settings.hook, input=body, text=True, timeout=_HOOK_SECONDS, check=True, capture_output=True)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        log_line(f"observe.hook: {error}")


def keep_in_mlflow(settings: ObserveSettings, rows: Sequence[Mapping[str, Any]], *, params: Mapping[str, str]) -> None:
    """Metrics of runs as runs of an MLflow experiment, one a run_id. A server that does not answer is logged only.

    Parameters
    ----------
    rows : as gold_metrics
    params : by run_id, its hyperparameters as JSON
    """
    if not settings.mlflow or not rows:
        return
    try:
        _keep_in_mlflow(settings, rows, params)
    except Exception as error:  # the night's result does not depend on who looks at it
        log_line(f"observe.mlflow = {settings.mlflow}: {error}")


def _keep_in_mlflow(settings: ObserveSettings, rows: Sequence[Mapping[str, Any]], params: Mapping[str, str]) -> None:
    import mlflow

    mlflow.set_tracking_uri(settings.mlflow)
    experiment = mlflow.set_experiment(settings.experiment)
    for run_id in sorted({row["run_id"] for row in rows}):
        of_run = [row for row in rows if row["run_id"] == run_id]
        there = mlflow.search_runs(
            [experiment.experiment_id], filter_string=f"tags.`nightreel.run_id` = '{run_id}'", output_format="list"
        )
        with mlflow.start_run(run_id=there[0].info.run_id if there else None, run_name=None if there else run_id):
            mlflow.set_tags({"nightreel.run_id": run_id, "nightreel.run_date": str(of_run[0]["run_date"])})
            if not there:
                mlflow.log_params({"model": of_run[0]["model"], **_flat(json.loads(params.get(run_id, "{}")))})
            mlflow.log_metrics({_name(row): row["value"] for row in of_run if row["value"] is not None})


def _name(row: Mapping[str, Any]) -> str:
    """MLflow takes no @ in a metric's name."""
    return f"{row['split']}/{row['metric']}".replace("@", "_at_")


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in params.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
