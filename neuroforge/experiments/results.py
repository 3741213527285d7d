"""What experiments left in their directories, for whoever asks over HTTP. Blocks; one shelf, any number of threads."""

from pathlib import Path

from neuroforge.contracts.analysis import Analysis
from neuroforge.contracts.experiment_desk import LabelReceipt, LabelSheet, LabelTask
from neuroforge.experiments.shelf import Shelf


class ExperimentReader:
    """ExperimentReports, without the waiting and the comparisons."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def analysis(self, experiment_id: str) -> Analysis:
        """See ExperimentReports."""
        return self._shelf.analysis(experiment_id)

    def runs(self, *experiment_ids: str) -> list[Path]:
        """Return the directories of experiments that have cells. Raises as ExperimentReports."""
        return [self._shelf.file(one, "cells.parquet").parent for one in experiment_ids]

    def export_labels(self, experiment_id: str, limit: int) -> tuple[LabelTask, ...]:
        """See ExperimentReports."""
        from neuroforge.experiments.labels import export_labels  # Parquet is only for who grades

        return export_labels(self.runs(experiment_id)[0], limit)

    def import_labels(self, experiment_id: str, sheet: LabelSheet) -> LabelReceipt:
        """See ExperimentReports."""
        from neuroforge.experiments.labels import import_labels

        return import_labels(self.runs(experiment_id)[0], sheet)
