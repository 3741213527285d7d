import json
from pathlib import Path
from typing import Any

import pytest

from neuroforge.contracts.datasets import DatasetItem
from neuroforge.contracts.experiments import DatasetSource, ExperimentConfig
from neuroforge.datasets.items_file import digest_of, dump_items
from neuroforge.errors import DataError, HashMismatch, NotFound
from neuroforge.experiments.items import LoadedItems, load_items, read_left_out, write_left_out
from tests.unit.datasets.fakes import FakeAssets, item


class FakeUploads:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.by_digest: dict[str, bytes] = {}

    def add(self, *items: DatasetItem) -> str:
        content = dump_items(items)
        self.by_digest[digest_of(content)] = content
        return digest_of(content)

    def read(self, digest: str) -> bytes:
        if digest not in self.by_digest:
            raise NotFound(f"no items {digest}")
        return self.by_digest[digest]


def load(uploads: FakeUploads, *sources: DatasetSource, assets: Path = Path(), **changes: Any) -> LoadedItems:
    config = ExperimentConfig(name="study", models=("a",), datasets=sources, **changes)
    return load_items(config, FakeAssets(assets), uploads)


def test_uploaded_items_get_the_name_that_the_config_gives() -> None:
    uploads = FakeUploads()
    found = load(uploads, DatasetSource(name="mine", uploaded=uploads.add(item(1), item(2))))
    assert [(one.dataset, one.id) for one in found.items] == [("mine", "q1"), ("mine", "q2")]


def test_registry_datasets_are_read_and_their_unusable_rows_told(tmp_path: Path) -> None:
    good = {"question": "Which?", "options": "A. red\nB. blue", "answer": "B. blue"}
    bad = {**good, "options": "A. red\nB. red"}
    (tmp_path / "mmlu.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(bad) + "\n")
    found = load(FakeUploads(), DatasetSource(name="mmlu"), assets=tmp_path)
    assert (len(found.items), len(found.problems)) == (1, 1)
    assert found.problems[0].startswith("mmlu: row 2")


def test_what_is_asked_is_named_by_a_digest() -> None:
    uploads = FakeUploads()
    found = load(uploads, DatasetSource(name="quiz", uploaded=uploads.add(item(1), item(2)), n=1))
    assert found.digests == {"quiz": digest_of(dump_items(found.items))}


def test_a_sample_follows_the_sources_seed_before_the_experiments() -> None:
    uploads = FakeUploads()
    digest = uploads.add(*(item(n) for n in range(50)))

    def drawn(seed: int, source_seed: int | None) -> tuple[DatasetItem, ...]:
        return load(uploads, DatasetSource(name="quiz", uploaded=digest, n=9, seed=source_seed), seed=seed).items

    assert drawn(1, None) == drawn(2, 1) != drawn(2, None)


def test_the_configs_scorer_goes_before_the_items_own() -> None:
    uploads = FakeUploads()
    found = load(uploads, DatasetSource(name="quiz", uploaded=uploads.add(item(1))), scorer="exact")
    assert found.items[0].scorer == "exact"


def test_a_scorer_that_does_not_fit_an_item_is_refused() -> None:
    uploads = FakeUploads()
    with pytest.raises(DataError, match="quiz, item 'q1': scorer 'choice' needs at least two choices"):
        load(uploads, DatasetSource(name="quiz", uploaded=uploads.add(item(1))), scorer="choice")


def test_splits_are_not_mixed() -> None:
    uploads = FakeUploads()
    digest = uploads.add(item(1, split="a"), item(2, split="b"))
    with pytest.raises(DataError, match="several splits"):
        load(uploads, DatasetSource(name="quiz", uploaded=digest))
    assert [one.id for one in load(uploads, DatasetSource(name="quiz", uploaded=digest, split="b")).items] == ["q2"]


def test_a_dataset_that_stands_twice_is_refused() -> None:
    with pytest.raises(DataError, match="'mmlu' stands twice"):
        load(FakeUploads(), DatasetSource(name="mmlu", n=1), DatasetSource(name="mmlu", n=2))


def test_items_that_were_never_uploaded_or_are_damaged_are_told() -> None:
    uploads = FakeUploads()
    with pytest.raises(NotFound):
        load(uploads, DatasetSource(name="quiz", uploaded="0" * 64))
    uploads.by_digest["0" * 64] = dump_items([item(1)])
    with pytest.raises(HashMismatch, match="send them again"):
        load(uploads, DatasetSource(name="quiz", uploaded="0" * 64))


def test_the_published_form_is_what_is_asked(tmp_path: Path) -> None:
    row = {"question": "Which?", "options": "A. red\nB. blue", "answer": "B. blue"}
    (tmp_path / "mmlu.jsonl").write_text(json.dumps(row) + "\n")
    plain, published = (
        load(FakeUploads(), DatasetSource(name="mmlu", form=form), assets=tmp_path).items[0]
        for form in ("plain", "published")
    )
    assert published.query.startswith("The following are multiple choice questions")
    assert published.query.endswith("Answer:")
    assert plain.id != published.id


def test_uploads_have_no_published_form() -> None:
    with pytest.raises(ValueError, match="no published form"):
        DatasetSource(name="mine", uploaded="0" * 64, form="published")


def test_rows_that_were_left_out_are_kept_for_the_report(tmp_path: Path) -> None:
    assert read_left_out(tmp_path) == ()
    write_left_out(("mmlu: row 2: two\nchoices", "mmlu: row 3"), tmp_path)
    assert read_left_out(tmp_path) == ("mmlu: row 2: two choices", "mmlu: row 3")
