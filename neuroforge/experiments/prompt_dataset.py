"""File, registry name or rows in code -> PromptDataset: questions, and the ways to put them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource, Form, PromptTemplate
from neuroforge.contracts.scores import ScorerName
from neuroforge.datasets.items_file import digest_of, dump_items
from neuroforge.datasets.mapping import FieldTemplate, RowMapping
from neuroforge.datasets.pipeline import Dataset, read_questions, unknown_dataset
from neuroforge.datasets.read import SUFFIXES, NumberedRow, read_rows
from neuroforge.datasets.registry import REGISTRY
from neuroforge.datasets.sample import sample_stratified
from neuroforge.datasets.split import select_split
from neuroforge.datasets.template import check_templates, names_in
from neuroforge.errors import DataError
from neuroforge.settings_errors import explain

Templates = str | PromptTemplate | Sequence[str | PromptTemplate] | Mapping[str, str]
"""One or several; texts are named p1, p2, ... or by the mapping's keys."""


@dataclass(frozen=True)
class PromptDataset:
    """Questions and prompt templates. A registry dataset is only named: the server reads it."""

    source: DatasetSource
    items: tuple[DatasetItem, ...] = ()
    """Empty for a registry dataset; else what is uploaded, under the digest that `source.uploaded` holds."""
    templates: tuple[PromptTemplate, ...] = (PromptTemplate(),)
    problems: tuple[str, ...] = ()
    """Rows that were left out, with line and column."""

    @property
    def content(self) -> bytes | None:
        """What to upload; None for a registry dataset."""
        return dump_items(self.items) if self.items else None


def load_prompt_dataset(
    source: str | Path | Iterable[Mapping[str, Any] | DatasetItem],
    *,
    templates: Templates | None = None,
    fields: Mapping[str, FieldTemplate] | None = None,
    n: int | None = None,
    split: str | None = None,
    seed: int | None = None,
    scorer: ScorerName | None = None,
    name: str | None = None,
    form: Form = "plain",
    skip_bad_rows: bool = False,
) -> PromptDataset:
    """Return the questions of a file (JSONL, CSV, Parquet), of a registry dataset by name, or of rows made in code.

    Args:
        templates: Jinja2 over the row's columns and `query`; each is a prompt of the experiment. None = as it stands.
        fields: Our columns (docs/DATASETS.md) by templates over the user's; None = the row has ours.
        n: How many, drawn in proportion to each kind of task; None = all.
        split: The one to take; needed where there are several.
        seed: Of the drawing; None = the experiment's for a registry dataset, else 0.
        scorer: For rows that neither name nor imply one.
        name: What to call the dataset; None = the file's name.
        form: Of a registry dataset: `published` asks as its publication does (docs/DATASETS.md).
        skip_bad_rows: Leave unusable rows out and list them, instead of refusing all.
    Raises:
        DataError: Unknown name (with the nearest); unusable rows (line and column); no row left; a template that is
            none, or names a variable that some row does not have.
    """
    prompts = as_templates(templates)
    if isinstance(source, str) and source in REGISTRY:
        if fields or scorer or name:
            raise DataError(f"{source}: a registry dataset has its own columns, scorers and name")
        return PromptDataset(DatasetSource(name=source, n=n, split=split, seed=seed, form=form), (), prompts)
    if form == "published":
        raise DataError(
            f"{source if isinstance(source, str) else 'rows'}: only registry datasets have a published form"
        )
    called = name or (Path(source).name if isinstance(source, str | Path) else "items")
    named = frozenset().union(*(names_in(text) for one in prompts for text in (one.template, one.system or "")))
    whole, rows = _apart(source)
    if rows is None:
        read = Dataset(called, whole)
    else:
        read = read_questions(called, rows, RowMapping(fields or {}, named), scorer, is_strict=not skip_bad_rows)
    items = select_split(read.items, split, called)
    if n is not None:
        items = sample_stratified(items, n, seed or 0)
    check_templates(prompts, items)
    uploaded = DatasetSource(name=called, uploaded=digest_of(dump_items(items)))
    return PromptDataset(uploaded, items, prompts, tuple(map(str, read.problems)))


def as_templates(templates: Templates | None) -> tuple[PromptTemplate, ...]:
    """Return prompt templates, however they are given.

    Raises:
        DataError: None at all, an empty one, or a name that cannot be one.
    """
    if templates is None:
        return (PromptTemplate(),)
    if isinstance(templates, str | PromptTemplate):
        templates = [templates]
    named = (
        list(templates.items())
        if isinstance(templates, Mapping)
        else [(f"p{number}", one) for number, one in enumerate(templates, start=1)]
    )
    if not named:
        raise DataError("templates: give at least one, or None for the question as it stands")
    try:
        return tuple(
            one if isinstance(one, PromptTemplate) else PromptTemplate(name=name, template=one) for name, one in named
        )
    except ValidationError as error:
        raise DataError(f"templates: {explain(error.errors()[0], PromptTemplate)}") from error


def _apart(
    source: str | Path | Iterable[Mapping[str, Any] | DatasetItem],
) -> tuple[tuple[DatasetItem, ...], Iterator[NumberedRow] | None]:
    """Items that are ready, or else numbered rows."""
    if isinstance(source, str | Path):
        path = Path(source).expanduser()
        if not path.name.lower().endswith(SUFFIXES) and not path.exists():
            raise unknown_dataset(str(source))
        return (), read_rows(path)
    made = list(source)
    ready = tuple(one for one in made if isinstance(one, DatasetItem))
    if ready and len(ready) == len(made):
        return ready, None
    return (), ((number, _row(one)) for number, one in enumerate(made, start=1))


def _row(one: Any) -> dict[str, Any] | str:
    return dict(one) if isinstance(one, Mapping) else f"a mapping of columns is wanted, not {type(one).__name__}"
