import json
from pathlib import Path

import numpy as np
import pytest

from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.fit.artifact import ARRAYS, DESCRIPTION, load_router, save_router
from neuroforge.router.fit.model import FittedRouter
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from tests.unit.router.fit.worlds import make_embedder, make_table


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    directory: Path = tmp_path_factory.mktemp("embedder")
    return make_embedder(directory)


@pytest.fixture(scope="module")
def fitted(embedder: StaticEmbedder) -> FittedRouter:
    table = make_table(40)
    return fit_router(table, extract_queries(table.queries, embedder), embedder.sha256)


def change(directory: Path, **values: object) -> None:
    path = directory / DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_loaded_router_predicts_what_the_saved_one_did(
    tmp_path: Path, fitted: FittedRouter, embedder: StaticEmbedder
) -> None:
    save_router(tmp_path / "router", fitted)
    features = extract_texts(["loop bug", "king"], embedder)
    loaded = load_router(tmp_path / "router", embedder.sha256)
    assert np.array_equal(loaded.predict(features).quality, fitted.predict(features).quality)
    assert np.array_equal(loaded.basis(features), fitted.basis(features))


def test_a_router_is_one_json_and_one_safetensors_file(tmp_path: Path, fitted: FittedRouter) -> None:
    save_router(tmp_path / "router", fitted)
    assert sorted(path.name for path in (tmp_path / "router").iterdir()) == [DESCRIPTION, ARRAYS]


def test_saving_again_replaces_the_router_and_leaves_nothing_behind(tmp_path: Path, fitted: FittedRouter) -> None:
    save_router(tmp_path / "router", fitted)
    save_router(tmp_path / "router", fitted)
    assert [path.name for path in tmp_path.iterdir()] == ["router"]


def test_a_directory_with_other_things_is_not_overwritten(tmp_path: Path, fitted: FittedRouter) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="not a router directory"):
        save_router(tmp_path, fitted)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_another_embedder_is_refused_with_both_hashes(
    tmp_path: Path, fitted: FittedRouter, embedder: StaticEmbedder
) -> None:
    save_router(tmp_path / "router", fitted)
    with pytest.raises(DataError, match=f"{embedder.sha256}.*{'0' * 64}"):
        load_router(tmp_path / "router", "0" * 64)


def test_another_format_version_is_refused(tmp_path: Path, fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    save_router(tmp_path / "router", fitted)
    change(tmp_path / "router", format_version=99)
    with pytest.raises(DataError, match="format 99, this release reads 3"):
        load_router(tmp_path / "router", embedder.sha256)


def test_other_surface_features_are_refused(tmp_path: Path, fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    save_router(tmp_path / "router", fitted)
    change(tmp_path / "router", surface_names=["length"])
    with pytest.raises(DataError, match="surface features"):
        load_router(tmp_path / "router", embedder.sha256)


def test_changed_arrays_are_refused(tmp_path: Path, fitted: FittedRouter, embedder: StaticEmbedder) -> None:
    save_router(tmp_path / "router", fitted)
    path = tmp_path / "router" / ARRAYS
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(DataError, match="fit the router again"):
        load_router(tmp_path / "router", embedder.sha256)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        load_router(tmp_path / "nowhere", "0" * 64)
