"""A real SupervisedEvaluator over boxes whose scores are arithmetic."""

import csv
import functools
import json
import logging

import pytest
import quick_evaluator
import torch
import torch.multiprocessing as mp
from monai.data import MetaTensor

from ganglion.engines.handlers.subject_scores import COLUMNS, SubjectScores
from ganglion.errors import InputError
from ganglion.metrics import DEFINITIONS, METRICS

AFFINE = quick_evaluator.AFFINE
evaluate = functools.partial(quick_evaluator.evaluate, batch_size=2)


def case(name, shift, affine=AFFINE):
    """Image and label are a 4 x 4 x 4 box; the image's is shifted, so that thresholding it gives a known Dice."""
    label, image = torch.zeros(1, 12, 12, 12), torch.zeros(1, 12, 12, 12)
    label[:, 2:6, 2:6, 2:6] = 2
    if shift is not None:
        image[:, 2 + shift : 6 + shift, 2:6, 2:6] = 1
    return {"subject": name, "image": MetaTensor(image, affine=affine), "label": MetaTensor(label, affine=AFFINE)}


@pytest.fixture
def items():
    return [case("sub-002", 2), case("sub-001", 1), case("sub-003", None)]


def test_files_and_metrics(tmp_path, items):
    evaluator = evaluate(items, SubjectScores(tmp_path / "evaluation"))
    with open(tmp_path / "evaluation" / "scores.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [row["subject"] for row in rows] == ["sub-001", "sub-002", "sub-003"]
    assert [float(row["dice"]) for row in rows] == pytest.approx([0.75, 0.5, 0.0])
    assert [row["empty"] for row in rows] == ["", "", "pred_empty"]
    assert [float(row["volume_error_ml"]) for row in rows] == pytest.approx([0, 0, -0.128])
    content = json.loads((tmp_path / "evaluation" / "scores.json").read_text())
    summary = content["summary"]["whole tumour"]
    assert set(summary) == set(METRICS)
    assert summary["dice"]["mean"] == pytest.approx(1.25 / 3)
    assert summary["dice"]["n"] == 3
    assert content["definitions"].items() >= DEFINITIONS.items()
    assert [row["subject"] for row in content["subjects"]] == ["sub-001", "sub-002", "sub-003"]
    assert evaluator.state.metrics["mean_dice"] == pytest.approx(1.25 / 3)
    assert sorted(path.name for path in (tmp_path / "evaluation").iterdir()) == ["scores.csv", "scores.json"]


def test_scores_what_the_postprocessing_made(tmp_path, items):
    """A post-processing that sets the prediction to the label makes every score 1."""

    def cheat(data):
        return {**data, "pred": data["label"]}

    evaluator = evaluate(items, SubjectScores(tmp_path), postprocessing=cheat)
    assert evaluator.state.metrics["mean_dice"] == 1.0


def test_several_regions_are_scored_by_their_codes(tmp_path):
    """Label: left half 1, right half 2. The prediction takes a quarter of what is 2 for 1."""
    label = torch.ones(1, 8, 8, 8)
    label[:, 4:] = 2
    pred = label.clone()
    pred[:, 4:6, :, :4] = 1
    items = [
        {"subject": name, "image": MetaTensor(pred, affine=AFFINE), "label": MetaTensor(label, affine=AFFINE)}
        for name in ("sub-002", "sub-001")
    ]
    evaluator = evaluate(items, SubjectScores(tmp_path, regions={"left": 1, "right": 2, "nowhere": 3}))
    content = json.loads((tmp_path / "scores.json").read_text())
    assert [(row["subject"], row["region"]) for row in content["subjects"][:4]] == [
        ("sub-001", "left"), ("sub-001", "right"), ("sub-001", "nowhere"), ("sub-002", "left"),
    ]  # fmt: skip
    dice = {region: values["dice"]["mean"] for region, values in content["summary"].items()}
    assert dice == pytest.approx({"left": 2 * 256 / (320 + 256), "right": 2 * 192 / (192 + 256), "nowhere": 1})
    assert evaluator.state.metrics["mean_dice"] == pytest.approx(sum(dice.values()) / 3)
    assert content["summary"]["left"]["volume_error_ml"]["mean"] == pytest.approx(64 * 2 / 1000)
    assert content["subjects"][2]["empty"] == "both_empty"


def test_no_region_is_refused(tmp_path):
    with pytest.raises(InputError, match="regions: found none"):
        SubjectScores(tmp_path, regions={})


def test_second_run_starts_from_nothing(tmp_path, items):
    handler = SubjectScores(tmp_path)
    evaluator = evaluate(items, handler)
    evaluator.run()
    assert len(handler.rows) == 3
    assert len(json.loads((tmp_path / "scores.json").read_text())["subjects"]) == 3


def test_log_has_one_line_a_subject_and_spread(items, caplog):
    with caplog.at_level(logging.INFO):
        evaluate(items, SubjectScores(None, region="lesion"))
    lines = [record.message for record in caplog.records if "lesion" in record.message]
    assert lines[0].startswith("sub-002: lesion  Dice 0.500")
    assert any("n = 3, 95 % interval" in line for line in lines)


def test_name_from_metadata_without_folders(items):
    del items[0]["subject"]
    items[0]["image"].meta["filename_or_obj"] = "/home/somebody/secret/pat.nii.gz"
    items[0]["label"].meta["filename_or_obj"] = "/home/somebody/secret/pat_label.nii.gz"
    handler = SubjectScores(None)
    evaluate(items[:1], handler)
    assert handler.rows[0]["subject"] in {"pat", "pat_label"}


def test_no_name_is_an_error(items):
    del items[0]["subject"]
    with pytest.raises(InputError, match="without a name"):
        evaluate(items[:1], SubjectScores(None))


def test_other_grid_is_an_error():
    moved = AFFINE.clone()
    moved[0, 3] = 5.0
    with pytest.raises(InputError, match="sub-001: the prediction lies on another grid"):
        evaluate([case("sub-001", 1, affine=moved)], SubjectScores(None))


def test_one_name_for_two_cases_is_an_error():
    with pytest.raises(InputError, match="Two different cases are called 'sub-001'"):
        evaluate([case("sub-001", 1), case("sub-001", 2)], SubjectScores(None))


def test_nothing_is_written_when_the_evaluation_fails(tmp_path, items):
    def fail(data):
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="applying transform"):
        evaluate(items, SubjectScores(tmp_path), postprocessing=fail)
    assert list(tmp_path.iterdir()) == []


def _worker(rank, folder, port):
    import os

    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE="2", RANK=str(rank), LOCAL_RANK="0")
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    # Three subjects on two ranks: a distributed sampler hands the first one out twice.
    parts = ([case("sub-001", 1), case("sub-003", None)], [case("sub-002", 2), case("sub-001", 1)])
    evaluator = evaluate(parts[rank], SubjectScores(folder), batch_size=1)
    assert evaluator.state.metrics["mean_dice"] == pytest.approx(1.25 / 3)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_count_each_subject_once(tmp_path):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(_worker, args=(tmp_path, port), nprocs=2)
    content = json.loads((tmp_path / "scores.json").read_text())
    assert [row["subject"] for row in content["subjects"]] == ["sub-001", "sub-002", "sub-003"]
    assert content["summary"]["whole tumour"]["dice"]["n"] == 3
