"""Ganglion: adversarial networks for brain MRI, shipped as MONAI bundles.

Importing this package loads neither torch nor MONAI; each sub-package loads what it needs.
"""

__version__ = "0.1.0"
