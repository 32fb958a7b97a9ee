"""Shares of owners among similar accounts, of things: products, or groups of products."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.accounts import AccountFacts
from models.propensity.snapshot import N_SEGMENTS

PRIOR_ACCOUNTS = 20.0
"""Average accounts that are added to each kind, so that a kind of three accounts hardly counts."""
MIN_SHARE = 1e-3
MAX_KINDS = 20
MAX_ATTRIBUTES = 12
UNKNOWN = -1


@dataclass(frozen=True)
class Penetration:
    """Logarithms of the share of owners among the accounts of a kind over the share among all.

    of_segment: float32 (N_SEGMENTS + 1, T), by segment of recency, frequency and money.
    of_kind:    float32 (K, T), one row per value of each attribute. kinds: int64 (A, M), each account's row in it for
                each of the attributes, UNKNOWN where nothing is known.
    """

    of_segment: NDArray[np.float32]
    of_kind: NDArray[np.float32]
    kinds: NDArray[np.int64]

    def among_segment(self, segment: NDArray[np.int64], things: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n, k). segment: (n,). things: (n, k)."""
        return self.of_segment[segment[:, None], things]

    def among_alike(self, accounts: NDArray[np.int32], things: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return float32 (n, k): the mean over the known attributes of each account; 0 where none is known."""
        total = np.zeros(things.shape, dtype=np.float32)
        count = np.zeros(len(accounts), dtype=np.float32)
        for column in range(self.kinds.shape[1]):
            kind = self.kinds[accounts, column]
            known = kind != UNKNOWN
            total[known] += self.of_kind[kind[known, None], things[known]]
            count += known
        return np.asarray(total / np.maximum(count, 1)[:, None], dtype=np.float32)


def learn_penetration(owned: csr_matrix, segment: NDArray[np.int64], facts: AccountFacts) -> Penetration:
    """Count owners among the accounts that had bought something; accounts without purchases change nothing.

    owned: (A, T), stored where an account owns a thing. segment: (A,), N_SEGMENTS for one that never bought.
    """
    kinds = kinds_of(facts, owned.shape[0])
    n_kinds = int(kinds.max(initial=UNKNOWN)) + 1
    buyers = np.flatnonzero(segment != N_SEGMENTS)
    is_owned = owned[buyers].astype(np.bool_).astype(np.float64)
    of_segment = _shares(is_owned, segment[buyers, None], N_SEGMENTS + 1)
    return Penetration(of_segment, _shares(is_owned, kinds[buyers], n_kinds), kinds)


def _shares(is_owned: csr_matrix, kinds: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    """Float32 (n, T), shrunk towards the share of all. kinds: (A, M), those that each account is of."""
    account, attribute = np.nonzero(kinds != UNKNOWN)
    ones = np.ones(len(account))
    members = csr_matrix((ones, (kinds[account, attribute], account)), shape=(n, is_owned.shape[0]))
    of_all = np.asarray(is_owned.sum(axis=0)).ravel() / max(is_owned.shape[0], 1)
    size = np.asarray(members.sum(axis=1)).ravel()[:, None]
    share = ((members @ is_owned).toarray() + PRIOR_ACCOUNTS * of_all) / (size + PRIOR_ACCOUNTS)
    return np.asarray(np.log((share + MIN_SHARE) / (of_all + MIN_SHARE)), dtype=np.float32)


def kinds_of(facts: AccountFacts, n_accounts: int) -> NDArray[np.int64]:
    """Number the values of each attribute, int64 (A, M), one attribute after the other.

    Numbers are cut into fifths; the twenty most frequent texts are kinds, and rarer ones are unknown. The twelve
    attributes that are known of the most accounts are used; one with a single kind is left out.
    """
    columns = [_kind(values) for _, values in sorted(facts.attributes.items())]
    columns = [column for column in columns if column.max(initial=UNKNOWN) >= 1]
    columns.sort(key=lambda column: -int((column != UNKNOWN).sum()))
    begin, numbered = 0, []
    for column in columns[:MAX_ATTRIBUTES]:
        numbered.append(np.where(column == UNKNOWN, UNKNOWN, column + begin))
        begin += int(column.max()) + 1
    return np.column_stack(numbered) if numbered else np.empty((n_accounts, 0), dtype=np.int64)


def _kind(values: NDArray[np.object_]) -> NDArray[np.int64]:
    known = np.array([value is not None and value == value for value in values], dtype=np.bool_)
    column = np.full(len(values), UNKNOWN, dtype=np.int64)
    given = values[known]
    if len(given) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        numbers = given.astype(np.float64)
        column[known] = np.searchsorted(np.unique(np.quantile(numbers, [0.2, 0.4, 0.6, 0.8])), numbers, side="left")
        return column
    texts, place, count = np.unique(given.astype(str), return_inverse=True, return_counts=True)
    frequent = np.argsort(-count, kind="stable")[:MAX_KINDS]
    code = np.full(len(texts), UNKNOWN, dtype=np.int64)
    code[frequent] = np.arange(len(frequent))
    column[known] = code[place]
    return column
