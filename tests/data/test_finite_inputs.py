"""No finite image gives a network anything that is not finite: drawn by hypothesis, through the bundle's own chain."""

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from monai.bundle import ConfigParser

from ganglion.data import ScaleBrainIntensityd
from ganglion.errors import InputError

CONFIGS = Path(__file__).parents[2] / "bundles" / "segan_transfer" / "configs"
HUGE = float(np.finfo(np.float32).max)
TINY = float(np.finfo(np.float32).smallest_subnormal)
VALUES = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, HUGE, -HUGE, 1e38, TINY, -TINY, 1e-38, 3e4, -1024.0]),
)
quick = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


def volumes():
    return array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6).flatmap(
        lambda shape: arrays(np.float32, shape, elements=VALUES, fill=st.sampled_from([0.0, 5.0, -3.0, HUGE]))
    )


def one_voxel(value, shape=(5, 4, 3)):
    data = np.zeros(shape, dtype=np.float32)
    data[2, 1, 1] = value
    return data


def ends(low, high, shape=(6, 6, 6)):
    data = np.full(shape, low, dtype=np.float32)
    data[3:] = high
    return data


@pytest.fixture(scope="module")
def preprocessing():
    """What inference does before the network, for one contrast."""
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "inference.json"))
    parser.update({"contrasts": ["T1"]})
    return parser.get_parsed_content("preprocessing")


@quick
@given(volumes())
@example(one_voxel(1.0))
@example(one_voxel(HUGE))
@example(one_voxel(TINY))
@example(one_voxel(-7.0))
@example(ends(-HUGE, HUGE))
@example(ends(TINY, 2 * TINY))
@example(ends(-5, -2))
@example(np.zeros((3, 3, 3), dtype=np.float32))
@example(np.full((3, 3, 3), HUGE, dtype=np.float32))
def test_scaling_gives_numbers_from_0_to_1(data):
    out = ScaleBrainIntensityd("image")({"image": torch.from_numpy(data[None])})["image"]
    assert torch.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= 1
    assert (out[torch.from_numpy(data[None]) == 0] == 0).all()


@pytest.mark.parametrize(("low", "high"), [(-HUGE, HUGE), (1e37, 3e38), (TINY, 400 * TINY), (-1e-38, 1e-38)])
def test_scaling_of_extreme_numbers_is_right(low, high):
    """Half-way stays half-way, however large or small the numbers are."""
    data = torch.tensor(np.linspace(low, high, 1001, dtype=np.float64).astype(np.float32)).reshape(1, 7, 11, 13)
    out = ScaleBrainIntensityd("image", 0, 100)({"image": data})["image"]
    expected = torch.linspace(0, 1, 1001).reshape(1, 7, 11, 13)
    expected[data == 0] = 0
    torch.testing.assert_close(out, expected, atol=2e-3, rtol=0)


@settings(quick, max_examples=40)
@given(
    data=volumes(),
    kind=st.sampled_from([np.float32, np.float64, np.int16, np.uint8]),
    slope=st.sampled_from([None, (0.5, -3.0), (1e30, 0.0), (-2.0, 1e4), (1e-40, 0.0)]),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (2.0, 2.0, 2.0), (0.7, 3.0, 1.3)]),
)
@example(ends(-5, -2), np.float32, None, (1.0, 1.0, 1.0))
@example(np.zeros((3, 3, 3), dtype=np.float32), np.float32, None, (1.0, 1.0, 1.0))
@example(ends(-HUGE, HUGE), np.float64, None, (1.0, 1.0, 1.0))
@example(one_voxel(HUGE), np.float32, (1e30, 0.0), (1.0, 1.0, 1.0))
def test_the_bundles_chain_gives_finite_numbers(preprocessing, tmp_path_factory, data, kind, slope, spacing):
    """From the file to the network's door: finite numbers from 0 to 1, of a size that the network takes."""
    folder = tmp_path_factory.mktemp("finite")
    limits = np.iinfo(kind) if np.issubdtype(kind, np.integer) else None
    data = data.astype(np.float64) if limits is None else np.clip(data, limits.min, limits.max)
    image = nib.Nifti1Image(data.astype(kind), np.diag([*spacing, 1.0]))
    raw = bytearray(image.to_bytes())
    if slope is not None:
        raw[112:120] = np.asarray(slope, dtype="<f4").tobytes()
    (folder / "s_T1.nii").write_bytes(raw)
    out = preprocessing({"image": str(folder / "s_T1.nii")})["image"]
    assert torch.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= 1
    assert min(out.shape) > 0
    assert out.shape[1] % 16 == out.shape[2] % 16 == 0


def test_numbers_beyond_float32_are_refused_or_replaced(preprocessing, tmp_path, caplog):
    data = np.full((5, 5, 5), 3.0)
    data[1, 1, 1] = 1e300
    nib.save(nib.Nifti1Image(data, np.eye(4)), tmp_path / "s_T1.nii")
    out = preprocessing({"image": str(tmp_path / "s_T1.nii")})["image"]
    assert torch.isfinite(out).all()
    assert "found 1 Inf voxels" in caplog.text
    parser = ConfigParser()
    parser.read_config(str(CONFIGS / "train.json"))
    parser.update({"contrasts": ["T1"]})
    with pytest.raises(InputError, match=r"s_T1\.nii: found 1 Inf voxels"):
        parser.get_parsed_content("load")({"image": str(tmp_path / "s_T1.nii")})


@pytest.mark.parametrize(("kind", "scale"), list(itertools.product([np.int16, np.float32], [1.0, -1.0])))
def test_sign_and_type_of_an_image_do_not_hide_it(preprocessing, tmp_path, kind, scale):
    """An image of negative numbers is cropped and scaled like any other: nothing of its head is lost."""
    data = np.zeros((40, 40, 20), dtype=kind)
    data[10:30, 8:28, 5:15] = (scale * np.random.default_rng(0).integers(1, 99, (20, 20, 10))).astype(kind)
    nib.save(nib.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0])), tmp_path / "s_T1.nii")
    out = preprocessing({"image": str(tmp_path / "s_T1.nii")})["image"]
    assert tuple(out.shape[1:]) == (32, 32, 10)
    assert out.max() == 1
