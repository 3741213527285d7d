"""TrackedRun -> MLflow: SQLite in a database of its own, or a server by URL.

With `prompt_history` this is the only importer of mlflow.
mlflow takes seconds to import, so it is imported at the first use. Its HTTP retries follow the environment
(MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT), which cluster/environment.py keeps short.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuroforge.contracts.experiment_desk import TrackedRun
from neuroforge.errors import StorageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ARTIFACTS = "mlflow-artifacts"
"""Directory in the home, where there is no server."""
_MAX_VALUE_CHARS = 6000
"""MLflow's own limit for a parameter."""
_BATCH = 100
"""MLflow takes so many parameters in one call."""
_METRIC_BATCH = 1000
_UNFIT = str.maketrans(dict.fromkeys("|:+(),[]{}<>=*&%$#@!?;'\"\\~^`", "_"))
"""What MLflow does not take in the name of a metric or a parameter."""


class MlflowTracker:
    """Implements ExperimentTracker."""

    def __init__(self, url: str | None, home: Path) -> None:
        """Args: `url` of an MLflow server or database; None = SQLite and a directory in `home`."""
        self._url = url_of(url, home)
        self._artifacts = (home / ARTIFACTS) if url is None else None

    def track(self, run: TrackedRun) -> str:
        """See ExperimentTracker."""
        with translated(self._url, "the run"):
            client = self._client()
            experiment_id = self._experiment(client, run.experiment)
            made = client.create_run(experiment_id, run_name=run.run_name, tags={"mlflow.source.name": "neuroforge"})
            run_id = str(made.info.run_id)
            try:
                self._fill(client, run_id, run)
            except BaseException:
                client.set_terminated(run_id, "FAILED")
                raise
            client.set_terminated(run_id, "FINISHED")
        return f"{self._shown_url()}#/experiments/{experiment_id}/runs/{run_id}"

    def _client(self) -> "MlflowClient":
        from mlflow import MlflowClient

        if self._artifacts is not None:
            self._artifacts.mkdir(parents=True, exist_ok=True, mode=0o700)
        return MlflowClient(tracking_uri=self._url, registry_uri=self._url)

    def _experiment(self, client: "MlflowClient", name: str) -> str:
        known = client.get_experiment_by_name(name)
        if known is not None and known.lifecycle_stage == "active":
            return str(known.experiment_id)
        if known is not None:
            client.restore_experiment(known.experiment_id)
            return str(known.experiment_id)
        place = None if self._artifacts is None else self._artifacts.as_uri()
        return str(client.create_experiment(name, artifact_location=place))

    def _fill(self, client: "MlflowClient", run_id: str, run: TrackedRun) -> None:
        from mlflow.entities import Metric, Param, RunTag

        now_ms = int(time.time() * 1000)
        params = [Param(name_of(key), value[:_MAX_VALUE_CHARS]) for key, value in sorted(run.parameters.items())]
        tags = [RunTag(name_of(key), value) for key, value in sorted(run.tags.items())]
        metrics = [
            Metric(name_of(key), one, now_ms, 0) for key, one in sorted(run.metrics.items()) if math.isfinite(one)
        ]
        for start in range(0, max(len(params), len(tags), 1), _BATCH):
            part = slice(start, start + _BATCH)
            client.log_batch(run_id, params=params[part], tags=tags[part])
        for start in range(0, len(metrics), _METRIC_BATCH):
            client.log_batch(run_id, metrics=metrics[start : start + _METRIC_BATCH])
        for path in run.artifacts:
            client.log_artifact(run_id, path)

    def _shown_url(self) -> str:
        """Without what stands before an @: it may be a password."""
        scheme, separator, rest = self._url.partition("://")
        return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def url_of(url: str | None, home: Path) -> str:
    """Return where MLflow keeps what it is told; None = SQLite in `home`."""
    return url or f"sqlite:///{home / 'mlflow.db'}"


def name_of(text: str) -> str:
    """Return the text as MLflow takes it for the name of a metric, a parameter or a tag."""
    return text.translate(_UNFIT)[:250]


@contextmanager
def translated(url: str, what: str) -> Iterator[None]:
    """MLflow's errors, those of the database below it, and those of the network -> StorageError."""
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    secret, at, where = url.partition("://")[2].rpartition("@")
    kinds: tuple[Any, ...] = (MlflowException, RequestException, SQLAlchemyError, OSError)
    try:
        yield
    except kinds as error:
        text = " ".join(str(error).replace(f"{secret}{at}", "").split())[:300]
        raise StorageError(f"MLflow at {where} did not take {what}: {text}") from error
