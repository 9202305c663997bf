"""The whole page, read back: what it shows and what it must not hold."""

import json
import re

import pytest
from finished_run import write_scores

from ganglion.errors import InputError
from ganglion.reports import write_report


def report(finished, **changes):
    arguments = {
        "run_dir": finished / "run",
        "evaluation_dir": finished / "evaluation",
        "dataset_dir": finished / "data",
        "title": "Lesions",
        "commands": ["python -m monai.bundle run training"],
    }
    return write_report(finished / "report.html", **(arguments | changes)).read_text()


def scores_of(finished):
    return json.loads((finished / "evaluation" / "scores.json").read_text())


def outside_of_viewers(text):
    """The page without the documents of nilearn's viewer, which tests/reports/test_viewer.py reads."""
    return re.sub(r'srcdoc="[^"]*"', "", text)


def test_no_external_address_and_no_folders(finished):
    text = report(finished)
    page = outside_of_viewers(text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page))
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "/home/somebody" not in text
    assert str(finished) not in text


def test_each_mean_stands_with_n_spread_and_interval(finished):
    text = report(finished)
    summary = scores_of(finished)["summary"]["lesion"]["dice"]
    low, high = summary["ci95"]
    cells = (f"{summary['mean']:.3f}", f"{summary['sd']:.3f}", "5", f"{low:.3f} to {high:.3f}")
    assert "<td>Dice</td>" + "".join(f"<td>{cell}</td>" for cell in cells) in text
    assert "10,000 resamples" in text
    assert "compute_hausdorff_distance" in text


def test_one_subject_has_no_mean(finished):
    (row, *_) = scores_of(finished)["subjects"]
    write_scores(finished / "evaluation", [row])
    text = report(finished)
    assert "<td>Dice</td><td>not shown</td><td>none</td><td>1</td><td>one subject only</td>" in text
    assert "Only case: sub-001" in text


def test_worst_median_best(finished):
    """The shifts are 2, 0, 4, 1, 3 voxels: sub-003 is worst, sub-001 the median, sub-002 the best."""
    text = report(finished)
    assert re.findall(r"<h3>(\w+): (sub-\d+)</h3>", text) == [
        ("Worst", "sub-003"),
        ("Median", "sub-001"),
        ("Best", "sub-002"),
    ]


def test_simulated_is_said_in_each_part(finished):
    text = report(finished)
    assert "Simulated data: these numbers say nothing about patients" in text
    assert "5 simulated subjects" in text
    assert text.count("Simulated FLAIR") == 3
    page = outside_of_viewers(report(finished, simulated=False))
    assert "imulated" not in page.replace("brats cohort, simulated", "").replace("Simulated subjects", "")


def test_curves_commands_seeds_and_fingerprint(finished):
    text = report(finished)
    assert "Training: critic" in text
    assert "python -m monai.bundle run training" in text
    assert re.search(r"<td>seed</td><td>11</td>", text)
    assert re.search(r"<td>fingerprint</td><td>[0-9a-f]{64}</td>", text)
    assert re.search(r"<td>monai</td><td>1\.", text)


def test_command_of_the_run_and_its_warnings(finished):
    text = report(finished, commands=[])
    assert "python -m monai.bundle run training --dataset_dir .../data" in text
    assert "<li>3 voxels of .../sub-001.nii.gz were set to 0</li>" in text
    (finished / "run" / "log.txt").unlink()
    assert "<h2>Warnings</h2>" not in report(finished)


def test_hostile_names_stay_text(finished):
    """A subject's name, a command, a note and a title are shown, never run."""
    bad = "<script>alert(1)</script>"
    content = scores_of(finished)
    content["subjects"][0]["subject"] = bad
    (finished / "evaluation" / "scores.json").write_text(json.dumps(content))
    text = outside_of_viewers(report(finished, title=bad, commands=[bad], notes=[bad], name=bad))
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)") > 4


def test_missing_prediction_is_said(finished):
    (finished / "evaluation" / "sub-003_pred.nii.gz").unlink()
    assert "No picture of sub-003 (worst)" in report(finished)


def test_comparison_is_paired_by_subject(finished):
    content = scores_of(finished)
    rows = [row | {"dice": row["dice"] - 0.1} for row in content["subjects"][1:]]
    write_scores(finished / "before", rows)
    text = report(finished, name="after", compare={"before": finished / "before"})
    assert "<td>difference to before</td><td>+0.100</td><td>0.000</td><td>4</td><td>0.100 to 0.100</td>" in text


def test_empty_cases_are_named(finished):
    content = scores_of(finished)
    content["subjects"][4]["empty"] = "pred_empty"
    (finished / "evaluation" / "scores.json").write_text(json.dumps(content))
    assert "scored by the policy below: sub-005 (pred_empty)" in report(finished)


def test_training_alone_and_evaluation_alone(finished):
    assert "<h2>Scores</h2>" not in report(finished, evaluation_dir=None, dataset_dir=None)
    assert "No training is part of this report" in report(finished, run_dir=None)


def test_a_training_that_was_cut_off_in_its_first_epoch(finished):
    (finished / "run" / "history.csv").write_text("epoch,iteration,critic/loss\n")
    assert "No epoch was finished." in report(finished, evaluation_dir=None, dataset_dir=None)


def test_warnings_stand_on_top(finished):
    text = outside_of_viewers(report(finished, seeds=1))
    assert text.index("<h2>Read this first</h2>") < text.index("<h2>Scores</h2>")
    assert "<b>A value that is not a number:</b> critic/loss in 1 epoch, first in 3." in text
    assert "<b>Few test subjects:</b> the scores are of 5 subjects." in text
    assert "<b>One training seed:</b>" in text


def test_the_configuration_as_run_is_folded_and_has_no_folders(finished):
    text = report(finished)
    folded = text[text.index("The configuration as run, complete") :]
    assert "&quot;x&quot;: &quot;$call()&quot;" in folded
    assert "&quot;dataset_dir&quot;: &quot;.../data&quot;" in folded


def test_missing_parts_are_named(finished):
    with pytest.raises(InputError, match=r"scores\.json: found no such file in data"):
        report(finished, evaluation_dir=finished / "data")
    with pytest.raises(InputError, match=r"history\.csv: found none in data"):
        report(finished, run_dir=finished / "data")
    with pytest.raises(InputError, match="found neither"):
        report(finished, run_dir=None, evaluation_dir=None)
