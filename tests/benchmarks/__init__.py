"""The benchmark behind `tests/bench`: servers, measures, report."""
