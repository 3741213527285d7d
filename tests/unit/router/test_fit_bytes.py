"""A real fit, small: as bytes, refused with another embedder, and as what gives the learner's posterior its shape."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from neuroforge.errors import DataError
from neuroforge.router.embedder import StaticEmbedder
from neuroforge.router.features import extract_texts
from neuroforge.router.fit.artifact import save_router
from neuroforge.router.fit.pipeline import extract_queries, fit_router
from neuroforge.router.fit_bytes import load_router_bytes, pack_router
from neuroforge.router.posterior_prior import PosteriorPrior
from tests.unit.router.fit.worlds import make_embedder, make_table


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    return make_embedder(tmp_path_factory.mktemp("embedder"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, embedder: StaticEmbedder) -> Path:
    table = make_table(40)
    path = tmp_path_factory.mktemp("fit") / "router"
    save_router(path, fit_router(table, extract_queries(table.queries, embedder), embedder.sha256))
    return path


def test_the_same_directory_gives_the_same_bytes(directory: Path, embedder: StaticEmbedder) -> None:
    assert pack_router(directory, embedder.sha256) == pack_router(directory, embedder.sha256)


def test_a_fit_from_bytes_predicts_as_from_its_directory(directory: Path, embedder: StaticEmbedder) -> None:
    found = load_router_bytes(pack_router(directory, embedder.sha256), embedder.sha256)

    assert found.model_ids == ("coder", "sage")
    quality = found.predict(extract_texts(["loop bug array"], embedder)).quality[0]
    assert quality[0] > quality[1]


def test_another_embedder_is_refused_in_both_directions(directory: Path, embedder: StaticEmbedder) -> None:
    with pytest.raises(DataError, match="fitted with the embedder"):
        pack_router(directory, "0" * 64)
    with pytest.raises(DataError, match=r"^the stored fit: fitted with the embedder"):
        load_router_bytes(pack_router(directory, embedder.sha256), "0" * 64)


def test_damaged_bytes_are_refused(directory: Path, embedder: StaticEmbedder) -> None:
    data = pack_router(directory, embedder.sha256)
    middle = len(data) // 2

    for bad in (b"", b"nonsense", data[:middle], data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]):
        with pytest.raises(DataError):
            load_router_bytes(bad, embedder.sha256)


def test_an_archive_cannot_write_outside_its_directory(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    target = tmp_path / "escaped"
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"../../../../../../../..{target}", b"out")

    with pytest.raises(DataError, match="not a router directory"):
        load_router_bytes(buffer.getvalue(), "0" * 64)
    assert not target.exists()


def test_the_posterior_looks_at_the_fits_basis(directory: Path, embedder: StaticEmbedder) -> None:
    content = pack_router(directory, embedder.sha256)
    prior_of = PosteriorPrior(embedder, load_router_bytes)
    n_basis = load_router_bytes(content, embedder.sha256).basis(extract_texts([""], embedder)).shape[1]

    assert prior_of(content).shape != prior_of(None).shape
    assert len(prior_of(content)) >= 1 + n_basis
    assert np.all(prior_of(content) > 0)
