"""Rows of one request that spread the products of a deal over several rows, as files do."""

from collections import defaultdict
from collections.abc import Mapping

from service.deals.schemas import DealIn
from service.rows.chunks import RowError
from service.rows.validation import RowErrors


def without_split_deals(deals: Mapping[int, DealIn]) -> tuple[dict[int, DealIn], RowErrors]:
    """Refuse the rows of a deal that name different products: each row is a whole deal, so only one would be kept."""
    rows_by_deal: dict[str, list[int]] = defaultdict(list)
    for index, deal in deals.items():
        if deal.product_id is not None:
            rows_by_deal[deal.deal_id].append(index)
    errors: RowErrors = {}
    for rows in rows_by_deal.values():
        if len({deals[index].product_id for index in rows}) > 1:
            named = ", ".join(map(str, rows[:10]))
            reason = f"differs between the rows {named} of this deal; send it as one row with all its products as lines"
            errors.update(dict.fromkeys(rows, (RowError("product_id", reason),)))
    return {index: deal for index, deal in deals.items() if index not in errors}, errors
