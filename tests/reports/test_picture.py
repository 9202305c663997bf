import struct

from ganglion.reports.overlays import Case
from ganglion.reports.picture import write_picture


def test_two_panels_a_case(finished):
    """Three cases are about three times as wide as one, and equally high."""

    def case(name):
        files = (finished / "data" / name / f"{name}_{part}.nii.gz" for part in ("FLAIR", "label"))
        return Case(name, *files, finished / "evaluation" / f"{name}_pred.nii.gz", "FLAIR")

    sizes = []
    for names in (["sub-001"], ["sub-001", "sub-002", "sub-003"]):
        path = write_picture(
            finished / "new" / "picture.png", [(name, case(name)) for name in names], "Simulated scans"
        )
        sizes.append(struct.unpack(">II", path.read_bytes()[16:24]))
    assert abs(sizes[1][0] - 3 * sizes[0][0]) <= 3
    assert abs(sizes[1][1] - sizes[0][1]) <= 1
    assert [path.name for path in (finished / "new").iterdir()] == ["picture.png"]
