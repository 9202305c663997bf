"""Options that are dictionaries."""

import pytest

from ganglion.cli import main
from ganglion.errors import InputError
from ganglion.reproduce.options import read_dictionary


@pytest.mark.parametrize("text", ["{", "[1]", "{1: 2}", "timeout_min=3", "__import__('os')"])
def test_options_that_are_no_dictionary(text, counted):
    with pytest.raises(InputError, match="slurm_options: found .*, expected a dictionary as \"{'a': 1}\""):
        read_dictionary("slurm_options", text, "{'a': 1}")
    counted("faulty inputs")


def test_options_are_read():
    assert read_dictionary("others", None, "") == {}
    assert read_dictionary("slurm_options", "{'gpus_per_node': 1}", "") == {"gpus_per_node": 1}


def test_the_command_names_the_option(capsys, counted):
    words = ["reproduce", "gt_transfer/transfer_to_infants", "--dry_run", "--others"]
    assert main([*words, "adults=DIR"]) == 2
    assert "others: found 'adults=DIR', expected a dictionary" in capsys.readouterr().err
    assert main([*words, "{'children': 'DIR'}"]) == 2
    assert "others: found children, expected names that" in capsys.readouterr().err
    counted("faulty inputs", 2)
