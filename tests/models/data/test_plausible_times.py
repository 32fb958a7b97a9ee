"""Order lines of implausible times are left out of what is learned."""

from datetime import UTC, datetime

import numpy as np
import pytest

from models.data.plausible_times import is_plausible

NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())


def seconds(*days: str) -> np.ndarray:
    return np.array([int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) for day in days], dtype=np.int64)


@pytest.mark.parametrize("outlier", ["2099-01-01", "2026-06-03", "1970-01-01", "2005-01-01"])
def test_a_single_line_far_from_the_others_or_in_the_future_is_implausible(outlier: str) -> None:
    days = [f"2025-{month:02}-01" for month in range(1, 13)]

    flags = is_plausible(seconds(outlier, *days), NOW)

    assert flags.tolist() == [False] + [True] * 12


def test_a_line_long_after_an_old_history_is_implausible() -> None:
    days = [f"1997-{month:02}-01" for month in range(1, 13)]

    assert is_plausible(seconds(*days, "2021-01-01"), NOW).tolist() == [True] * 12 + [False]


@pytest.mark.parametrize(
    "days",
    [
        [f"{year}-01-01" for year in range(1960, 2026)],
        ["1997-01-01", "1997-06-01", "2025-01-01", "2025-06-01"],
        ["1997-01-01"],
        ["2026-06-02"],
    ],
)
def test_long_and_old_histories_are_plausible_as_a_whole(days: list[str]) -> None:
    assert is_plausible(seconds(*days), NOW).all()
