"""What columns are usually called, to suggest which field they fill. No column is read by these names."""

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from typing import Final

from service.base.money import AMOUNT_FIELDS

_CLOSE: Final = 0.75
_SYNONYMS: Final = {
    "order_id": "order|order no|order nr|order number|invoice|invoice no|invoice number|receipt no|transaction id|"
    "beleg|belegnr|belegnummer|bestellnummer|bestellnr|auftrag|auftragsnummer|rechnungsnummer|commande|n commande",
    "account_id": "account|account no|account number|customer|customer id|customer no|customer number|client|client id|"
    "buyer|buyer id|company id|user id|kunde|kundennr|kundennummer|debitor|debitorennummer|acct",
    "product_id": "product|product code|product no|product number|sku|item|item id|item no|item number|item sku|"
    "item code|article|article no|part number|part no|stock code|artikel|artikelnr|artikelnummer|material|variant sku",
    "ordered_at": "date|order date|date ordered|purchase date|invoice date|created|created at|datum|bestelldatum|"
    "belegdatum|auftragsdatum|rechnungsdatum|date commande",
    "quantity": "qty|units|quantity ordered|menge|anzahl|stück|stückzahl|quantité",
    "amount": "total|line total|net amount|total price|revenue|sales|betrag|summe|umsatz|nettobetrag|montant",
    "unit_price": "price|price each|item price|einzelpreis|stückpreis|preis|prix unitaire",
    "price": "list price|unit price|sales price|preis|listenpreis|prix",
    "currency": "curr|currency code|ccy|währung|devise",
    "status": "state|order status|auftragsstatus",
    "product_name": "item name|product title|product description|artikelbezeichnung|artikelname|produkt",
    "name": "title|account name|customer name|company|company name|product name|firma|firmenname|bezeichnung|nom",
    "category": "product category|type|warengruppe|kategorie|catégorie",
    "parent_account_id": "parent|parent account|parent id|parent company",
    "deal_id": "deal|opportunity|opportunity id|opportunity no|record id|verkaufschance",
    "stage": "stage name|deal stage|sales stage|phase",
    "is_won": "won|closed won",
    "is_closed": "closed",
    "opened_at": "created|created at|created date|create date|opened|open date",
    "closed_at": "closed date|close date|closing date|abschlussdatum",
    "expected_close": "expected close date|estimated close date|forecast date",
    "deal_value": "amount|deal amount|deal value",
    "value": "total price|line total|net price",
}
_OWN_IDS: Final = ("order_id", "account_id", "product_id", "deal_id")
"""A column that is only called ID, Number or Key is probably the first of these that a file must have."""


def suggested_columns(columns: Iterable[str], fields: Sequence[str], mandatory: Sequence[str]) -> dict[str, str]:
    """The column that each field probably has, as far as names tell; each column for one field at most.

    Usual names come first, then the most similar ones. Of the ways to give an amount, one is suggested.
    """
    scores = sorted(
        (-score, place, field_place, column, field)
        for place, column in enumerate(columns)
        for field_place, field in enumerate(fields)
        if (score := _similarity(column, field, mandatory)) >= _CLOSE
    )
    suggested: dict[str, str] = {}
    for *_, column, field in scores:
        is_other_amount = field in AMOUNT_FIELDS and not suggested.keys().isdisjoint(AMOUNT_FIELDS)
        if field not in suggested and column not in suggested.values() and not is_other_amount:
            suggested[field] = column
    return {field: suggested[field] for field in fields if field in suggested}


def _similarity(column: str, field: str, mandatory: Sequence[str]) -> float:
    """How probable it is by their names that a column holds a field, from 0 to 1."""
    name, own = _plain(column), _plain(field)
    if name == own or name in map(_plain, _SYNONYMS.get(field, "").split("|")):
        return 1
    if name in ("id", "number", "no", "key", "nr"):
        return float(field == next((each for each in _OWN_IDS if each in mandatory), None))
    # Taking major units for minor ones would make every amount a hundredth.
    if field.endswith("_minor") and not any(word in name for word in ("minor", "cent")):
        return 0
    return SequenceMatcher(None, name, own).ratio()


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
