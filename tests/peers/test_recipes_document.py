"""docs/interop.md says what the tests assert."""

from interop import table


def test_the_document_is_up_to_date() -> None:
    assert table.written() == table.rendered(), "run `python -m interop.table` in tests/peers"
