"""Bundles whose configs would do something that no bundle should: each creates the file CANARY if it is run.

Nothing here is hidden from a reader. SOURCE is a file that some of them move to CANARY.
"""

import json
from dataclasses import dataclass

SHELL = "touch CANARY"
CALL = f"os.system('{SHELL}')"
CODE = "import os; os.system('touch CANARY')"


@dataclass(frozen=True)
class Case:
    """One bundle.

    Attributes:
        files: contents by path; a dictionary is written as JSON.
        fires: whether MONAI really runs it; the others need a person, a network, or an older MONAI.
        key: the id that a finding must name.
        configs: the files that MONAI is given, in order.
    """

    files: dict[str, object]
    key: str
    fires: bool = True
    configs: tuple[str, ...] = ("configs/train.json",)

    def texts(self, canary: str, source: str) -> dict[str, str]:
        """The files with their places filled in."""
        texts = {
            name: content if isinstance(content, str) else json.dumps(content) for name, content in self.files.items()
        }
        return {name: text.replace("CANARY", canary).replace("SOURCE", source) for name, text in texts.items()}


def expression(text: str, *imports: str, fires: bool = True) -> Case:
    return Case(
        {"configs/train.json": {"imports": [f"$import {name}" for name in imports], "run": f"${text}"}}, "run", fires
    )


def config(content: dict, key: str, fires: bool = True) -> Case:
    return Case({"configs/train.json": content}, key, fires)


def logging(text: str, key: str, fires: bool = True) -> Case:
    head = "[loggers]\nkeys=root\n[handlers]\nkeys=a\n[formatters]\nkeys=\n[logger_root]\nhandlers=a\n"
    return Case({"configs/logging.conf": head + text}, key, fires, configs=())


CASES = {
    # expressions
    "import within an expression": expression(f"__import__('os').system('{SHELL}')"),
    "imported module": expression(CALL, "os"),
    "imported function": config({"imports": ["$from os import system"], "run": f"$system('{SHELL}')"}, "imports#0"),
    "module under another name": config(
        {"imports": ["$import os as math"], "run": f"$math.system('{SHELL}')"}, "imports#0"
    ),
    "module under MONAI's name": config({"a": "$import os as monai", "run": f"$monai.system('{SHELL}')"}, "a"),
    "subclasses of object": expression(
        "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0]"
        f".__init__.__globals__['system']('{SHELL}')"
    ),
    "getattr and a pasted name": expression(f"getattr(os, 'sys' + 'tem')('{SHELL}')", "os"),
    "getattr of getattr": expression(f"getattr(getattr(monai, 'utils'), 'misc').subprocess.getoutput('{SHELL}')"),
    "eval": expression(f'eval(\'__import__("os").system("{SHELL}")\')'),
    "exec": expression(f"exec('import os; os.system(\"{SHELL}\")')"),
    "compile": expression(f"eval(compile('__import__(\"os\").system(\"{SHELL}\")', 'x', 'eval'))"),
    "lambda that is called": expression(f"(lambda f: f('{SHELL}'))(os.system)", "os"),
    "default of a lambda": expression(f"(lambda x={CALL}: x)()", "os"),
    "walrus": expression(f"[(s := os.system), s('{SHELL}')]", "os"),
    "loop over a function": expression(f"[f('{SHELL}') for f in [os.system]]", "os"),
    "condition of a loop": expression(f"[1 for i in [1] if {CALL}]", "os"),
    "map": expression(f"list(map(os.system, ['{SHELL}']))", "os"),
    "key of a sort": expression(f"sorted(['{SHELL}'], key=os.system)", "os"),
    "partial": expression(f"functools.partial(os.system, '{SHELL}')()", "os", "functools"),
    "text with fields": expression(f"f'{{os.system(\"{SHELL}\")}}'", "os"),
    "format that reaches attributes": expression(
        "'{0.__class__.__init__.__globals__}'.format(torch.device('cpu'))", fires=False
    ),
    "builtins by name": expression(f"__builtins__['__import__']('os').system('{SHELL}')"),
    "sys.modules": expression(f"sys.modules['os'].system('{SHELL}')", "sys"),
    "a module inside MONAI": expression("monai.utils.misc.subprocess.getoutput('touch CANARY')"),
    "a module inside an allowed module": expression("glob.os.system('touch CANARY')", "glob"),
    "ctypes": config({"imports": ["$import ctypes"], "run": f"$ctypes.CDLL(None).system(b'{SHELL}')"}, "imports#0"),
    "open": expression("open('CANARY', 'w').close()"),
    "pathlib writes": expression("pathlib.Path('CANARY').write_text('x')", "pathlib"),
    "pathlib renames": expression("pathlib.Path('SOURCE').replace('CANARY')", "pathlib"),
    "shutil": config({"imports": ["$import shutil"], "run": "$shutil.copy('SOURCE', 'CANARY')"}, "imports#0"),
    "letters of another alphabet": expression('\uff45val(\'__import__("os").system("touch CANARY")\')'),
    "setattr on a module": expression("setattr(torch, 'load', torch.hub.load)", fires=False),
    "path of somebody else": expression("sys.path.insert(0, '/tmp/evil')", "sys", fires=False),
    "secrets of the environment": expression("dict(os.environ)", "os", fires=False),
    "download": config(
        {"imports": ["$from urllib import request"], "run": "$request.urlopen('http://a')"}, "imports#0", False
    ),
    "pickle switched on": expression("torch.load('SOURCE', weights_only=not 1)", fires=False),
    "torch.hub": expression("torch.hub.load('evil', 'evil')", fires=False),
    "machine code": expression("torch.ops.load_library('SOURCE')", fires=False),
    "full memory": expression("[0] * 10 ** 10 ** 2", fires=False),
    # components
    "target is a shell": config({"run": {"_target_": "os.system", "command": SHELL}}, "run#_target_"),
    "target is a shell, oddly spelt": config({"run": {"_target_": ".os..system", "command": SHELL}}, "run#_target_"),
    "target starts a program": config(
        {"run": {"_target_": "subprocess.check_output", "args": ["touch", "CANARY"]}}, "run#_target_"
    ),
    "target is a builtin": config(
        {"run": {"_target_": "builtins.open", "file": "CANARY", "mode": "w"}}, "run#_target_"
    ),
    "target is a bare builtin": config({"run": {"_target_": "open", "file": "CANARY", "mode": "w"}}, "run#_target_"),
    "target is MONAI's shell": config(
        {"run": {"_target_": "monai.utils.misc.run_cmd", "cmd_list": ["touch", "CANARY"]}}, "run#_target_"
    ),
    "target is MONAI's shell, bare": config(
        {"run": {"_target_": "run_cmd", "cmd_list": ["touch", "CANARY"]}}, "run#_target_"
    ),
    "target is an expression": config(
        {"imports": ["$import os"], "run": {"_target_": "$os.system", "command": SHELL}}, "run#_target_"
    ),
    "target for later": config(
        {"f": {"_target_": "os.system", "_mode_": "callable"}, "run": f"$@f('{SHELL}')"}, "f#_target_"
    ),
    "partial target": config(
        {"f": {"_target_": "os.system", "_mode_": "callable", "command": SHELL}, "run": "$@f()"}, "f#_target_"
    ),
    "debugger": config({"run": {"_target_": "Identity", "_mode_": "debug"}}, "run#_mode_", False),
    "breakpoint": config({"run": {"_target_": "Identity", "_debug_": True}}, "run#_debug_", False),
    "requires": config(
        {"imports": ["$import os"], "run": {"_target_": "Identity", "_requires_": [f"${CALL}"]}}, "run#_requires_#0"
    ),
    "disabled": config(
        {"imports": ["$import os"], "run": {"_target_": "Identity", "_disabled_": f"${CALL}"}}, "run#_disabled_"
    ),
    "lambda transform": config(
        {"t": {"_target_": "Lambda", "func": f"$lambda x: __import__('os').system('{SHELL}')"}, "run": "$@t(1)"},
        "t#func",
    ),
    "reader by name": config(
        {"run": {"_target_": "LoadImage", "reader": "subprocess.check_output", "args": ["touch", "CANARY"]}},
        "run#reader",
    ),
    "reader behind a reference": config(
        {
            "name": "subprocess.check_output",
            "run": {"_target_": "LoadImage", "reader": "@name", "args": ["touch", "CANARY"]},
        },
        "run#reader",
    ),
    "reader from pasted text": config(
        {"run": {"_target_": "LoadImage", "reader": "$'sub' + 'process.check_output'", "args": ["touch", "CANARY"]}},
        "run#reader",
    ),
    "reader for later": config(
        {
            "load": {"_target_": "LoadImage", "_mode_": "callable"},
            "run": "$@load('subprocess.check_output', args=['touch', 'CANARY'])",
        },
        "load#_mode_",
    ),
    "reader for later, by an overlay": Case(
        {
            "configs/train.json": {
                "load": {"_target_": "LoadImage"},
                "run": "$@load('subprocess.check_output', args=['touch', 'CANARY'])",
            },
            "configs/variants/small.json": {"load#_mode_": "callable"},
        },
        "load#_mode_",
        configs=("configs/train.json", "configs/variants/small.json"),
    ),
    "reader that a component spells": config(
        {
            "run": {
                "_target_": "LoadImage",
                "reader": {"_target_": "json.loads", "s": '"subprocess.check_output"'},
                "args": ["touch", "CANARY"],
            }
        },
        "run#reader",
    ),
    "target behind a reference": config(
        {"name": "timeit.timeit", "run": {"_target_": "@name", "stmt": CODE, "number": 1}}, "run#_target_"
    ),
    "target behind a macro": config(
        {"name": "timeit.timeit", "run": {"_target_": "%name", "stmt": CODE, "number": 1}}, "run#_target_"
    ),
    "target from pasted text": config(
        {"run": {"_target_": "$'time' + 'it.timeit'", "stmt": CODE, "number": 1}}, "run#_target_"
    ),
    "target from a joined text": config(
        {"run": {"_target_": "$''.join(['timeit.', 'timeit'])", "stmt": CODE, "number": 1}}, "run#_target_"
    ),
    "target from a call": config(
        {
            "a": {"_target_": "json.loads", "s": '"timeit.timeit"'},
            "run": {"_target_": "$@a", "stmt": CODE, "number": 1},
        },
        "run#_target_",
    ),
    "table that is a program": config(
        {"run": {"_target_": "SaveClassificationd", "keys": "a", "output_dir": ".", "filename": "sitecustomize.py"}},
        "run#filename",
        False,
    ),
    "table that is a program, by reference": config(
        {"a": "sitecustomize" + ".py", "run": {"_target_": "SaveClassificationd", "keys": "a", "filename": "@a"}},
        "run#filename",
        False,
    ),
    "key with a separator that is pasted": config(
        {"a": {"z": 1, f"b::c and monai.utils.misc.subprocess.getoutput('{SHELL}') and @a": {"y": "$@#z"}}}, "a", False
    ),
    "logging: class of a formatter": logging(
        "[formatter_a]\nclass=evil.Formatter\n[handler_a]\nclass=NullHandler\nargs=()\n", "formatter_a#class", False
    ),
    "logging: handler as formatter": logging(
        "[formatter_a]\nclass=StreamHandler\n[handler_a]\nclass=NullHandler\nargs=()\n", "formatter_a#class", False
    ),
    "writer by name": config({"run": {"_target_": "SaveImage", "writer": "os.system"}}, "run#writer", False),
    "pickled arrays": config({"run": {"_target_": "NumpyReader", "allow_pickle": True}}, "run#allow_pickle", False),
    "log file of any text": config(
        {
            "run": {
                "_target_": "LogfileHandler",
                "output_dir": ".",
                "filename": "sitecustomize.py",
                "formatter": "import os",
            }
        },
        "run#_target_",
        False,
    ),
    "code from the network": config({"run": {"_target_": "PerceptualLoss", "spatial_dims": 3}}, "run#_target_", False),
    "writes into a home": config(
        {"run": {"_target_": "SaveImage", "output_dir": "~/.config/autostart"}}, "run#output_dir", False
    ),
    "the library's own command line": config(
        {"run": {"_target_": "ganglion.cli.main", "arguments": ["pack"]}}, "run#_target_", False
    ),
    "another library in the library's name": config({"run": {"_target_": "ganglion.evil.Run"}}, "run#_target_", False),
    # several files, references, other places
    "overlay changes a target": Case(
        {
            "configs/train.json": {"run": {"_target_": "Identity", "command": SHELL}},
            "configs/variants/small.json": {"run#_target_": "os.system"},
        },
        "run#_target_",
        configs=("configs/train.json", "configs/variants/small.json"),
    ),
    "overlay adds to a list": Case(
        {
            "configs/train.json": {"imports": ["$import os"], "run": []},
            "configs/variants/small.json": {"+run": [f"${CALL}"]},
        },
        "run#0",
        configs=("configs/train.json", "configs/variants/small.json"),
    ),
    "overlay imports what another names": Case(
        {
            "configs/train.json": {"imports": ["$import monai"], "run": "$glob.run('touch CANARY')"},
            "configs/variants/small.json": {
                "+imports": ["$from subprocess import getoutput as glob"],
                "run": "$glob('touch CANARY')",
            },
        },
        "imports#0",
        configs=("configs/train.json", "configs/variants/small.json"),
    ),
    "method of an imported module": config(
        {"modules": ["$import os"], "run": "$@modules#0.replace('SOURCE', 'CANARY')"}, "run"
    ),
    "method of a copied module": config(
        {"imports": ["$import os"], "copy": "%imports", "run": "$@copy#0.replace('SOURCE', 'CANARY')"}, "copy"
    ),
    "method of a module, relative": config({"a": ["$import os", "$@#0.replace('SOURCE', 'CANARY')"]}, "a#1"),
    "key that is pasted into an expression": config(
        {"a": {"z": 1}, f"a and monai.utils.misc.subprocess.getoutput('{SHELL}') and @a": {"y": "$@#z"}}, ""
    ),
    "expression in the metadata": Case(
        {
            "configs/metadata.json": {"description": f"$__import__('os').system('{SHELL}')"},
            "configs/train.json": {"run": "%FOLDER/configs/metadata.json::description"},
        },
        "description",
        fires=False,
    ),
    "config of another folder": config({"run": "%/tmp/evil.json::run"}, "run", False),
    "YAML": Case(
        {"configs/train.yaml": f"imports:\n- $import os\nrun: ${CALL}\n"}, "run", configs=("configs/train.yaml",)
    ),
    "YAML that builds objects": Case(
        {"configs/train.yaml": f"run: !!python/object/apply:os.system ['{SHELL}']\n"},
        "",
        False,
        ("configs/train.yaml",),
    ),
    "YAML anchors": Case(
        {"configs/train.yml": f"a: &x\n  _target_: os.system\n  command: {SHELL}\nrun: *x\n"},
        "run#_target_",
        configs=("configs/train.yml",),
    ),
    "key twice": Case(
        {"configs/train.json": '{"imports": ["$import os"], "run": "$' + CALL + '", "run": 1}'}, "run", False
    ),
    "code in the bundle": Case(
        {"configs/train.json": {"run": {"_target_": "scripts.evil.Run"}}, "scripts/evil.py": "open('CANARY', 'w')"},
        "run#_target_",
        False,
    ),
    "logging: arguments": logging(
        f"[handler_a]\nclass=StreamHandler\nargs=(__import__('os').system('{SHELL}'),)\n", "handler_a#args"
    ),
    "logging: keywords": logging(
        f"[handler_a]\nclass=StreamHandler\nargs=()\nkwargs=dict(stream={CALL})\n", "handler_a#kwargs"
    ),
    "logging: class": logging(
        f"[handler_a]\nclass=__import__('os').system('{SHELL}') or NullHandler\nargs=()\n", "handler_a#class"
    ),
    "logging: file": logging("[handler_a]\nclass=FileHandler\nargs=('CANARY', 'w')\n", "handler_a#class"),
    "logging: defaults": logging(
        f"[handler_a]\nclass=StreamHandler\n[DEFAULT]\nargs=(__import__('os').system('{SHELL}'),)\n", "DEFAULT#args"
    ),
    "logging: pasted": logging(
        f"[handler_a]\nclass=StreamHandler\na=__import__('os')\nb=.system('{SHELL}')\nargs=(%(a)s%(b)s,)\n",
        "handler_a#args",
    ),
}
