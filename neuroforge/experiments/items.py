"""ExperimentConfig -> the items that it asks, read, filtered and drawn."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig
from neuroforge.contracts.scores import ScorerName
from neuroforge.datasets.items_file import digest_of, dump_items, parse_items
from neuroforge.datasets.pipeline import Assets, Dataset, as_published, load_dataset
from neuroforge.datasets.sample import sample_stratified
from neuroforge.datasets.split import select_split
from neuroforge.errors import DataError, HashMismatch
from neuroforge.storage.files import write_whole

LEFT_OUT = "left_out.txt"
"""In the experiment's directory: rows that gave no item, one a line."""


class Uploads(Protocol):
    """Items that users sent."""

    def read(self, digest: str) -> bytes:
        """What was sent under that SHA-256. Raises NotFound: nothing was."""
        ...


@dataclass(frozen=True)
class LoadedItems:
    """All items of an experiment, dataset after dataset."""

    items: tuple[DatasetItem, ...]
    problems: tuple[str, ...]
    """Rows that were left out, which `skip_bad_rows` allowed or a registry dataset has."""
    digests: dict[str, str]
    """By dataset: SHA-256 of the items that are asked, as `dump_items` writes them."""


def load_items(config: ExperimentConfig, assets: Assets, uploads: Uploads) -> LoadedItems:
    """Return what the experiment asks; the same items in the same order for the same config.

    Raises:
        DataError: As `load_dataset`; no item after split and sampling; a dataset or an item id that stands twice; an
            item that the config's scorer cannot score.
        NotFound: Items that were never uploaded.
        HashMismatch: Uploaded items are not what was sent.
    """
    names = Counter(source.name for source in config.datasets)
    if double := next((name for name, n in names.items() if n > 1), None):
        raise DataError(f"dataset {double!r} stands twice; results could not be told apart")
    items: list[DatasetItem] = []
    problems: list[str] = []
    digests: dict[str, str] = {}
    for source in config.datasets:
        read = _read(source, config, assets, uploads)
        chosen = select_split(read.items, source.split, source.name)
        if source.n is not None:
            seed = config.seed if source.seed is None else source.seed
            chosen = sample_stratified(chosen, source.n, seed)
        if not chosen:
            raise DataError(f"{source.name}: no item is left")
        chosen = tuple(_named(item, source.name, config.scorer) for item in chosen)
        items.extend(chosen)
        problems.extend(f"{source.name}: {one}" for one in read.problems)
        digests[source.name] = digest_of(dump_items(chosen))
    return LoadedItems(tuple(items), tuple(problems), digests)


def write_left_out(problems: Sequence[str], directory: Path) -> None:
    """Keep which rows were left out, for the report."""
    if problems:
        write_whole(directory / LEFT_OUT, "".join(f"{' '.join(one.split())}\n" for one in problems).encode())


def read_left_out(directory: Path) -> tuple[str, ...]:
    """Return what `write_left_out` kept; empty where no row was left out."""
    path = directory / LEFT_OUT
    return tuple(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()


def _read(source: DatasetSource, config: ExperimentConfig, assets: Assets, uploads: Uploads) -> Dataset:
    if source.uploaded is None:
        read = load_dataset(source.name, assets, is_strict=not config.skip_bad_rows)
        return as_published(read) if source.form == "published" else read
    content = uploads.read(source.uploaded)
    if (actual := digest_of(content)) != source.uploaded:
        raise HashMismatch(
            f"{source.name}: the uploaded items are damaged; send them again", expected=source.uploaded, actual=actual
        )
    return Dataset(source.name, parse_items(content, source.name))


def _named(item: DatasetItem, dataset: str, scorer: ScorerName | None) -> DatasetItem:
    """With the name that the config gives its dataset, and the config's scorer."""
    changes = {"dataset": dataset} | ({"scorer": scorer} if scorer is not None else {})
    if all(getattr(item, name) == value for name, value in changes.items()):
        return item
    try:
        return DatasetItem.model_validate({**item.model_dump(), **changes})
    except ValidationError as error:
        what = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise DataError(f"{dataset}, item {item.id!r}: {what}") from error
