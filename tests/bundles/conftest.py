"""What the tests of several bundles use; each file says which bundle by `TESTED`, and how small by `QUICK`."""

from pathlib import Path

import pytest
import torch


@pytest.fixture
def under_test(request):
    """What has `TESTED`, `QUICK` and `WIDTHS`: the file itself, unless it tests several bundles."""
    return request.module


@pytest.fixture
def bundle(under_test, tmp_path) -> Path:
    """A copy of the bundle, so that no test writes into the repository."""
    return under_test.TESTED.copy(tmp_path)


@pytest.fixture
def parts(under_test, bundle, iseg_cohort, tmp_path) -> dict:
    """Options of a training of seconds that writes beside the bundle."""
    places = {"output_dir": str(tmp_path / "run"), "weights": str(tmp_path / "model.pt")}
    return {**under_test.QUICK, **places, "dataset_dir": str(iseg_cohort)}


@pytest.fixture
def weights(under_test, tmp_path) -> Path:
    """Weights of a narrow network that labels T1 and T2, which knows nothing yet."""
    torch.manual_seed(0)
    path = tmp_path / "tiny.weights"
    content = under_test.TESTED.parser("inference.json", **under_test.WIDTHS)
    torch.save(content.get_parsed_content("network_def").state_dict(), path)
    return path


@pytest.fixture
def mrbrains_cohort(request, tmp_path) -> Path:
    """Three simulated adults with T1, T1-IR and FLAIR and one without labels, for the variant that wants them."""
    folder = tmp_path / "mrbrains"
    if "mrbrains" in request.node.name:
        from ganglion.data.phantom import write_cohort

        write_cohort("mrbrains", folder, 3, spacing=4.0, unlabeled=1, splits=(1, 1, 1), progress=False)
    return folder
