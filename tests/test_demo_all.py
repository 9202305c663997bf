"""The demonstration of all bundles: which, with what commands, into which folder; and, marked slow, the whole of it."""

import json
import shlex
from pathlib import Path

import pytest
from found_bundles import TRAINED

from ganglion.cli import main
from ganglion.demo_all import MARKER, SPLITS, SUBJECTS, clear, find_bundles, plan
from ganglion.errors import InputError

ROOT = Path(__file__).parents[1]


def test_bundles_with_weights_are_found_and_what_they_want():
    shown = find_bundles(ROOT / "bundles")
    assert sorted(one.name for one in shown) == sorted(bundle.name for bundle in TRAINED)
    assert [one.draws for one in shown] == sorted(one.draws for one in shown)
    known = {one.name: one for one in shown}
    assert (known["segan_transfer"].cohort, known["multistage_gan"].cohort) == ("brats", "iseg")
    assert known["segan_transfer"].contrasts == ("T1", "T1ce", "T2", "FLAIR")


def test_no_bundle_is_an_error(tmp_path):
    with pytest.raises(InputError, match="found no bundle with models/model.pt"):
        find_bundles(tmp_path)


def write_bundle(root, label, draws=False):
    (root / "models").mkdir(parents=True)
    (root / "models" / "model.pt").write_bytes(b"weights")
    (root / "configs").mkdir()
    names = {"network_data_format": {"outputs": {"pred": {"channel_def": {"0": "background", "1": label}}}}}
    (root / "configs" / "metadata.json").write_text(json.dumps(names))
    (root / "configs" / "inference.json").write_text(json.dumps({"contrasts": ["T1"]}))
    if draws:
        (root / "configs" / "train_generator.json").write_text("{}")


def test_each_cohort_is_simulated_once_and_what_draws_comes_last(tmp_path):
    write_bundle(tmp_path / "a_draws", "tumour", draws=True)
    write_bundle(tmp_path / "b_tumour", "tumour")
    write_bundle(tmp_path / "c_tissue", "white matter")
    write_bundle(tmp_path / "d_tumour", "tumour")
    steps = plan(Path("out here"), find_bundles(tmp_path), 7, 2.0)
    assert [step.name for step in steps] == [
        *("simulate_brats", "simulate_iseg"),
        *("b_tumour", "c_tissue", "d_tumour", "a_draws"),
    ]
    for step in steps:
        assert shlex.split(step.line) == list(step.words)
    assert sum(SPLITS) == SUBJECTS
    assert steps[3].words[-3:] == ("out here/data/iseg", "--output_dir", "out here/c_tissue")
    assert steps[-1].words[4:6] == ("generating", "--config_file")


def test_only_a_folder_of_its_own_is_cleared(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not of a demonstration of all"):
        clear(tmp_path)
    with pytest.raises(InputError, match="is a file, expected a folder"):
        clear(tmp_path / "thesis.txt")
    clear(tmp_path / "out")
    (tmp_path / "out" / "former").mkdir()
    clear(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MARKER, "logs"]


@pytest.mark.slow
def test_the_whole(tmp_path, capsys):
    assert main(["demo", "--all", "--out", str(tmp_path / "all"), "--spacing", "4"]) == 0
    out = capsys.readouterr().out
    for bundle in TRAINED:
        assert f"\n{bundle.name} " in out
        assert (tmp_path / "all" / bundle.name).is_dir()
    assert (tmp_path / "all" / "picture.png").stat().st_size > 20_000
