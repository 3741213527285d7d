"""What is kept: through the running server, or in the database when none runs (docs/decisions/106)."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cluster.cli.shared import Shared
from neuroforge.contracts.keys import AuditEvent
from neuroforge.contracts.outcomes import DataSummary, ExportReport, PurgeReport
from neuroforge.experiments.purge import add_experiments, purge_experiments
from neuroforge.prompts.purge import add_prompt_runs, purge_prompt_runs

if TYPE_CHECKING:
    from neuroforge.settings import Settings
    from neuroforge.storage.outcomes import OutcomeStore

TIMEOUT_S = 600.0


class DataDesk(Protocol):
    """What the commands need; `Client` and `OfflineData` both offer it."""

    def data_summary(self) -> DataSummary:
        """As the client."""
        ...

    def export_data(self, path: str, after_seq: int = 0, for_fit: bool = False) -> ExportReport:
        """As the client."""
        ...

    def purge_data(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        """As the client."""
        ...


@contextmanager
def open_data_desk(options: Shared, is_offline: bool) -> Iterator[DataDesk]:
    """Yield the server's desk when one was named or runs here, else (or when offline is asked for) the database's."""
    is_named = options.url is not None or bool(os.environ.get("NEUROFORGE_URL"))
    if not is_offline and (is_named or options.run_state() is not None):
        with options.client(TIMEOUT_S) as client:
            yield client
        return
    from neuroforge.storage.outcomes import open_outcomes  # SQLAlchemy takes a while to import

    settings = options.settings()
    store = open_outcomes(settings.storage.outcomes_url)
    try:
        yield OfflineData(store, settings)
    finally:
        store.close()


class OfflineData:
    """The database without a server; what is done is written to the audit log as the server would."""

    def __init__(self, store: "OutcomeStore", settings: "Settings") -> None:
        self._store = store
        self._settings = settings
        self._experiments, self._prompts = settings.storage.home / "experiments", settings.storage.home / "prompts"

    def data_summary(self) -> DataSummary:
        """What is kept, and where."""
        router = self._settings.router
        kept = self._store.summary(router.record, router.retention)
        return add_prompt_runs(add_experiments(kept, self._experiments), self._prompts)

    def export_data(self, path: str, after_seq: int = 0, for_fit: bool = False) -> ExportReport:
        """Write outcomes as Parquet."""
        n_rows = self._store.export(Path(path), after_seq, time.time(), for_fit)
        self._note("data.export", path)
        return ExportReport(path=path, n_rows=n_rows)

    def purge_data(self, actor: str | None = None, before_s: float | None = None) -> PurgeReport:
        """Delete; the learner learns anew from the rest when it starts."""
        n_outcomes = self._store.purge(actor, before_s)
        self._note("data.purge", actor)
        report = PurgeReport(n_outcomes=n_outcomes)
        if actor is not None:
            return report
        return purge_prompt_runs(purge_experiments(report, self._experiments, before_s), self._prompts, before_s)

    def _note(self, action: str, target: str | None) -> None:
        from neuroforge.storage.store import open_store

        event = AuditEvent(at_s=time.time(), actor="local", action=action, target=target, status=200)
        store = open_store(self._settings.storage.sql_url, time.time)
        try:
            store.append((event,))
        finally:
            store.close()
