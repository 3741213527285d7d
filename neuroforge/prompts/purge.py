"""What optimisations keep of texts, and how it goes (docs/decisions/157)."""

from collections.abc import Iterator
from pathlib import Path

from neuroforge.assets.disk import used_bytes
from neuroforge.contracts.outcomes import DataSummary, PurgeReport
from neuroforge.prompts.results import RESULTS
from neuroforge.runs.purge import purge_texts, texts_of
from neuroforge.runs.shelf import PROGRESS_FILE, STATUS_FILE
from neuroforge.storage.append_log import lock_of


def add_prompt_runs(summary: DataSummary, root: Path) -> DataSummary:
    """Return the summary with what optimisations keep.

    Args:
        root: The directory of all of them; need not exist.
    """
    with_texts = [one for one in _directories(root) if texts_of(one, _kept(one))]
    return DataSummary(
        **{
            **dict(summary),
            "n_prompt_runs": len(with_texts),
            "bytes_on_disk": summary.bytes_on_disk + (used_bytes(root) if root.is_dir() else 0),
            "places": (*summary.places, *(str(one) for one in with_texts)),
        }
    )


def purge_prompt_runs(report: PurgeReport, root: Path, before_s: float | None) -> PurgeReport:
    """Delete all texts of optimisations; return the report with how many went.

    Replies, prompts that were tried (they show examples), result and report go; what was asked for and how far it came
    stay. One that runs is left alone.

    Args:
        before_s: Unix time; None = all, else only what was last written before.
    """
    n_prompt_runs = sum(purge_texts(one, _kept(one), lock_of(one / RESULTS), before_s) for one in _directories(root))
    return PurgeReport(**{**dict(report), "n_prompt_runs": n_prompt_runs})


def _directories(root: Path) -> Iterator[Path]:
    return (one for one in sorted(root.glob("*/")) if one.is_dir())


def _kept(directory: Path) -> frozenset[str]:
    return frozenset({STATUS_FILE, PROGRESS_FILE, Path(lock_of(directory / RESULTS).lock_file).name})
