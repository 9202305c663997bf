"""Volumes written as they are: `SaveVolumed`; made-up contrasts, marked as such: `SaveSyntheticd`."""

import logging
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import NibabelWriter
from monai.transforms import MapTransform, SaveImaged

from ..errors import InputError
from ..keys import HELD, IMAGE, PRED
from .naming import canonical_contrast
from .nifti import write_volume

_log = logging.getLogger(__name__)


class SaveVolumed(SaveImaged):
    """MONAI's `SaveImaged` to NIfTI that keeps every axis of a volume.

    MONAI drops trailing axes of one voxel: a single slice, 20 x 9 x 1, would be written as a flat picture, which lies
    on another grid than its image, and a single voxel cannot be written at all. Here only the channel is dropped, if
    there is one alone. Takes what `SaveImaged` takes, but for `writer`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs, writer=_VolumeWriter)


class _VolumeWriter(NibabelWriter):
    @classmethod
    def convert_to_channel_last(
        cls,
        data: Any,
        channel_dim: Any = 0,
        squeeze_end_dims: bool = True,
        spatial_ndim: int | None = 3,
        contiguous: bool = False,
    ) -> Any:
        """Channel-first to channel-last; one channel alone is dropped."""
        data = super().convert_to_channel_last(data, channel_dim, False, spatial_ndim, contiguous)
        return data[..., 0] if squeeze_end_dims and data.shape[-1] == 1 else data


class SaveSyntheticd(MapTransform):
    """Write contrasts that a network made up, as `<subject>_<contrast>_synthetic.nii.gz`.

    The header's `descrip` says that the file is synthetic and from which contrasts. Nothing in these files was seen by
    a scanner: they are no scans, and the check of a data set knows them by their names.

    Args:
        keys: keys of channel-first images in [0, 1], 0 beside the head, (n, X, Y, Z), on the grid to be written.
        contrasts: names of the n channels.
        output_dir: folder to write into.
        targets: contrasts to write; None for those that the subject lacks.
        image_key: key of the image, whose meta tells the subject and the contrasts that it has.
        scale: what 1 is written as; whole numbers are written.
    """

    def __init__(
        self,
        keys: KeysCollection = PRED,
        contrasts: Sequence[str] = (),
        output_dir: str | Path = ".",
        targets: Sequence[str] | None = None,
        image_key: str = IMAGE,
        scale: float = 1000.0,
    ) -> None:
        super().__init__(keys)
        self.contrasts = tuple(canonical_contrast(name) for name in contrasts)
        self.targets = None if targets is None else tuple(canonical_contrast(name) for name in targets)
        unknown = [name for name in self.targets or () if name not in self.contrasts]
        if unknown:
            known = ", ".join(self.contrasts)
            raise InputError(f"targets: found {', '.join(unknown)}, expected some of {known}.")
        self.output_dir, self.image_key, self.scale = Path(output_dir), image_key, scale

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """The item as it was."""
        item = dict(data)
        meta = item[self.image_key].meta
        held, subject = str(meta.get(HELD, "")).split(","), meta["filename_or_obj"]
        targets = [name for name in self.contrasts if name not in held] if self.targets is None else self.targets
        if not targets:
            _log.info("%s: has every contrast; nothing to make (name some with targets)", subject)
        self.output_dir.mkdir(parents=True, exist_ok=True)
        for key in self.key_iterator(item):
            for name in targets:
                sources = [other for other in held if other != name]
                if not sources:
                    _log.warning("%s: %s cannot be made from itself; not written", subject, name)
                    continue
                channel = torch.as_tensor(item[key])[self.contrasts.index(name)].as_subclass(torch.Tensor)
                values = (channel.clamp(0, 1) * self.scale).round().numpy().astype(np.int16)
                file = self.output_dir / f"{subject}_{name}_synthetic.nii.gz"
                affine = np.asarray(item[key].affine, dtype=np.float64)
                write_volume(file, values, affine, f"synthetic {name} from {','.join(sources)}; not a scan")
                _log.info("wrote %s, made from %s", file.name, ", ".join(sources))
        return item
