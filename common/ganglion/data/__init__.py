"""Data: `dataset.json`, its check and its converters, and the transforms that load it."""

from importlib import import_module
from typing import Any

# Where each public name lives. Loaded on first use, so that checking and converting import no torch.
_HOMES = {
    "load_items": "datalist",
    "inference_items": "datalist",
    "contrast_items": "any_contrast",
    "subset_items": "any_contrast",
    "read_dataset_json": "datalist",
    "write_dataset_json": "datalist",
    "split_subjects": "splits",
    "check_dataset": "check",
    "report": "findings",
    "Finding": "findings",
    "FileError": "findings",
    "RandInvertBraind": "inversion",
    "LoadContrastsd": "loading",
    "LoadLabeld": "loading",
    "PlainCompose": "plain",
    "CropToHeadd": "transforms",
    "ForegroundProbabilityd": "transforms",
    "LikeliestCoded": "transforms",
    "SaveSyntheticd": "saving",
    "SaveVolumed": "saving",
    "KeepSlicesd": "slices",
    "ResampleSpacingd": "transforms",
    "ScaleBrainIntensityd": "transforms",
    "DrawnItems": "seeded",
    "MixedItems": "seeded",
    "SeededItems": "seeded",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
