"""The count over bundles of others: what is judged, and how findings are sorted."""

import json

from benchmarks.scan_public import main


def test_findings_are_counted_by_kind(tmp_path, capsys):
    config = {
        "imports": ["$import os"],
        "a": "$os.system('x')",
        "again": "$os.system('x')",
        "net": {"_target_": "UNet"},
        "own": {"_target_": "scripts.Net"},
        "weights": "$torch.load('x')",
    }
    for name, content in {"clean": {"net": {"_target_": "UNet"}}, "other": config}.items():
        (tmp_path / name / "configs").mkdir(parents=True)
        (tmp_path / name / "configs" / "train.json").write_text(json.dumps(content))
    (tmp_path / "other" / "a.py").write_text("")
    main(tmp_path)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["clean", "1", "0", "0", "0", "0"]
    assert lines[2] == ["other", "5", "1", "1", "1", "2"]
    assert lines[3] == ["sum", "6", "1", "1", "1", "2"]
    assert " ".join(lines[4]) == "2 bundles, 1 of them without any finding"
