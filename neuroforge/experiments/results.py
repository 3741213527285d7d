"""What experiments left in their directories, for whoever asks over HTTP. Blocks; one shelf, any number of threads."""

from neuroforge.contracts.analysis import Analysis, ExperimentComparison
from neuroforge.contracts.experiment_desk import FileSize, LabelReceipt, LabelSheet, LabelTask, ResultFile
from neuroforge.experiments import labels
from neuroforge.experiments.compare_runs import compare_runs
from neuroforge.experiments.shelf import Shelf


class ExperimentReader:
    """ExperimentReports, without the waiting."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def analysis(self, experiment_id: str) -> Analysis:
        """See ExperimentReports."""
        return self._shelf.analysis(experiment_id)

    def find_file(self, experiment_id: str, name: ResultFile) -> FileSize:
        """See ExperimentReports."""
        return FileSize(n_bytes=self._shelf.file(experiment_id, name).stat().st_size)

    def read_file(self, experiment_id: str, name: ResultFile, offset: int, n_bytes: int) -> bytes:
        """See ExperimentReports."""
        with self._shelf.file(experiment_id, name).open("rb") as file:
            file.seek(offset)
            return file.read(n_bytes)

    def compare(self, a: str, b: str) -> ExperimentComparison:
        """See ExperimentReports."""
        directories = [self._shelf.file(one, "cells.parquet").parent for one in (a, b)]
        return compare_runs(*directories)

    def export_labels(self, experiment_id: str, limit: int) -> tuple[LabelTask, ...]:
        """See ExperimentReports."""
        return labels.export_labels(self._shelf.file(experiment_id, "cells.parquet").parent, limit)

    def import_labels(self, experiment_id: str, sheet: LabelSheet) -> LabelReceipt:
        """See ExperimentReports."""
        return labels.import_labels(self._shelf.file(experiment_id, "cells.parquet").parent, sheet)
