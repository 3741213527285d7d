from pathlib import Path

import numpy as np

from neuroforge.experiments.analysis.consistency import measure_consistency
from tests.unit.experiments.analysis.tables import answers, table_of
from tests.unit.experiments.synthetic import cell

NAN = float("nan")


def test_two_of_three_equal_answers_agree_in_one_pair_of_three(tmp_path: Path) -> None:
    table = table_of(tmp_path, answers("a", "1", "x", "x", "y"), ["a"])
    np.testing.assert_allclose(measure_consistency(table), [[1 / 3]])


def test_paraphrases_count_in_the_row_of_the_first(tmp_path: Path) -> None:
    rows = [*answers("a", "1", "x", paraphrase_of="q"), *answers("a", "2", "X ", paraphrase_of="q")]
    np.testing.assert_array_equal(measure_consistency(table_of(tmp_path, rows, ["a"])), [[1.0], [NAN]])


def test_one_answer_agrees_with_nothing(tmp_path: Path) -> None:
    table = table_of(tmp_path, [*answers("a", "1", "x"), *answers("b", "1", "x", "y")])
    np.testing.assert_array_equal(measure_consistency(table), [[NAN, 0.0]])


def test_a_failed_call_is_no_disagreement(tmp_path: Path) -> None:
    rows = [*answers("a", "1", "x", "x"), cell("a", "1", repeat=2, error_code="engine_timeout")]
    np.testing.assert_array_equal(measure_consistency(table_of(tmp_path, rows, ["a"])), [[1.0]])
