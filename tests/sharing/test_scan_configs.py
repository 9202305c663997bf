"""Hostile configs: each is found under its key, nothing of it is run, and most of them would really run."""

import contextlib
import subprocess
import sys
import warnings

import pytest
from hostile_configs import CASES

from ganglion.sharing.scan import scan


@pytest.fixture
def hostile(request, tmp_path):
    """A bundle's folder for the case that the parameter names, the canary's place, and the case."""
    case, canary, source = CASES[request.param], tmp_path / "canary", tmp_path / "source"
    source.write_text("x")
    for name, text in case.texts(canary.as_posix(), source.as_posix()).items():
        path = tmp_path / "bundle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "bundle", canary, case


@pytest.mark.parametrize("hostile", CASES, indirect=True)
def test_a_hostile_config_is_found_and_not_run(hostile, watched, counted):
    bundle, canary, case = hostile
    with watched:
        findings = scan(bundle)
    assert case.key in {finding.key for finding in findings} if case.key else findings
    assert all(finding.file in case.files and finding.found and finding.why for finding in findings)
    assert not canary.exists()
    assert not {"evil", "scripts", "scripts.evil"} & set(sys.modules)
    counted("hostile configs")


def test_there_are_as_many_as_promised():
    assert len(CASES) >= 25
    assert sum(case.fires for case in CASES.values()) >= 25


@pytest.mark.parametrize(
    "hostile", [name for name, case in CASES.items() if case.fires and case.configs], indirect=True
)
def test_it_would_have_run(hostile):
    """The case is no straw man: MONAI runs it."""
    from monai.bundle import ConfigParser

    bundle, canary, case = hostile
    parser = ConfigParser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parser.read_config([str(bundle / name) for name in case.configs])
        parser.parse()
        for key in list(parser.ref_resolver.items):
            with contextlib.suppress(Exception):  # what comes after the payload may fail
                parser.get_parsed_content(key)
    assert canary.exists()


@pytest.mark.parametrize(
    "hostile", [name for name, case in CASES.items() if case.fires and not case.configs], indirect=True
)
def test_logging_would_have_run_it(hostile):
    bundle, canary, _ = hostile
    code = f"import logging.config; logging.config.fileConfig({str(bundle / 'configs' / 'logging.conf')!r})"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert canary.exists()
