"""Profiles: what rules ask of accounts, read from the artifact."""

from dataclasses import replace

import numpy as np
import orjson

from service.readmodel.profiles import UNKNOWN_ROW, Profiles
from tests.artifacts import coffee_world, content_of


def test_the_cluster_is_that_of_the_family_of_this_id_wherever_it_stands() -> None:
    content = content_of(coffee_world())
    report = orjson.dumps({"families": [{"id": "cluster"}, {"id": "strategic"}]})
    codes = np.array([[1, 0], [0, 0], [-1, 0], [1, 0]], dtype=np.int16)
    segments = replace(content.segments, codes=codes, report=np.frombuffer(report, dtype=np.uint8))
    rows = np.array([0, 1, UNKNOWN_ROW, 2, 3])

    profiles = Profiles(replace(content, segments=segments), 0, rows, {}, np.zeros(5, dtype=np.bool_), [])

    assert profiles.field("cluster").tolist() == ["cluster.2", "cluster.1", "", "", "cluster.2"]
