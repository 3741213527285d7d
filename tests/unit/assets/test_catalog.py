from pathlib import Path

import pytest
import yaml

from neuroforge.assets.catalog import check_file_name, dump_entries, load_builtin, parse_entries
from neuroforge.contracts.assets import AssetEntry, FileSource
from neuroforge.errors import DataError
from neuroforge.settings import DEFAULT_MODELS, RouterSettings
from tests.unit.assets.conftest import entry_of

ENTRIES = load_builtin()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_file_of_the_catalog_is_pinned(entry: AssetEntry) -> None:
    assert entry.licence
    assert all(file.sha256 and file.n_bytes for file in entry.files)


def test_the_defaults_are_in_the_catalog() -> None:
    names = {entry.name for entry in ENTRIES}
    assert {model.asset_name for model in DEFAULT_MODELS} | {RouterSettings().embedder} <= names


def test_every_asset_stands_in_the_licence_notes() -> None:
    docs = Path(__file__, "../../../../docs").resolve()
    notes = "".join((docs / name).read_text(encoding="utf-8") for name in ("MODELS.md", "DATASETS.md"))
    assert [entry.name for entry in ENTRIES if f"`{entry.name}`" not in notes] == []


def test_entries_are_written_as_they_are_read() -> None:
    assert parse_entries(yaml.safe_load(dump_entries(ENTRIES)), "x") == ENTRIES


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../x", "a\\b", "C:x", ".hidden", "a/.b", "a\nb", "manifest.json"]
)
def test_file_names_stay_inside_the_asset(name: str) -> None:
    with pytest.raises(DataError, match="file name"):
        check_file_name(name)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ("text", "valid tuple"),
        ([{"name": "x"}], "0.kind"),
        ([entry_of(b"", FileSource(path="/x"), name="Upper").model_dump()], "must match"),
        ([entry_of(b"", FileSource(path="/x")).model_dump()] * 2, "stands twice"),
    ],
)
def test_an_unusable_catalog_names_its_problem(tree: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parse_entries(tree, "user.yaml")
