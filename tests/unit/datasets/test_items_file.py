import pytest

from neuroforge.datasets.items_file import digest_of, dump_items, parse_items
from neuroforge.errors import DataError
from tests.unit.datasets.fakes import item


def test_items_come_back_as_they_were() -> None:
    items = (item(1), item(2, fields={"a": [1, {"b": None}]}, messages=({"role": "user", "content": "x"},)))
    assert parse_items(dump_items(items), "mine") == items


def test_the_digest_names_the_content() -> None:
    assert digest_of(dump_items([item(1)])) == digest_of(dump_items([item(1)]))
    assert digest_of(dump_items([item(1)])) != digest_of(dump_items([item(2)]))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "mine: line 2, item: Invalid JSON"),
        (b'{"id": "x"}', "mine: line 2, dataset: Field required"),
        (dump_items([item(1)]).strip(), "mine: line 2: item 'q1' stands twice"),
    ],
)
def test_a_line_that_is_no_item_is_named(line: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_items(dump_items([item(1)]) + line, "mine")
