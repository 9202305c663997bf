"""The marks of made-up rows: where they stand, what they say to those who cannot see them."""

import re

import pytest
from fake_table import write_fake

from ganglion.reports.forest import forest_cards, forest_legend, subject_cards, verdict_mark
from ganglion.reproduce.results import read_results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return read_results(write_fake(out), out, range(3))


@pytest.fixture
def group(results):
    (group,) = results["groups"]
    return group


def strips(card):
    """Name and drawing of each row."""
    return dict(re.findall(r'<div class="fname"><span(?: class="base")?>(.*?)</span>.*?</div>(<svg.*?</svg>)', card))


def test_means_dots_and_diamonds(results, group):
    means = strips(forest_cards(results, group, "dice")[0])
    assert list(means) == [
        "Row base (baseline)",
        "Printed elsewhere",
        "Row good",
        "Row swinging",
        "Row half",
        "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co | x",
    ]
    assert [means[name].count("<circle") for name in means] == [4, 0, 4, 4, 3, 0]
    assert [means[name].count('class="printed"') for name in means] == [1, 1, 1, 0, 0, 0]
    assert "mean 0.8" in means["Row good"]
    assert "printed 0.8" in means["Row good"]


def test_a_better_row_stands_further_right_and_fewer_millimetres_further_left(results, group):
    def mean_at(column, name):
        drawing = strips(forest_cards(results, group, column)[0])[name]
        return float(re.findall(r'<circle cx="([\d.]+)"[^>]*r="4.5"', drawing)[0])

    assert mean_at("dice", "Row good") > mean_at("dice", "Row base (baseline)")
    assert mean_at("hd95_mm", "Row good") < mean_at("hd95_mm", "Row base (baseline)")
    assert "Further left is better." in forest_cards(results, group, "hd95_mm")[0]


def test_differences_are_of_compared_rows_with_both_intervals(results, group):
    card = forest_cards(results, group, "dice")[1]
    drawn = strips(card)
    assert list(drawn) == ["Row good", "Row swinging", "Row half"]
    assert all(drawing.count('class="thin"') == drawing.count('class="thick"') == 1 for drawing in drawn.values())
    assert drawn["Row swinging"].count('r="2.8"') == 3
    assert "better; seeds +0.04" in drawn["Row good"]
    assert "printed difference −0.020" in drawn["Row good"]
    thin, thick = (
        re.search(rf'x1="([\d.]+)" x2="([\d.]+)"[^>]*class="{kind}"', drawn["Row swinging"]).groups()
        for kind in ("thin", "thick")
    )
    assert float(thin[0]) < float(thick[0]) < float(thick[1]) < float(thin[1])


def test_everything_stays_inside_the_drawing(results, group):
    for column in results["columns"]:
        for card in (*forest_cards(results, group, column), *subject_cards(results, group, column)):
            places = [float(value) for value in re.findall(r'(?:cx|x1|x2)="([-\d.]+)"', card)]
            assert places
            assert min(places) >= 0
            assert max(places) <= 360


def test_a_group_shows_only_its_own_differences(results):
    """A baseline that has a baseline itself is no row of its own differences."""
    other = {"baseline": "good", "rows": ["good", "half"]}
    assert len(forest_cards(results, other, "dice")) == 1
    assert len(subject_cards(results, other, "dice")) == 1


def test_every_subject_has_its_dot(results, group):
    values, differences = subject_cards(results, group, "dice")
    assert strips(values)["Row good"].count("<circle") == 16
    assert "<title>sub-016</title>" in strips(values)["Row good"]
    assert list(strips(differences)) == ["Row good", "Row swinging", "Row half"]


def test_verdicts_are_words(results):
    assert verdict_mark("better") == '<span class="verdict better">▲ better</span>'
    assert "≈ not decided" in forest_legend(results)


def test_drawings_have_words(results, group):
    for card in forest_cards(results, group, "dice"):
        drawings = re.findall(r"<svg[^>]*>", card)
        assert len(drawings) > 3
        assert all('role="img" aria-label="' in tag or 'aria-hidden="true"' in tag for tag in drawings)
