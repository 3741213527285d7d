"""Scorers with the real embedder, and as published examples score."""

from pathlib import Path

import pytest

from neuroforge.router.embedder import load_embedder
from neuroforge.scoring.bleu import score_bleu
from neuroforge.scoring.embedding import score_embedding
from neuroforge.scoring.f1 import score_f1


def test_the_embedder_finds_a_paraphrase_nearer_than_another_subject(potion_path: Path) -> None:
    embed = load_embedder(potion_path).embed
    reference = ["The cat sat on the mat."]
    near, far = (
        score_embedding(reply, reference, embed).value
        for reply in ("A cat is sitting on a mat.", "Interest rates rose again in March.")
    )
    assert near is not None
    assert far is not None
    assert near > 0.8 > 0.4 > far
    assert score_embedding(reference[0], reference, embed).value == pytest.approx(1.0, abs=1e-6)


def test_a_sentence_and_its_negation_are_near_each_other(potion_path: Path) -> None:
    """The limit that docs/DATASETS.md tells."""
    embed = load_embedder(potion_path).embed
    value = score_embedding("The drug is not safe.", ["The drug is safe."], embed).value
    assert value is not None
    assert value > 0.8


def test_f1_of_squads_worked_example() -> None:
    """Rajpurkar et al.: `the` is dropped; 2 of 2 and 2 of 3 words."""
    assert score_f1("the Denver Broncos", ["Denver Broncos team"]).value == pytest.approx(0.8)


def test_bleu_equals_the_librarys_own_figure() -> None:
    from sacrebleu.metrics import BLEU

    said, references = "It is a guide to action that ensures the military obeys", [
        "It is a guide to action that ensures that the military will forever heed Party commands",
        "It is the guiding principle which guarantees the military forces always being under the command of the Party",
    ]  # fmt: skip
    theirs = BLEU(smooth_method="exp", effective_order=True).sentence_score(said, references).score
    assert score_bleu(said, references).value == pytest.approx(theirs / 100)
