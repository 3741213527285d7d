from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroforge.router.embedder import StaticEmbedder, load_embedder
from neuroforge.router.features import EARLIER_WEIGHT, cap_text, extract_conversation, extract_texts
from neuroforge.router.surface import SURFACE_NAMES, measure_surface
from tests.unit.router.tiny import write_embedder


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    directory: Path = tmp_path_factory.mktemp("embedder")
    return load_embedder(write_embedder(directory, {"red": [1.0, 0.0], "blue": [0.0, 1.0]}))


def mark(text: str, name: str) -> float:
    return float(measure_surface(text, len(text))[SURFACE_NAMES.index(name)])


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    assert cap_text("abcdefgh", 3, 2) == "abc\ngh"


def test_a_text_at_the_limit_stays_whole() -> None:
    assert cap_text("abcde", 3, 2) == "abcde"


def test_a_conversation_of_one_turn_is_that_text(embedder: StaticEmbedder) -> None:
    one, text = extract_conversation(["red blue?"], embedder), extract_texts(["red blue?"], embedder)
    assert np.array_equal(one.embedding, text.embedding)
    assert np.array_equal(one.surface, text.surface)
    assert np.array_equal(one.tokens, text.tokens)


def test_the_last_turn_outweighs_the_earlier_ones(embedder: StaticEmbedder) -> None:
    vector = extract_conversation(["blue", "red"], embedder).embedding[0]
    assert vector == pytest.approx(np.array([1, EARLIER_WEIGHT]) / np.hypot(1, EARLIER_WEIGHT))


def test_a_conversation_without_turns_is_an_empty_text(embedder: StaticEmbedder) -> None:
    features = extract_conversation([], embedder)
    assert features.embedding.tolist() == [[0.0, 0.0]]
    assert not features.surface.any()


def test_rows_can_be_taken_in_any_order(embedder: StaticEmbedder) -> None:
    matrix = extract_texts(["red", "blue blue", "red blue red"], embedder)
    assert [row.tolist() for row in matrix.take(np.array([2, 0])).token_rows()] == [[1, 2, 1], [1]]


@given(text=st.text(st.characters(), max_size=60))
def test_any_text_has_finite_features(embedder: StaticEmbedder, text: str) -> None:
    features = extract_texts([text, text * 3], embedder)
    assert np.isfinite(features.surface).all()
    assert np.isfinite(features.embedding).all()


def test_half_a_character_is_no_error(embedder: StaticEmbedder) -> None:
    assert extract_texts(["red \ud800"], embedder).embedding.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Pick one:\nA. red\nB. blue", "option_lines"),
        ("def f(x: int) -> int:", "type_hints"),
        ("```python\n```", "code_fences"),
        ("Find $\\frac{1}{2}$", "latex"),
        ("Which planet is red?", "asks_what"),
        ("Which planet is red? ", "ends_in_question"),
        ("Привет", "cyrillic"),
        ("今日は", "cjk"),
        ("Is it raining", "starts_yes_no"),
    ],
)
def test_a_mark_is_seen_where_it_is_and_only_there(text: str, name: str) -> None:
    assert mark(text, name) > 0
    assert mark("It rained all night.", name) == 0


def test_the_length_is_that_before_capping() -> None:
    assert measure_surface("ab", 1_000_000)[SURFACE_NAMES.index("log_chars")] == pytest.approx(np.log1p(1_000_000))
