"""Each layout's page: the files that it shows are made, and its commands do what it says."""

import contextlib
import io
import json
import re
from itertools import zip_longest
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from ganglion.cli import main
from ganglion.data.convert.convert import LAYOUTS

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGES = sorted((DOCS / "layouts").glob("*.md"))
SHAPE = (6, 7, 5)
TABLE = "index\tname\n1\tnecrotic core\n2\toedema\n3\tenhancing tumour\n"


def trees(page):
    """Pairs of the files that a page shows and the commands that follow."""
    blocks = re.findall(r"```(text|bash)\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
    assert [kind for kind, _ in blocks] == ["text", "bash"] * (len(blocks) // 2)
    lines = [text.splitlines() for _, text in blocks]
    return list(zip_longest(lines[::2], lines[1::2]))


def codes_of(name):
    """A label map that a layout's files may hold: the codes of the challenge, or 0 and 1."""
    known = {"label.hdr": (0, 10, 150, 250), "LabelsForTraining": range(9), "segm": range(9), "lesion": (0, 1)}
    codes = next((codes for part, codes in known.items() if part in name), (0, 1, 2, 4) if "_seg" in name else range(4))
    return np.resize(np.array(codes, dtype=np.uint8), SHAPE)


def is_label(name):
    return bool(re.search(r"label|seg|lesion|\.OT\.", name, re.I))


def write(path, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    data = codes_of(str(path.relative_to(path.parents[1]))) if is_label(name) or "labels" in path.parent.name else None
    if data is None:
        data = np.random.default_rng(seed).integers(1, 999, SHAPE).astype(np.int16)
    if name.endswith(".json"):
        path.write_text(json.dumps({"Name": "n", "BIDSVersion": "1.8.0", "GeneratedBy": [{"Name": "manual"}]}))
    elif name.endswith(".tsv"):
        path.write_text(TABLE)
    elif name.endswith(".mha"):
        kind = {"uint8": "MET_UCHAR", "int16": "MET_SHORT"}[data.dtype.name]
        size = " ".join(map(str, SHAPE))
        head = f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nDimSize = {size}\n"
        path.write_bytes(f"{head}ElementType = {kind}\nElementDataFile = LOCAL\n".encode() + data.tobytes(order="F"))
    elif name.endswith(".hdr"):
        nib.AnalyzeImage(data[..., None].astype(np.int16), None).to_filename(path)
    elif path.parent.name.startswith("images"):
        nib.save(nib.Nifti1Image(np.stack([data + np.int16(k) for k in range(4)], axis=-1), np.eye(4)), path)
    else:
        nib.save(nib.Nifti1Image(data, np.eye(4)), path)


def test_every_layout_has_a_page():
    named = {word for page in PAGES for word in re.findall(r"convert (\w+) SRC DST", page.read_text(encoding="utf-8"))}
    named |= set(re.findall(r"layout is called `(\w+)`", (DOCS / "layouts" / "iseg.md").read_text(encoding="utf-8")))
    assert named == set(LAYOUTS)
    table = (DOCS / "own_data.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES if f"(layouts/{page.name})" not in table] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_shows_is_converted_and_passes_the_check(page, tmp_path, write_series):
    if page.stem == "bids":
        pytest.importorskip("bids")
    for number, (files, commands) in enumerate(trees(page)):
        source, target = tmp_path / f"src{number}", tmp_path / f"dst{number}"
        for seed, name in enumerate(files):
            if page.stem == "dicom":
                data = np.random.default_rng(seed).integers(1, 999, SHAPE).astype(np.int16)
                words = ["T1 SE", "FLAIR"][seed]
                write_series((source / name).parent, data, np.diag([1.0, 1.0, 2.0, 1.0]), words, series=seed + 1)
            else:
                write(source / name, seed)
        said = io.StringIO()
        for command in commands:
            words = [{"SRC": str(source), "DST": str(target)}.get(word, word) for word in command.split()[1:]]
            with contextlib.redirect_stdout(said):
                assert main(words) == 0, command
        content = json.loads((target / "dataset.json").read_text())
        assert sum(len(content[name]) for name in ("training", "validation", "test", "unlabeled")) > 0
        assert "0 errors" in said.getvalue()
