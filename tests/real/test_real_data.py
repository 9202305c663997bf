"""Real scans go in: converted, checked and loaded without a finding. Needs GANGLION_REAL_DATA."""

import numpy as np
import pytest
import torch

from ganglion.data import LoadContrastsd, LoadLabeld, ScaleBrainIntensityd, check_dataset, load_items
from ganglion.data.convert import convert


@pytest.mark.parametrize(
    ("name", "options", "contrasts", "subjects", "codes"),
    [
        ("open_ms_mni", {}, ("T1", "T1ce", "T2", "FLAIR"), 2, {"sub-07": {1: 1300}, "sub-19": {1: 49769}}),
        (
            "tcga_lgg_brats_space",
            {},
            ("T1", "T1ce", "T2", "FLAIR"),
            1,
            {"sub-TCGA-FG-6692": {1: 2477, 2: 20862, 3: 6840}},
        ),
        ("brats2013", {"label_map": "brats2013"}, ("T1ce", "FLAIR"), 4, {"sub-0001": {1: 27189, 2: 53050, 3: 31485}}),
    ],
)
def test_real_scans_are_converted_checked_and_loaded(real_data, tmp_path, name, options, contrasts, subjects, codes):
    """Voxel counts of the codes are those of the folder's own README, after mapping."""
    done = convert("folder", real_data / name, tmp_path / "data", fractions=(1, 0, 0), **options)
    assert (done.contrasts, done.counts["training"]) == (contrasts, subjects)
    assert [finding.level for finding in check_dataset(tmp_path / "data")] == ["note"]
    allowed = (0, 1) if name == "open_ms_mni" else (0, 1, 2, 3)
    item = load_items(tmp_path / "data", "training")[0]
    item = LoadLabeld(codes=allowed)(LoadContrastsd(contrasts=contrasts)(item))
    values, counts = np.unique(item["label"].numpy(), return_counts=True)
    found = {int(code): int(count) for code, count in zip(values, counts, strict=True) if code}
    assert found == codes[item["subject"]]
    scaled = ScaleBrainIntensityd("image")(item)["image"]
    assert torch.isfinite(scaled).all()
    assert (scaled.amin(), scaled.amax()) == (0, 1)
    inside = scaled[:, item["image"][0] > 0]
    assert (inside.mean(dim=1) > 0.1).all()
