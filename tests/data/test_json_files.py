"""Objects go to disk whole, and come back only if no key stands twice."""

import json

import pytest

from ganglion.data.json_files import unique_keys, write_json


def test_what_is_written_comes_back(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2], "a": None})
    text = (tmp_path / "a.json").read_text()
    assert text.endswith("}\n")
    assert json.loads(text, object_pairs_hook=unique_keys) == {"b": [1, 2], "a": None}


def test_what_cannot_be_written_leaves_the_former_file(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"b": {"a": 1, "c": 0, "a": 2}}'])
def test_a_key_twice_is_named(text):
    with pytest.raises(ValueError, match="the key 'a' twice"):
        json.loads(text, object_pairs_hook=unique_keys)
