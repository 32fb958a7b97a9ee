"""The factors of ALS are written with the identifiers that they belong to."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from models.export_factors import export_factors
from models.ranking.als import fit_als
from models.ranking.settings import RankingParameters
from models.ranking.weights import strength_matrix
from tests.models.ranking.samples import AS_OF, random_interactions


def test_inner_products_of_what_is_exported_are_the_scores(tmp_path: Path) -> None:
    interactions = random_interactions(seed=3)
    strength = strength_matrix(interactions, AS_OF, 45.0)
    scorer = fit_als(strength, RankingParameters(embedding_size=4, iterations=4))
    scores = scorer.score(np.arange(interactions.n_accounts, dtype=np.int32))

    export_factors(scorer, interactions, tmp_path / "factors")

    accounts, products = (pq.read_table(tmp_path / "factors" / f"{name}.parquet") for name in ("accounts", "products"))
    account_rows = {name: row for row, name in enumerate(interactions.account_ids)}
    product_rows = {name: row for row, name in enumerate(interactions.product_ids)}
    rows = [account_rows[name] for name in accounts["account_id"].to_pylist()]
    columns = [product_rows[name] for name in products["product_id"].to_pylist()]
    assert rows == np.flatnonzero(np.diff(strength.indptr) > 0).tolist()
    assert columns == np.unique(strength.indices).tolist()
    exported = np.array(accounts["factors"].to_pylist()) @ np.array(products["factors"].to_pylist()).T
    assert exported == pytest.approx(scores[np.ix_(rows, columns)], abs=1e-5)
    assert accounts["factors"].type.value_type == "float"
    assert {path.name for path in (tmp_path / "factors").iterdir()} == {"accounts.parquet", "products.parquet"}
