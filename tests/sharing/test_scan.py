"""`ganglion scan` as a whole: no false alarm, hostile archives, files that are code, damage, the command."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganglion.cli import main
from ganglion.errors import InputError
from ganglion.sharing.findings import SharingFinding
from ganglion.sharing.library import library_files, versioned_name
from ganglion.sharing.scan import scan
from ganglion.sharing.scanning import allowed, expressions, kinds
from ganglion.sharing.scanning.configs import judge_configs
from ganglion.sharing.scanning.logging_conf import judge_logging
from ganglion.sharing.scanning.names import refuse_name
from ganglion.sharing.scanning.weight_files import judge_weights
from ganglion.sharing.sums import SUMS_FILE, format_sums

ROOT = Path(__file__).parents[2]
LIBRARY = versioned_name()
FUZZ = settings(
    max_examples=80, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def load(name: str):
    """A test file that lies beside this one, for the hostile archives that it makes."""
    spec = importlib.util.spec_from_file_location(f"{name}_shared", Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ARCHIVES = load("test_archive").HOSTILE


def toy(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in {"LICENSE": b"licence", **files}.items():
        path = folder / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / "toy"


def zipped(folder: Path, files: dict[str, bytes]) -> Path:
    """A zip of a bundle as `ganglion pack` writes it, with sums."""
    sums = {SUMS_FILE: format_sums(files).encode()} if SUMS_FILE not in files else {}
    path = folder / "toy.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, **sums}.items():
            archive.writestr(f"toy/{name}", content)
    return path


def library(**changed: bytes) -> dict[str, bytes]:
    return {f"{LIBRARY}/{name}": content for name, content in {**library_files(), **changed}.items()}


def test_our_own_bundles_raise_no_alarm(bundle):
    assert scan(bundle) == []


def test_their_zips_raise_no_alarm(packed, watched):
    with watched:
        assert scan(packed.path) == []


@pytest.mark.parametrize("case", ARCHIVES)
def test_it_finds_the_hostile_archives_that_unpack_refuses(case, tmp_path, watched):
    path = tmp_path / "evil.zip"
    path.write_bytes(ARCHIVES[case])
    with watched:
        findings = scan(path)
    assert [finding for finding in findings if finding.file != SUMS_FILE]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "name",
    ["glob.py", "scripts/net.py", "a/b.pyc", "torch.so", "run.sh", "docs/guide.html", "x.ipynb", "Dockerfile", "a.exe"],
)
def test_code_is_found(name, tmp_path):
    (finding,) = scan(toy(tmp_path, {name: b"x"}))
    assert (finding.file, finding.found) == (name, "code")


def test_many_files_of_code_are_one_finding(tmp_path):
    (finding,) = scan(toy(tmp_path, {f"scripts/{number}.py": b"" for number in range(9)}))
    assert finding.file == "scripts/"
    assert finding.found.startswith("9 files of code")


def test_program_under_a_harmless_name_is_found(tmp_path):
    files = {"docs/README.md": b"#!/bin/sh\n", "docs/a.txt": b"\x7fELF", "docs/b.txt": b"PK\x03\x04", "data": b"?"}
    assert {finding.file for finding in scan(toy(tmp_path, files))} == set(files)


def test_pictures_and_text_are_let_be(tmp_path):
    plain = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'
    files = {"docs/a.png": b"\x89PNG", "docs/README.md": b"# x", "docs/a.svg": plain, "models/a.txt": b"x"}
    assert scan(toy(tmp_path, files)) == []


@pytest.mark.parametrize("evil", [b"<svg><script>x</script></svg>", b'<svg onload="x()"/>', b'<a href="http://a"/>'])
def test_pictures_with_programs_are_found(evil, tmp_path):
    assert [finding.file for finding in scan(toy(tmp_path, {"docs/a.svg": evil}))] == ["docs/a.svg"]


def test_link_is_found_and_not_followed(tmp_path):
    bundle = toy(tmp_path, {})
    (tmp_path / "outside.py").write_text("x")
    os.symlink(tmp_path, bundle / "configs")
    os.symlink(tmp_path / "outside.py", bundle / "a.json")
    assert {(finding.file, finding.found) for finding in scan(bundle)} == {
        ("configs", "a link or a device"),
        ("a.json", "a link or a device"),
    }


def test_library_copy_passes_only_as_it_is(tmp_path):
    config = {"run": {"_target_": f"{LIBRARY}.networks.Segmenter"}}
    files = {"configs/train.json": json.dumps(config).encode()}
    assert scan(zipped(tmp_path, {**files, **library()})) == []
    changed = scan(zipped(tmp_path, {**files, **library(**{"keys.py": b"import os"})}))
    assert (f"{LIBRARY}/keys.py", "changed code") in {(finding.file, finding.found) for finding in changed}
    assert "run#_target_" in {finding.key for finding in changed}
    more = scan(zipped(tmp_path, {**files, **library(**{"more.py": b""})}))
    assert {(finding.file, finding.found) for finding in more} == {(f"{LIBRARY}/more.py", "code")}
    less = library()
    del less[f"{LIBRARY}/keys.py"]
    assert (f"{LIBRARY}/keys.py", "no such file") in {(f.file, f.found) for f in scan(zipped(tmp_path, less))}


def test_library_of_another_version_is_code(tmp_path):
    other = {name.replace(LIBRARY, "ganglion_9_9_9"): content for name, content in library().items()}
    config = {"run": {"_target_": "ganglion_9_9_9.networks.Segmenter"}}
    findings = scan(zipped(tmp_path, {"configs/train.json": json.dumps(config).encode(), **other}))
    assert "ganglion_9_9_9/" in {finding.file for finding in findings}
    assert "run#_target_" in {finding.key for finding in findings}


def test_library_that_is_not_there_cannot_be_named(tmp_path):
    config = {"run": {"_target_": f"{LIBRARY}.networks.Segmenter"}}
    (finding,) = scan(toy(tmp_path, {"configs/train.json": json.dumps(config).encode()}))
    assert finding.key == "run#_target_"


def test_sums_are_compared(tmp_path):
    sums = format_sums({"LICENSE": b"licence", "docs/a.md": b"x"}).encode()
    findings = scan(zipped(tmp_path, {SUMS_FILE: sums, "LICENSE": b"other", "docs/b.md": b"x"}))
    assert {(finding.file, finding.found) for finding in findings} == {
        ("LICENSE", "other bytes than were packed"),
        ("docs/a.md", "no such file"),
        ("docs/b.md", f"a file that {SUMS_FILE} does not list"),
    }


def test_one_file_is_scanned(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"\x80\x02cos\nsystem\nX\x01\x00\x00\x00x\x85R.")
    (tmp_path / "train.json").write_text('{"a": "$1"}')
    assert [finding.found for finding in scan(tmp_path / "model.pt")] == ["os.system"]
    assert scan(tmp_path / "train.json") == []
    assert scan(ROOT / "bundles/segan_transfer/models/model.pt") == []


def test_nothing_to_scan_is_an_error(tmp_path):
    with pytest.raises(InputError, match="found no such file or folder"):
        scan(tmp_path / "none.zip")


def test_command_prints_findings_and_exits_with_2(tmp_path, capsys):
    bundle = toy(tmp_path, {"configs/train.json": b'{"a": {"run": "$__import__(\'os\').system(\'x\')"}}'})
    assert main(["scan", str(bundle), "--json", str(tmp_path / "found.json")]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("configs/train.json: a#run: found __import__. It runs any code")
    assert lines[-1].endswith("2 findings. Look at each before you run anything of it.")
    written = json.loads((tmp_path / "found.json").read_text())
    assert written["scanned"] == "toy"
    assert [SharingFinding(**finding) for finding in written["findings"]] == scan(bundle)


def test_command_exits_with_0_when_clean(tmp_path, capsys):
    assert main(["scan", str(toy(tmp_path, {})), "--json", str(tmp_path / "found.json")]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("0 findings. Nothing in it was run.")
    assert json.loads((tmp_path / "found.json").read_text())["findings"] == []


def test_json_into_a_missing_folder_is_an_error(tmp_path, capsys):
    assert main(["scan", str(toy(tmp_path, {})), "--json", str(tmp_path / "no" / "found.json")]) == 2
    assert "found no folder" in capsys.readouterr().err


def test_scanning_loads_neither_torch_nor_monai():
    code = "import sys, ganglion.sharing.scan; print({'torch', 'monai', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


HARMLESS = """
next(glob.iglob('bundles/toy'), '.')
@bundle_root + '/runs/' + @variant
torch.device('cuda:' + os.environ.get('LOCAL_RANK', '0') if torch.cuda.is_available() else 'cpu')
torch.device(f'cuda:{dist.get_rank()}')
sys.path.insert(0, os.path.abspath(@bundle_root))
torch.distributed.init_process_group('nccl' if torch.cuda.is_available() else 'gloo')
dist.is_initialized() or dist.init_process_group(backend='nccl')
setattr(torch.backends.cudnn, 'benchmark', True)
@train#trainer.run()
@train#handlers[: -2 if dist.get_rank() > 0 else None]
@train#trainer.logger.setLevel(logging.WARNING if dist.get_rank() > 0 else logging.INFO)
[{'image': i, 'label': l} for i, l in zip(@images[:-9], @labels[:-9])]
[i.replace('img', 'lbl') for i in @images]
list(sorted(glob.glob(os.path.join(@dataset_dir, 'train', '*', '*[!seg].jpg'))))
lambda x: torch.where(x[[2]] > 0, 4, torch.where(x[[0]] > 0, 1, 0))
lambda batch, *_, **__: (batch.to(@device), None, (), {})
lambda x: [@postprocessing({**xx['pred'], 'image': xx['image']}) for xx in x]
lambda x: monai.handlers.from_engine(['loss'], first=True)(x)[0]
monai.handlers.from_engine(['pred', 'label'])
monai.utils.CommonKeys.IMAGE
monai.networks.nets.resnet.resnet50(spatial_dims=3, n_input_channels=1)
monai.utils.set_determinism(seed=123)
@network_def.to(@device, memory_format=torch.channels_last)
@network.load_state_dict(torch.load(@path, map_location=@device, weights_only=True))
itertools.chain(@a.parameters(), @b.parameters())
'epoch {:03d} of {}'.format(@epoch, @epochs)
datetime.datetime.now().strftime(@output_dir + '/run_%H%M%S')
@critic_guard != 'clip'
2 ** 8 * len(@contrasts)
{**@a, 'b': 1}
"""


@pytest.mark.parametrize("line", HARMLESS.strip().splitlines())
def test_what_ordinary_bundles_say_raises_no_alarm(line):
    names = ["datetime", "glob", "itertools", "logging", "os", "sys"]
    imports = [*(f"$import {name}" for name in names), "$import torch.distributed as dist"]
    assert judge_configs({"train.json": json.dumps({"imports": imports, "x": f"${line}"}).encode()}, ()) == []


def test_every_allowed_name_exists():
    """The list holds what is there, so that nobody can supply it."""
    from pydoc import locate

    missing = {name for name in allowed.NAMES if locate(name) is None}
    assert missing == {"numpy.newaxis"}  # which is None


@pytest.mark.parametrize("name", ["write_dataset_json", "convert.convert", "phantom.write_cohort", "Path"])
def test_parts_of_the_library_that_write_are_not_allowed(name):
    assert refuse_name(f"ganglion.data.{name}", {"ganglion"})


def test_no_attribute_of_an_allowed_module_is_dangerous():
    """References to imports are refused; should one slip through, what it could be asked for is no program."""
    import copy
    import os

    risky = {"system", "popen", "remove", "unlink", "rename", "replace", "rmdir", "chmod", "kill", "execv", "fork"}
    assert not risky & allowed.ATTRIBUTES
    assert not {name for name in allowed.ATTRIBUTES if name.startswith("_")}
    assert {name for name in dir(os) if name in allowed.ATTRIBUTES} <= {"mkdir", "name"}
    assert {name for name in dir(copy) if name in allowed.ATTRIBUTES} <= {"copy"}


TEXT = st.text(max_size=20) | st.sampled_from(
    [
        "$",
        "$@a",
        "@#x",
        "%a",
        "$import os",
        "os.system",
        "$lambda: 0",
        "_target_",
        "$f'{x!r:{y}}'",
        "$@",
        "a::b",
        "$(" * 30,
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@FUZZ
@given(VALUES)
def test_any_json_is_judged(value):
    for finding in judge_configs({"configs/train.json": json.dumps(value).encode()}, ()):
        assert finding.found
        assert finding.why


@FUZZ
@given(st.text(max_size=60))
def test_any_expression_is_judged(text):
    assert isinstance(expressions.judge_expression(text, expressions.Scope()), list)


@FUZZ
@given(st.binary(max_size=200))
def test_any_bytes_are_judged(content):
    for name in ("a.json", "a.yaml"):
        assert isinstance(judge_configs({name: content}, ()), list)
    assert isinstance(judge_logging(content), list)
    for name in ("a.pt", "a.npy", "a.npz", "a.safetensors", "a.onnx", "a.pkl"):
        for head in (b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x80\x04"):
            assert isinstance(judge_weights(name, head + content), list)
    assert kinds.kind_of("docs/a.txt", content) in (kinds.PLAIN, kinds.ODD, kinds.CODE)


@FUZZ
@given(st.data())
def test_damaged_weights_are_judged(data):
    """Bytes of a sound file are changed, cut out or put in."""
    content = bytearray((ROOT / "bundles/segan_transfer/models/reference/critic.pt").read_bytes()[:6000])
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert isinstance(judge_weights("model.pt", bytes(content)), list)


@settings(FUZZ, max_examples=25)
@given(st.data())
def test_damaged_zips_are_scanned(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    path = zipped(folder, {"LICENSE": b"licence", "configs/train.json": b'{"a": "$1"}', "models/a.pkl": b"\x80\x04N."})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    assert isinstance(scan(path), list)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"a: &a [*a]",
        b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: &d [*c, *c]\n"
        + b"\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else '*d'] * 9)}]".encode() for n in range(9)),
        b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a": ' + b"9" * 9999 + b"}",
        b'{"a": "$' + b"(" * 900 + b")" * 900 + b'"}',
        b'{"a": "$' + b"-" * 3000 + b'1"}',
        b'{"a": "$setattr(' + b"-" * 3000 + b'1)"}',
        b'{"a": "$open' + b".a" * 1900 + b'"}',
        b"{" + b'"a": 1, ' * 50_000 + b'"b": 1}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b"",
    ],
    ids=[
        "refers to itself",
        "billion laughs",
        "deep",
        "long number",
        "brackets",
        "signs",
        "signs in a call",
        "chain",
        "twice",
        "no UTF-8",
        "mark",
        "empty",
    ],
)
def test_bombs_and_damage_in_configs_are_found(content, tmp_path):
    name = "configs/train.yaml" if content.startswith(b"a:") else "configs/train.json"
    findings = scan(toy(tmp_path, {name: content}))
    assert {finding.file for finding in findings} == {name}
