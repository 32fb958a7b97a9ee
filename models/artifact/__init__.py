"""The artifact: what training hands over to the service. Of ``models``, the running service imports only this.

Needs numpy alone.
"""

from models.artifact.activity import Activity
from models.artifact.basket_chances import BasketChances
from models.artifact.content import Content
from models.artifact.customers import Customers
from models.artifact.errors import ArtifactInvalid
from models.artifact.evidence import Evidence
from models.artifact.files import Artifact, list_artifacts, open_artifact, write_artifact
from models.artifact.groups import Groups
from models.artifact.holdings import Holdings
from models.artifact.ids import IdIndex, TextColumn, in_hash_order
from models.artifact.manifest import FileEntry, Manifest, Verdict, read_manifest
from models.artifact.products import NO_NUMBER, NO_ROW, Products
from models.artifact.propensities import Propensities
from models.artifact.relationships import Relationships
from models.artifact.reporting_currency import ReportingCurrency
from models.artifact.repurchases import Repurchases
from models.artifact.segments import Segments
from models.artifact.variants import NO_VARIANTS, variant_groups
from models.artifact.whitespace import CellTotals, GroupDemand

__all__ = [
    "NO_NUMBER",
    "NO_ROW",
    "NO_VARIANTS",
    "Activity",
    "Artifact",
    "ArtifactInvalid",
    "BasketChances",
    "CellTotals",
    "Content",
    "Customers",
    "Evidence",
    "FileEntry",
    "GroupDemand",
    "Groups",
    "Holdings",
    "IdIndex",
    "Manifest",
    "Products",
    "Propensities",
    "Relationships",
    "ReportingCurrency",
    "Repurchases",
    "Segments",
    "TextColumn",
    "Verdict",
    "in_hash_order",
    "list_artifacts",
    "open_artifact",
    "read_manifest",
    "variant_groups",
    "write_artifact",
]
