"""Joining the nodes' Prometheus texts."""

from hypothesis import given
from hypothesis import strategies as st

from cluster.metrics import merge_expositions

NODE_A = """# HELP requests Number of requests.
# TYPE requests counter
requests{node="a"} 1
# HELP latency Latency.
# TYPE latency histogram
latency_bucket{node="a",le="1"} 2
latency_sum{node="a"} 3
latency_count{node="a"} 2
"""
NODE_B = NODE_A.replace('"a"', '"b"')


def test_lines_of_a_family_stand_together_with_one_head() -> None:
    merged = merge_expositions([NODE_A, NODE_B]).splitlines()
    assert merged == [
        "# HELP requests Number of requests.",
        "# TYPE requests counter",
        'requests{node="a"} 1',
        'requests{node="b"} 1',
        "# HELP latency Latency.",
        "# TYPE latency histogram",
        'latency_bucket{node="a",le="1"} 2',
        'latency_sum{node="a"} 3',
        'latency_count{node="a"} 2',
        'latency_bucket{node="b",le="1"} 2',
        'latency_sum{node="b"} 3',
        'latency_count{node="b"} 2',
    ]


@given(st.lists(st.text(max_size=200), max_size=5))
def test_any_text_is_merged_without_an_error(texts: list[str]) -> None:
    assert merge_expositions(texts).endswith("\n")
