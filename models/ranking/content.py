"""Vectors of products made of line, category and name: close for products that are alike."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from models.artifact import Products
from models.products.groups import groups_of

NAME_COLUMNS = 2**14
SIZE = 64
LINE_WEIGHT, CATEGORY_WEIGHT = 0.5, 1.0
"""Beside a name's 1."""


def content_vectors(products: Products, seed: int) -> NDArray[np.float32]:
    """Return float32 (P, d), of length 1, or 0 where nothing is known of any product; d is at most SIZE.

    Groups of three to five characters of the name, weighted by rarity, beside line and category, projected on the
    directions in which products differ most. Products with equal facts count there once, which keeps it cheap. A name
    that is the identifier says nothing.
    Source: Deerwester et al., Indexing by latent semantic analysis (JASIS, 1990).
    """
    names = [
        "" if name == identifier else name for name, identifier in zip(products.names, products.ids.texts, strict=True)
    ]
    rows = list(zip(products.lines, products.categories, names, strict=True))
    distinct = sorted(set(rows))
    described = _describe(*zip(*distinct, strict=True)) if len(distinct) > 1 else csr_matrix((1, 1))
    size = min(SIZE, min(described.shape) - 1)
    if size < 1:
        return np.zeros((len(rows), 1), dtype=np.float32)
    with threadpool_limits(1):
        directions, spreads, _ = randomized_svd(described, size, n_iter=2, random_state=seed)
    place = {row: number for number, row in enumerate(distinct)}
    vectors = normalize(directions * spreads).astype(np.float32)
    return np.asarray(vectors[[place[row] for row in rows]])


def _describe(lines: tuple[str, ...], categories: tuple[str, ...], names: tuple[str, ...]) -> csr_matrix:
    """Float32, sparse, a row for each of distinct products."""
    vectorizer = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 5),
        n_features=NAME_COLUMNS,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    of_names = TfidfTransformer(sublinear_tf=True).fit_transform(vectorizer.transform(names))
    blocks = (of_names, _one_hot(lines, LINE_WEIGHT), _one_hot(categories, CATEGORY_WEIGHT))
    return normalize(hstack(blocks).tocsr().astype(np.float32))


def _one_hot(names: tuple[str, ...], weight: float) -> csr_matrix:
    """A column for each name; an empty one is 0 everywhere."""
    group, n_groups = groups_of(names)
    is_known = np.flatnonzero(group >= 0)
    entries = (np.full(len(is_known), weight, dtype=np.float32), (is_known, group[is_known]))
    return csr_matrix(entries, shape=(len(names), max(n_groups, 1)))
