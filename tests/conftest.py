"""What pytest says at its end."""

import statistics

import pytest

TIMES = pytest.StashKey()


@pytest.fixture(scope="session")
def key_times(pytestconfig):
    """name of a widget -> milliseconds from each key to the picture that it made; printed at the end."""
    return pytestconfig.stash.setdefault(TIMES, {})


def pytest_terminal_summary(terminalreporter, config):
    times = config.stash.get(TIMES, {})
    if times:
        terminalreporter.write_line("from key to picture, ms           median   p90  keys")
    for name, each in times.items():
        p90 = statistics.quantiles(each, n=10)[-1]
        terminalreporter.write_line(f"{name:32} {statistics.median(each):6.0f} {p90:5.0f} {len(each):5}")
