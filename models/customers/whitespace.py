"""Every segment by every line and every category, counted once at training."""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from models.artifact import CellTotals, GroupDemand, Segments
from models.artifact.dimensions import GROUPS
from models.artifact.segments import read_segment_report
from models.artifact.whitespace import count_cells


def count_all_cells(room: GroupDemand, segments: Segments) -> CellTotals:
    """Count the cells of every segment, family by family, as ``segments`` numbers them."""
    sizes = [len(family["segments"]) for family in read_segment_report(segments).get("families", ())]
    found = [count_cells(room, segments.codes[:, column], size) for column, size in enumerate(sizes)]
    return stack(found) if found else CellTotals.empty({GROUPS: len(room.groups)})


def stack(parts: Sequence[CellTotals]) -> CellTotals:
    """Put segments after each other."""
    return CellTotals(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(CellTotals)))
