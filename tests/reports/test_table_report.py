"""The page of a made-up table, read back: what it shows and what it must not hold."""

import re

import nibabel as nib
import numpy as np
import pytest
from fake_table import make_table, trained, write_fake, write_history, write_row

from ganglion.reports.forest import STYLE as FOREST_STYLE
from ganglion.reports.html import STYLE
from ganglion.reports.table_report import write_table_report
from ganglion.reproduce.results import read_results

from .test_matrix import contrast


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, read_results(write_fake(out), out, range(3))


@pytest.fixture(scope="module")
def text(made):
    out, results = made
    return write_table_report(results, out / "table.html", rows_dir=out / "table1").read_text(encoding="utf-8")


def chapter(text, title):
    return re.search(rf"<section><h2>{title}</h2>(.*?)</section>", text, re.S).group(1)


def test_chapters_in_order(text):
    assert re.findall(r"<h2>(.*?)</h2>", text) == [
        "Answer",
        "Before you trust it",
        "Means and differences",
        "Ours and the paper&#x27;s",
        "The paper&#x27;s order and ours",
        "Trained on one, scored on another",
        "Any two rows",
        "Every subject",
        "Validation during training",
        "Time and memory",
        "Not done",
        "How it was done",
    ]


def test_answer_stands_first_with_its_certainty(text):
    said = chapter(text, "Answer")
    assert "Compared with <b>Row base</b>, on 16 simulated subjects and 3 training seeds:" in said
    assert re.search(
        r"▲ better</span><span><b>Row good</b> is above by 0\.04\d Dice \(95 % interval .*?; p below 0\.001 after", said
    )
    assert re.search(r"≈ not decided</span><span><b>Row swinging</b> is above .*could turn it round: not decided", said)
    assert re.search(r"<b>Row half</b>", said)
    assert "3 trainings tell little about how much trainings vary" in said


def test_no_external_address_no_folders_no_scripts(text, made):
    bare = re.sub(r"base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", bare)
    assert "/home/somebody" not in text
    assert str(made[0]) not in text
    assert "<script" not in text


def test_hostile_names_stay_text(text):
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt; &amp; co | x") >= 5


def test_a_failed_row_and_a_half_done_one_say_so(text):
    assert "(failed): seed 0: failed with exit code 3: error: .../sub-001.nii.gz: found nan" in chapter(
        text, "Not done"
    )
    warned = re.search(r"<aside.*?</aside>", text, re.S).group()
    assert "Row half: 2 of 3 seeds are done" in warned
    times = chapter(text, "Time and memory")
    assert "<td>Row half</td><td>2 of 3</td><td>12</td><td>90 s</td><td>1,500 MiB</td>" in times


def test_signs_of_trouble_name_the_trainings(tmp_path):
    """Once for all trainings that show it, and not said of those that do not."""
    for row, broken in (("base", (1, 2)), ("other", (0,)), ("sound", ())):
        for seed in range(3):
            folder = write_row(tmp_path, row, seed, {"a": 0.8, "b": 0.7})
            write_history(folder)
            history = folder / "run" / "history.csv"
            if seed in broken:
                history.write_text(history.read_text() + "13,130,nan,nan,nan,\n")
    results = read_results(make_table([trained("base"), trained("other"), trained("sound")]), tmp_path, range(3))
    page = write_table_report(results, tmp_path / "t.html", tmp_path / "table1").read_text(encoding="utf-8")
    (said,) = re.findall(r"<p><b>A value that is not a number:</b> (.*?)</p>", page)
    assert said.startswith("Row base, seed 1, 2; Row other, seed 0. In the first of them: critic/loss in 1 epoch")


def test_unequal_budgets_are_said(tmp_path):
    for row, epochs in (("base", 12), ("other", 20)):
        write_history(write_row(tmp_path, row, 0, {"a": 0.8, "b": 0.7}), epochs)
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, range(1))
    page = write_table_report(results, tmp_path / "t.html", tmp_path / "table1").read_text(encoding="utf-8")
    assert "12 epochs: Row base; 20 epochs: Row other." in page


def test_equal_budgets_are_not(text):
    assert "Unequal budgets" not in text


def test_printed_numbers_stand_beside_ours(text):
    table = chapter(text, "Ours and the paper&#x27;s")
    assert re.search(r"Row good.*?<td>16</td><td>3 of 3</td><td>0\.8\d\d<small>.*?</small></td><td>0\.8</td>", table)
    assert "<td>Row good</td><td></td>" not in table
    assert "printed" not in re.sub(r"Dice<small>printed", "", table.split("</thead>")[0])
    assert "Table I, row 2" in table
    assert "compare the order of rows and their differences, not the values" in table


def test_order_differs_and_is_said(text):
    """Printed: base 0.82 above good 0.80."""
    said = chapter(text, "The paper&#x27;s order and ours")
    assert "Paper: Row base &gt; Row good. Here: Row good &gt; Row base (1 of 1 pair the other way round)" in said


def test_any_two_rows(text):
    assert "6 pairs, Dice" in chapter(text, "Any two rows")


def test_simulated_is_said_only_where_it_is(text, made, tmp_path):
    badge = '<div class="badge">Simulated data'
    assert badge in text
    page = write_table_report({**made[1], "simulated": False}, tmp_path / "t.html").read_text(encoding="utf-8")
    assert badge not in page
    assert "on 16 subjects and 3" in page


def test_commands_versions_fingerprint_and_definitions(text):
    how = chapter(text, "How it was done")
    assert "python -m monai.bundle run training --seed 0" in how
    assert "ab" * 32 in how
    assert "<td>monai</td>" in how
    assert "compute_hausdorff_distance" in how
    assert "Wilcoxon" in how
    assert "too much was marked; this table takes its size, without the sign" in how


def test_one_subject_shows_no_mean(tmp_path):
    for row, value in (("base", 0.8125), ("other", 0.9375)):
        write_row(tmp_path, row, 0, {"a": value})
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, range(1))
    page = write_table_report(results, tmp_path / "table.html").read_text(encoding="utf-8")
    answer, table = chapter(page, "Answer"), chapter(page, "Ours and the paper&#x27;s")
    assert "one subject has no spread" in answer
    assert "0.81" not in answer + table + chapter(page, "Means and differences")
    assert "not shown" in table


def test_nothing_run_yet(tmp_path):
    results = read_results(make_table([trained("base"), trained("other")]), tmp_path, range(3))
    page = write_table_report(results, tmp_path / "table.html", rows_dir=tmp_path / "table1").read_text("utf-8")
    assert "No row has a result yet." in page
    assert page.count("seed 0, 1, 2: not run") == 2


def test_pictures_are_of_the_same_subjects_in_both_rows(tmp_path, finished):
    subjects = sorted(path.name for path in (finished / "data").glob("sub-*"))
    for row, gain in (("base", 0.0), ("good", 0.1)):
        folder = write_row(tmp_path, row, 0, {s: 0.5 + gain + 0.01 * i for i, s in enumerate(subjects)})
        for subject in subjects:
            label = nib.load(finished / "data" / subject / f"{subject}_label.nii.gz")
            nib.save(nib.Nifti1Image(np.asarray(label.dataobj), label.affine), folder / f"test/{subject}_pred.nii.gz")
    results = read_results(make_table([trained("base"), trained("good")]), tmp_path, range(1))
    page = write_table_report(results, tmp_path / "t.html", tmp_path / "table1", finished / "data").read_text("utf-8")
    pictures = chapter(page, "The same subjects in two rows")
    found = re.findall(r'<h3 class="group">(\w+): (sub-\d+)</h3>', pictures)
    assert found == [("Worst", "sub-001"), ("Median", "sub-003"), ("Best", "sub-005")]
    assert re.findall(r"<h3>(.*?)</h3><img", pictures) == ["Row good", "Row base"] * 3
    assert "Dice 0.600, mean of 1 seed." in pictures
    (tmp_path / "table1/base/seed0/test/sub-003_pred.nii.gz").unlink()
    (tmp_path / "table1/base/seed0/test/sub-001_pred.nii.gz").write_bytes(b"no image")
    page = write_table_report(results, tmp_path / "t.html", tmp_path / "table1", finished / "data").read_text("utf-8")
    assert page.count("Its prediction was not kept.") == 1
    assert page.count("No picture: sub-001_pred.nii.gz cannot be read as an image") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read(scheme):
    """Every colour that words have, on page and card; marks need 3 : 1."""
    colours = {}
    for style in (STYLE, FOREST_STYLE):
        roots = re.findall(r":root \{(.*?)\}", style, re.S)
        assert len(roots) == 2
        for block in roots[: 1 if scheme == "light" else 2]:
            colours |= dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    for back in ("paper", "card"):
        for word in ("ink", "soft", "good", "bad"):
            assert contrast(colours[word], colours[back]) >= 4.5, (word, back)
        for mark in ("c0", "c1"):
            assert contrast(colours[mark], colours[back]) >= 3, (mark, back)
    assert contrast(colours["warn"], colours["warnback"]) >= 4.5
