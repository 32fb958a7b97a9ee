"""Purchases whose published figures are known."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from models.customers.history import PurchaseHistory, history_of_events

Cdnow = tuple[PurchaseHistory, NDArray[np.int64]]


@pytest.fixture(scope="module")
def cdnow(data_folder: Path) -> Cdnow:
    """The sample's first 39 weeks, and how often each customer bought in the 39 after them."""
    table = pq.read_table(data_folder / "cdnow_sample.parquet")
    _, account = np.unique(table["sample_customer_id"].to_numpy(), return_inverse=True)
    day = table["date"].cast("int32").to_numpy().astype(np.int64)
    end = np.datetime64("1997-09-30").astype(int)
    early = day <= end
    n = int(account.max()) + 1
    history = history_of_events(
        account[early].astype(np.int32),
        day[early] * 86_400,
        table["value"].to_numpy()[early],
        np.ones(early.sum(), dtype=np.bool_),
        n,
        int(end) * 86_400,
    )
    later = np.unique(np.column_stack((account[~early], day[~early])), axis=0)
    return history, np.bincount(later[:, 0], minlength=n)
