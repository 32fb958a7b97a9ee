"""The examples in openapi.yaml, in one place. They work against the demo data."""

ACCOUNT_ID = "1"
PRODUCT_ID = "1029743"
OTHER_PRODUCT_ID = "1082185"
ARTIFACT_VERSION = "20171231T235959Z-0123456789abcdef"
