"""Volumes written as they are: `SaveVolumed`."""

from typing import Any

from monai.data import NibabelWriter
from monai.transforms import SaveImaged


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
