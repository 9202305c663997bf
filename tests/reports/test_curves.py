import pytest

from ganglion.errors import InputError
from ganglion.reports.curves import curve_cards, read_history


def test_phases_first_then_validation(finished):
    history = read_history(finished / "run" / "history.csv")
    assert history["segmenter/dice"] == [(1, 0.7), (2, 0.4), (3, 0.2)]
    assert history["val/mean_dice"] == [(2, 0.61), (3, 0.72)]
    cards = curve_cards(history)
    titles = [card.split("<h3>")[1].split("</h3>")[0] for card in cards]
    assert titles == ["Training: critic", "Training: segmenter", "Validation, mean of its subjects"]
    assert "mean_dice: highest 0.72 (epoch 3), lowest 0.61 (epoch 2), last 0.72" in cards[2]
    assert "highest" not in cards[1]


def test_bad_history_is_named(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,a/b\n1,hello\n")
    with pytest.raises(InputError, match=r"history.csv, line 2: found 'hello', expected a number"):
        read_history(path)
    path.write_text("step\n1\n")
    with pytest.raises(InputError, match="no column 'epoch'"):
        read_history(path)
