"""Count every segment by every line and every category, once at training."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from models.artifact import CellTotals, GroupDemand, Segments
from models.artifact.dimensions import GROUPS
from models.artifact.segments import read_segment_report
from models.artifact.whitespace import count_cells


def count_all_cells(demand: GroupDemand, segments: Segments) -> CellTotals:
    """Count the cells of every segment, family by family, as ``segments`` numbers them."""
    sizes = [len(family["segments"]) for family in read_segment_report(segments).get("families", ())]
    parts = [count_cells(demand, segments.codes[:, column], size) for column, size in enumerate(sizes)]
    return stack(parts) if parts else CellTotals.empty({GROUPS: len(demand.groups)})


def stack(parts: Sequence[CellTotals]) -> CellTotals:
    """Put segments after each other."""
    return CellTotals(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(CellTotals)))
