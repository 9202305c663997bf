"""What tests need to know of the unified multi-modal bundle, and sizes that make its networks take milliseconds."""

from bundle_under_test import BundleUnderTest

TESTED = BundleUnderTest("unified_multimodal")
SIZES = {"base": 2, "levels": 2, "side": 32, "spacing": [6.0, 6.0, 6.0]}
WIDTHS = {key: SIZES[key] for key in ("base", "levels")}
