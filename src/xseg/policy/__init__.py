"""The policy: what a person may be told about each feature, and what it may be used for.

One YAML file says of every column its plain label, its unit, where it came from, for which purposes it
is used, and whether the person can change it. Cards, consent gates, reviews and tokens read the same file,
so that what a company says and what its model does can be compared by a machine.
"""

from xseg.policy._feature_policy import FeaturePolicy, FeatureWords, SegmentPolicy, Traits, Translation
from xseg.policy._policy import STATEMENTS, Policy
from xseg.policy._policy_parts import (
    RIGHTS,
    Controller,
    Purpose,
    RightLink,
    Source,
    Unit,
    Vendor,
    derive_rights,
    is_marketing,
)

__all__ = [
    "RIGHTS",
    "STATEMENTS",
    "Controller",
    "FeaturePolicy",
    "FeatureWords",
    "Policy",
    "Purpose",
    "RightLink",
    "SegmentPolicy",
    "Source",
    "Traits",
    "Translation",
    "Unit",
    "Vendor",
    "derive_rights",
    "is_marketing",
]
