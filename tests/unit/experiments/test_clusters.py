from neuroforge.experiments.clusters import find_clusters


def test_items_of_one_passage_are_one_cluster() -> None:
    assert find_clusters(["a", "b", "c"], ["p", None, "p"]).tolist() == [0, 1, 0]


def test_a_paraphrase_links_two_passages() -> None:
    questions = ["q1", "q1", "q2"]
    passages = ["p", "r", "r"]
    assert find_clusters(questions, passages).tolist() == [0, 0, 0]


def test_items_without_any_name_stand_alone() -> None:
    assert find_clusters([None, None, "a"]).tolist() == [0, 1, 2]


def test_the_same_word_as_question_and_as_passage_links_nothing() -> None:
    assert find_clusters(["x", "y"], [None, "x"]).tolist() == [0, 1]
