"""Converters: `convert(layout, src, dst)` writes a `dataset.json` that refers to the images where they are."""

from .convert import LAYOUTS, Conversion, convert

__all__ = ["LAYOUTS", "Conversion", "convert"]
