import hashlib
from pathlib import Path

import numpy as np
import pytest

from neuroforge.errors import DataError
from neuroforge.router.embedder import load_embedder
from tests.unit.router.tiny import write_embedder

WORDS = {"red": [3.0, 0.0], "blue": [0.0, 4.0]}


def test_an_embedding_is_the_mean_of_the_token_vectors(tmp_path: Path) -> None:
    embedder = load_embedder(write_embedder(tmp_path, WORDS, normalize=False))
    assert embedder.embed(["red blue red blue"]).tolist() == [[1.5, 2.0]]


def test_an_embedding_has_unit_length_when_the_model_says_so(tmp_path: Path) -> None:
    embedder = load_embedder(write_embedder(tmp_path, WORDS))
    assert embedder.embed(["red blue"])[0] == pytest.approx([0.6, 0.8])


def test_unknown_words_do_not_count(tmp_path: Path) -> None:
    embedder = load_embedder(write_embedder(tmp_path, WORDS, normalize=False))
    assert embedder.embed(["red xyzzy plugh"]).tolist() == [[3.0, 0.0]]


@pytest.mark.parametrize("text", ["", "xyzzy", "   \n"])
def test_a_text_without_known_words_is_zero(tmp_path: Path, text: str) -> None:
    assert load_embedder(write_embedder(tmp_path, WORDS)).embed([text]).tolist() == [[0.0, 0.0]]


def test_an_embedder_is_known_by_the_hash_of_its_weights(tmp_path: Path) -> None:
    embedder = load_embedder(write_embedder(tmp_path, WORDS))
    assert embedder.sha256 == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (write_embedder(tmp_path, WORDS) / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"tokenizer\.json.*models pull potion-base-8m"):
        load_embedder(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_a_broken_file_is_refused(tmp_path: Path, name: str) -> None:
    (write_embedder(tmp_path, WORDS) / name).write_bytes(b"{broken")
    with pytest.raises(DataError, match=str(tmp_path)):
        load_embedder(tmp_path)


def test_vectors_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    write_embedder(tmp_path / "other", {**WORDS, "green": [1.0, 1.0]})
    write_embedder(tmp_path, WORDS)
    (tmp_path / "model.safetensors").write_bytes((tmp_path / "other" / "model.safetensors").read_bytes())
    with pytest.raises(DataError, match="vocabulary of 3 tokens"):
        load_embedder(tmp_path)


def test_ids_come_in_reading_order(tmp_path: Path) -> None:
    ids = load_embedder(write_embedder(tmp_path, WORDS)).tokenize(["blue red"])
    assert [row.tolist() for row in ids] == [[2, 1]]
    assert ids[0].dtype == np.int32
