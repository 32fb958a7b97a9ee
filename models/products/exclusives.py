"""Substitutes of which customers have one and hardly ever two, such as the colours of a shirt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import pdtr

from models.artifact import Products
from models.artifact.relationships import OWNERS, SUBSTITUTE
from models.products.groups import groups_of
from models.products.measures import Counts, discovered
from models.products.parameters import RelationshipParameters
from models.products.rows import Rows, concatenate, make_rows

Floats = NDArray[np.float64]
MAX_MEMBERS = 500
"""Of a group, those with most owners: all pairs of its members are looked at."""


@dataclass(frozen=True)
class Chance:
    """How often accounts would have two products if they chose by the products' popularity alone.

    An account of s products has s (s - 1) pairs. ``rate`` is the sum of that over all accounts, over the square of
    the sum of s: of products with a and b owners, a b rate accounts have both. Accounts with one product have no pair,
    and so are no evidence that two exclude each other.
    """

    has: csr_matrix
    n_owners: Floats
    rate: float

    @classmethod
    def from_owned(cls, owned: csr_matrix) -> "Chance":
        """owned: (n_accounts, n_products)."""
        has = csr_matrix((np.ones(owned.nnz, dtype=np.int64), owned.indices, owned.indptr), owned.shape)
        sizes = np.diff(owned.indptr).astype(np.float64)
        n_owners = np.bincount(owned.indices, minlength=owned.shape[1]).astype(np.float64)
        return cls(has, n_owners, float((sizes * (sizes - 1)).sum() / max(sizes.sum() ** 2, 1)))


def find_exclusives(owned: csr_matrix, products: Products, parameters: RelationshipParameters) -> Rows:
    """Find products of one family, or of one category, that accounts have instead of each other.

    A group is judged as a whole: its pairs that accounts have, beside those that they would have by chance, by
    Poisson's law. A family is what the catalogue calls alternatives, so that half of chance is few enough; members of a
    category are unrelated but for what they are, so that hardly any pair may be left.
    """
    chance = Chance.from_owned(owned)
    by_family = _of_groups(
        chance,
        *groups_of(products.families),
        rate=parameters.family_false_discovery_rate,
        max_share=parameters.max_substitute_share,
    )
    by_category = _of_groups(
        chance,
        *groups_of(products.categories),
        rate=parameters.false_discovery_rate,
        max_share=parameters.max_exclusive_share,
    )
    n_products = owned.shape[1]
    known = by_family.keys(n_products)
    return concatenate([by_family, by_category.take(~np.isin(by_category.keys(n_products), known))])


def _of_groups(chance: Chance, group: NDArray[np.int32], n_groups: int, *, rate: float, max_share: float) -> Rows:
    n_owners = chance.n_owners
    member = np.flatnonzero((group >= 0) & (n_owners > 0))
    entries = (np.ones(len(member), dtype=np.int64), (member, group[member]))
    held = (chance.has @ csr_matrix(entries, shape=(len(group), n_groups))).tocsr()
    pairs = np.bincount(held.indices, held.data * (held.data - 1) / 2, n_groups)
    total, squares = (np.bincount(group[member], weights[member], n_groups) for weights in (n_owners, n_owners**2))
    expected = chance.rate * (total**2 - squares) / 2
    # An account with three members has three pairs: the share, not the number of pairs, decides where it is near.
    is_exclusive = discovered(pdtr(pairs, np.maximum(expected, 1e-12)), max(n_groups, 1), rate)
    is_exclusive &= (expected > 0) & (pairs <= max_share * expected)
    parts = [_empty()]
    for number in np.flatnonzero(is_exclusive).tolist():
        members = member[group[member] == number].astype(np.int32)
        members = np.sort(members[np.argsort(-n_owners[members], kind="stable")][:MAX_MEMBERS])
        parts.append(_pairs_of(chance, members, pairs[number] / expected[number], max_share))
    return concatenate(parts)


def _pairs_of(chance: Chance, members: NDArray[np.int32], share: float, max_share: float) -> Rows:
    """Take the pairs of a group, each judged by its own accounts and, as far as those are few, by its group's."""
    has = chance.has[:, members]
    both = (has.T @ has).toarray().astype(np.float64)
    n_owners = chance.n_owners[members]
    expected = chance.rate * np.outer(n_owners, n_owners)
    ratio = (both + share) / (expected + 1)
    first, second = np.nonzero((ratio <= max_share) & ~np.eye(len(members), dtype=np.bool_))
    counts = Counts(both[first, second], n_owners[first], n_owners[second], float(chance.has.shape[0]))
    missed = np.clip(1 - both[first, second] / expected[first, second], 0, 1)
    return make_rows(members[first], members[second], counts, relation=SUBSTITUTE, evidence=OWNERS, strength=missed)


def _empty() -> Rows:
    nothing, rows = np.empty(0), np.empty(0, dtype=np.int32)
    return make_rows(
        rows, rows, Counts(nothing, nothing, nothing, 0.0), relation=SUBSTITUTE, evidence=OWNERS, strength=nothing
    )
