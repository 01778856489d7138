"""Ids are types: a bare str never stands for a customer, an offer or a decision in a signature."""

from typing import NewType

CustomerId = NewType("CustomerId", str)
OfferId = NewType("OfferId", str)
CampaignId = NewType("CampaignId", str)
PlacementId = NewType("PlacementId", str)
DecisionId = NewType("DecisionId", str)
"""A UUIDv7 in text: its first 48 bits are the milliseconds of the decision, so the lake finds its day by itself."""
RevisionId = NewType("RevisionId", str)
"""`r-` and the first 12 hex digits of the content hash of a campaign folder; `-` and 8 more where some are stopped."""
ModelId = NewType("ModelId", str)
"""`m-` and the first 12 hex digits of a model folder's content hash, or `prior`."""
Millis = int
"""An instant: whole milliseconds since 1970-01-01T00:00:00Z. Durations are milliseconds too, named `..._ms`."""
