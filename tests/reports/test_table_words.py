"""Sentences about made-up differences: what they say and what they must not."""

import pytest

from ganglion.reports.table_words import answer, answers, column_title, how_sure, leader, order_sentences, p_words

FOUND = {
    "mean": 0.03,
    "sd": 0.02,
    "n": 16,
    "ci95": [0.01, 0.05],
    "ci95_subjects": [0.02, 0.04],
    "p_holm": 0.0101,
    "seeds": [0, 1, 2],
    "covers": "subjects and trainings",
    "networks": "better",
    "verdict": "better",
}
SUMMARY = {"mean": 0.8, "sd": 0.1, "n": 16, "ci95": [0.75, 0.85], "seed_means": [0.79, 0.8, 0.81], "seed_sd": 0.01}


def row(name, baseline="y", **more):
    plain = {"row": name, "name": name.upper(), "baseline": baseline, "state": "done", "differences": {}}
    return plain | {"metrics": {"dice": SUMMARY, "hd95_mm": SUMMARY}} | more


def results(*rows, simulated=True, **more):
    every = [*rows, row("y", baseline=None)]
    return {
        "rows": every,
        "simulated": simulated,
        "columns": ["dice", "hd95_mm"],
        "seeds": [0, 1, 2],
        "order": {},
    } | more


def said(found, column="dice", **more):
    compared = row("x", differences={column: FOUND | found})
    return answer(results(compared, **more), compared, column)


def test_better():
    verdict, name, text = said({})
    assert (verdict, name) == ("better", "X")
    assert text == (
        "On 16 simulated subjects and 3 training seeds, X is above Y by 0.030 Dice (95 % interval +0.010 to +0.050; "
        "p 0.010 after Holm): better."
    )


def test_patients_are_not_called_simulated():
    assert said({}, simulated=False).text.startswith("On 16 subjects and 3 training seeds, ")


def test_fewer_millimetres_are_better_and_that_is_said():
    found = {"mean": -2.14, "ci95": [-3.0, -1.0]}
    assert said(found, "hd95_mm").text.endswith(
        "X is below Y by 2.1 mm HD95 (95 % interval −3.0 to −1.0; p 0.010 after Holm): better (lower is better)."
    )


def test_cannot_be_told_apart():
    verdict, _, text = said({"networks": "undecided", "verdict": "undecided", "ci95": [-0.02, 0.05], "p_holm": 0.4})
    assert verdict == "undecided"
    assert "X and Y cannot be told apart: +0.030 Dice (95 % interval −0.020 to +0.050; p 0.40 after Holm)." in text


def test_interval_without_its_test():
    text = said({"networks": "undecided", "verdict": "undecided", "p_holm": 0.25, "n": 3}).text
    assert text.endswith("the interval is on one side of 0, but the test over 3 subjects does not confirm it.")


def test_networks_but_not_methods():
    several = said({"verdict": "undecided", "ci95": [-0.02, 0.09]}).text
    assert "the networks trained here are better, but trainings differ so much between seeds" in several
    one = said({"verdict": "undecided", "covers": "subjects", "seeds": [0]}).text
    assert "1 training seed," in one
    assert "this one network is better than that one; one training does not decide about the method" in one


def test_without_result():
    failed = row("x", state="failed", metrics={})
    assert answer(results(failed), failed, "dice") == ("nothing", "X", "X has no result: it failed.")
    whole = row("x")
    lacking = {"rows": [whole, row("y", baseline=None, metrics={}, state="missing")], "simulated": True}
    assert answer(lacking, whole, "dice").text == "X is not compared with Y: Y was not run to its end."
    both = results(whole)
    assert answer(both, whole, "dice").text.endswith("the two have no seed or no subject in common.")


def test_decided_first_and_shorter_where_the_baseline_is_known():
    open_ = FOUND | {"networks": "undecided", "verdict": "undecided"}
    rows = [row("u", differences={"dice": open_}), row("b", differences={"dice": FOUND})]
    rows.append(row("few", differences={"dice": FOUND | {"seeds": [0, 1], "verdict": "worse", "mean": -0.03}}))
    found = answers(results(*rows), "dice", "y")
    assert [one.name for one in found] == ["B", "FEW", "U"]
    assert found[0].text.startswith("B is above by 0.030 Dice")
    assert found[1].text.startswith("On 16 simulated subjects and 2 training seeds, FEW is below by")
    assert found[2].text.startswith("U cannot be told apart from it")


def test_leader_knows_the_direction():
    low = SUMMARY | {"mean": 0.5}
    both = results(row("x", metrics={"dice": low, "hd95_mm": low}))
    group = {"rows": ["x", "y"]}
    assert leader(both, "dice", group).startswith(
        "Y has the highest mean Dice: 0.800 (95 % interval 0.750 to 0.850; sd"
    )
    assert leader(both, "hd95_mm", group).startswith("X has the lowest mean HD95: 0.5 mm")
    assert leader(both, "dice", {"rows": []}) == ""


@pytest.mark.parametrize(("seeds", "words"), [(1, "cannot include the variation"), (3, "3 trainings tell little")])
def test_how_sure_speaks_of_trainings(seeds, words):
    assert words in " ".join(how_sure({"seeds": list(range(seeds))}))


def test_order():
    pair = {"above": "x", "below": "y", "difference": FOUND | {"mean": -0.03, "ci95": [-0.05, -0.01]}}
    turned = results(row("x"), order={"dice": [{"paper": ["x", "y"], "ours": ["y", "x"], "swapped": [pair]}]})
    first, second = order_sentences(turned, "dice")
    assert first == "Dice, best first. Paper: X > Y. Here: Y > X (1 of 1 pair the other way round)."
    assert second == (
        "Y stands before X here, by 0.030 (95 % interval +0.010 to +0.050), more than chance, though not corrected for "
        "the number of pairs."
    )
    pair["difference"] = FOUND | {"ci95": [-0.05, 0.01]}
    assert order_sentences(turned, "dice")[1].endswith("which may be chance.")
    same = results(row("x"), order={"dice": [{"paper": ["x", "y"], "ours": ["x", "y"], "swapped": []}]})
    assert order_sentences(same, "dice") == ["Dice: here as in the paper, best first: X > Y."]


def test_small_words():
    assert [p_words(p) for p in (None, 0.0001, 0.012, 0.4)] == ["none", "below 0.001", "0.012", "0.40"]
    assert column_title("core/volume_error_ml") == "core: Size of the volume error, ml"
