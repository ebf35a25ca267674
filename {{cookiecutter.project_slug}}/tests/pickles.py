"""Pickles that attack, break or hang, for the tests of what must never be loaded.

`attacks` leave a marker file when Python's own unpickler loads them: `python tests/pickles.py FOLDER` does that for
each of them and prints which left none (some need another system or version of Python).
"""

import base64
import contextlib
import copy
import io
import json
import marshal
import os
import pickle
import struct
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from player.features import as_given


@dataclass
class Name:
    """A name in a pickle, of something that need not exist here."""

    module: str
    name: str


class Call:
    """A call in a pickle: of a name, or of whatever another call returned."""

    def __init__(self, called: Any, *arguments: Any) -> None:
        self.called, self.arguments = called, arguments


@dataclass
class Filled:
    """An object in a pickle whose state is replaced."""

    thing: Any
    state: Any


class Writer(pickle._Pickler):
    """A pickler that writes names, calls and fillings as they are asked for."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Name):
            self.save(obj.module)
            self.save(obj.name)
            self.write(pickle.STACK_GLOBAL)  # type: ignore[attr-defined]
        elif isinstance(obj, Call):
            self.save(obj.called)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)  # type: ignore[attr-defined]
        elif isinstance(obj, Filled):
            self.save(obj.thing)
            self.save(obj.state)
            self.write(pickle.BUILD)  # type: ignore[attr-defined]
        else:
            super().save(obj, save_persistent_id)  # type: ignore[misc]


def written(thing: Any) -> bytes:
    """Return the pickle of *thing*, which may hold names, calls and fillings."""
    target = io.BytesIO()
    Writer(target, protocol=4).dump(thing)
    return target.getvalue()


def call(path: str, *arguments: Any) -> Call:
    """Return a call of "module:name"; the name may have dots."""
    return Call(Name(*path.split(":")), *arguments)


def attacks(marker: Path) -> dict[str, bytes]:
    """Return pickles that make the file (or folder) *marker* when Python itself loads them; by name."""
    found = {}
    for name, thing in {**by_name(marker), **by_detour(marker)}.items():
        found[name] = written(thing)
    return {**found, **by_hand(marker)}


def by_name(marker: Path) -> dict[str, Any]:
    """Return calls of functions that run a program, evaluate a text or write a file."""
    path, shell = str(marker), f'echo x > "{marker}"'
    code, words = f"open({path!r}, 'w')", ["sh", "-c", shell]
    compiled = call("builtins:compile", code, "x", "exec")
    nested = written(call("builtins:exec", code))
    calls: list[tuple[Any, ...]] = [
        ("os:system", shell), ("posix:system", shell), ("os:popen", shell), ("os:mkdir", path),
        ("os:spawnv", os.P_WAIT, "/bin/sh", words), ("os:open", path, os.O_CREAT), ("posix:mkdir", path),
        ("subprocess:run", words), ("subprocess:call", words), ("subprocess:check_output", words),
        ("subprocess:Popen", words), ("subprocess:getoutput", shell), ("subprocess:getstatusoutput", shell),
        ("builtins:eval", code), ("builtins:exec", code), ("builtins:exec", compiled), ("builtins:open", path, "w"),
        ("io:open", path, "w"), ("_io:FileIO", path, "w"), ("codecs:open", path, "w"), ("gzip:open", path, "w"),
        ("zipfile:ZipFile", path, "w"), ("tarfile:open", path, "w"), ("sqlite3:connect", path),
        ("shutil:copyfile", __file__, path), ("logging:FileHandler", path), ("pydoc:pipepager", "x", shell),
        ("runpy:_run_code", compiled, {}), ("timeit:timeit", code, "pass", Name("time", "perf_counter"), 1),
        ("timeit:repeat", code, "pass", Name("time", "perf_counter"), 1, 1), ("cProfile:run", code),
        ("cProfile:runctx", code, {}, {}), ("profile:run", code), ("profile:runctx", code, {}, {}),
        ("imaplib:IMAP4_stream", shell), ("uuid:_get_command_stdout", "sh", "-c", shell),
        ("_osx_support:_read_output", shell), ("distutils.spawn:spawn", words),
        ("mailcap:findmatch", {"a/b": [{"test": shell}]}, "a/b"), ("_thread:start_new_thread",
         Name("os", "system"), (shell,)), ("logging.config:dictConfig", {"version": 1, "handlers": {
             "h": {"class": "logging.FileHandler", "filename": path}}}),
        ("pickle:loads", nested), ("_pickle:loads", nested), ("joblib.externals.cloudpickle:loads", nested),
        ("numpy:savetxt", path, [1]), ("numpy:memmap", path, "uint8", "w+", 0, (1,)),
        ("numpy.testing:measure", code), ("numpy.testing._private.utils:runstring", code, {}),
        ("numpy.distutils.exec_command:exec_command", shell), ("pandas.io.common:get_handle", path, "w"),
        ("joblib:dump", 1, path), ("sklearn.pipeline:check_memory", path), ("sklearn.datasets:get_data_home", path),
        ("sklearn.datasets:dump_svmlight_file", [[1]], [1], path),
        ("player.model.files:write_whole", call("pathlib:Path", path), b""),
    ]  # fmt: skip
    return {f"{path} ({number})": call(path, *arguments) for number, (path, *arguments) in enumerate(calls)}


def by_detour(marker: Path) -> dict[str, Any]:
    """Return calls that reach the same functions through others, as lists of bad names do not expect."""
    path, shell = str(marker), f'echo x > "{marker}"'
    code = f"open({path!r}, 'w')"
    compiled = call("builtins:compile", code, "x", "exec")
    nested = written(call("builtins:exec", code))
    system, module = Name("os", "system"), call("importlib:import_module", "os")
    beside = marker.parent / "nested.pkl"
    beside.parent.mkdir(parents=True, exist_ok=True)
    beside.write_bytes(nested)
    return {
        "getattr": Call(call("builtins:getattr", call("builtins:__import__", "os"), "system"), shell),
        "import_module": Call(call("builtins:getattr", module, "system"), shell),
        "resolve_name": Call(call("pkgutil:resolve_name", "os:system"), shell),
        "locate": Call(call("pydoc:locate", "os.system"), shell),
        "attrgetter": Call(Call(call("operator:attrgetter", "system"), module), shell),
        "methodcaller": Call(call("operator:methodcaller", "system", shell), module),
        "operator.call": call("operator:call", system, shell),
        "partial": Call(call("functools:partial", system, shell)),
        "partial of partial": Call(call("functools:partial", call("functools:partial", system), shell)),
        "reduce": Call(call("functools:reduce", Name("builtins", "getattr"), ["system"], module), shell),
        "map": call("builtins:list", call("builtins:map", system, [shell])),
        "filter": call("builtins:set", call("builtins:filter", system, [shell])),
        "starmap": call("collections:deque", call("itertools:starmap", system, [(shell,)])),
        "FunctionType": Call(call("types:FunctionType", compiled, {})),
        "marshal": Call(call("types:FunctionType", call("marshal:loads", marshal.dumps(
            compile(code, "x", "exec"))), {"__builtins__": {"open": Name("builtins", "open")}})),
        "dotted interpreter": call("code:InteractiveInterpreter.runsource", call("code:InteractiveInterpreter"), code),
        "dotted debugger": call("bdb:Bdb.run", call("bdb:Bdb"), code),
        "dotted tracer": call("trace:Trace.run", call("trace:Trace", 0, 0), code),
        "dotted profiler": call("cProfile:Profile.run", call("cProfile:Profile"), code),
        "dotted thread pool": call("multiprocessing.pool:Pool.apply", call("multiprocessing.pool:ThreadPool", 1),
                                   system, (shell,)),
        "dotted executor": call("concurrent.futures.thread:ThreadPoolExecutor.submit",
                                call("concurrent.futures.thread:ThreadPoolExecutor", 1), system, shell),
        "dotted browser": call("webbrowser:GenericBrowser.open", call("webbrowser:GenericBrowser", ["touch", "%s"]),
                               path),
        "dotted annotation": call("typing:ForwardRef._evaluate", call("typing:ForwardRef", code), {}, {},
                                  call("builtins:frozenset")),
        "dotted grammar": call("lib2to3.pgen2.grammar:Grammar.loads", call("lib2to3.pgen2.grammar:Grammar"), nested),
        "dotted configurator": Call(call("logging.config:BaseConfigurator.resolve",
                                         call("logging.config:BaseConfigurator", {}), "os.system"), shell),
        "dotted path": call("pathlib:Path.touch", call("pathlib:Path", path)),
        "dotted table": call("pandas:DataFrame.to_csv", call("pandas:DataFrame"), path),
        "dotted array": call("numpy:ndarray.tofile", call("numpy:ndarray", (1,)), path),
        "dotted module of an estimator": call("sklearn.linear_model._base:np.savetxt", path, [1]),
        "dotted module of ours": call("player.training:np.savetxt", path, [1]),
        "globals of ours": Call(call("builtins:getattr", call("operator:getitem", Name("player.features",
            "clean.__globals__"), "json"), "dump"), 1, call("builtins:open", path, "w")),
        "C library": Call(call("builtins:getattr", call("ctypes:CDLL", None), "system"), shell.encode()),
        "event loop": call("asyncio:run", call("asyncio.subprocess:create_subprocess_shell", shell)),
        "joblib file": call("joblib:load", str(beside)),
        "pandas file": call("pandas:read_pickle", str(beside)),
        "numpy file": call("numpy:load", str(beside), None, True),
        "base64": call("builtins:exec", call("base64:b64decode", base64.b64encode(code.encode()))),
        "zlib": call("builtins:exec", call("zlib:decompress", zlib.compress(code.encode()))),
        "in a good object": {"model": [1, 2, (call("builtins:exec", code),)]},
    }  # fmt: skip


def text(value: str) -> bytes:
    """Return the order that puts a short text on the stack."""
    return b"\x8c" + struct.pack("<B", len(value.encode())) + value.encode()


def by_hand(marker: Path) -> dict[str, bytes]:
    """Return attacks through unusual orders and all protocols, written order by order."""
    shell = f'echo x > "{marker}"'
    code = f"open({str(marker)!r}, 'w')"

    class Calls:
        def __reduce__(self) -> Any:
            return exec, (code,)

    split = b"\x80\x04" + text("os") + b"\x940" + text("system") + b"\x940h\x00h\x01\x93" + text(shell) + b"\x85R."
    return {
        **{f"protocol {protocol}": pickle.dumps(Calls(), protocol) for protocol in range(6)},
        "GLOBAL": f"cos\nsystem\n(V{shell}\ntR.".encode(),
        "INST": f"(V{shell}\nios\nsystem\n.".encode(),
        "OBJ": f"(cos\nsystem\nV{shell}\no.".encode(),
        "names from the memo": split,
        "function from the memo": f"cos\nsystem\np7\n0g7\n(V{shell}\ntR.".encode(),
        "thrown away after the call": f"cos\nsystem\n(V{shell}\ntR0I1\n.".encode(),
        "thrown away with a mark": f"(cos\nsystem\n(V{shell}\ntR1I1\n.".encode(),
        "after the first object": pickle.dumps({"good": 1})[:-1] + f"cos\nsystem\n(V{shell}\ntR.".encode(),
        "Python 2 name": f"c__builtin__\neval\n(V{code}\ntR.".encode(),
        "in a frame": b"\x80\x04\x95" + struct.pack("<Q", 12) + b"cos\nsystem\n2" + f"(V{shell}\ntR.".encode(),
        "broken after the call": f"cos\nsystem\n(V{shell}\ntR\xff".encode("latin-1"),
    }


NAMES = (
    "nt:system os:execv os:remove os:kill builtins:getattr builtins:setattr builtins:input builtins:breakpoint "
    "builtins:type builtins:memoryview builtins:globals builtins:super builtins:property builtins:classmethod "
    "runpy:run_module runpy:run_path codeop:compile_command pdb:run doctest:debug_script ctypes:string_at "
    "ctypes.util:find_library multiprocessing:Process operator:itemgetter types:CodeType types:SimpleNamespace "
    "threading:Thread shutil:rmtree tempfile:mkstemp socket:create_connection urllib.request:urlopen "
    "http.client:HTTPConnection smtplib:SMTP ftplib:FTP pip:main pip._internal:main ensurepip:_run_pip "
    "logging.config:fileConfig shelve:open dbm:open copyreg:add_extension copyreg:__newobj__ copyreg:__reduce_ex__ "
    "gc:get_objects sys:modules sys:settrace sys:exit inspect:getsource ast:literal_eval zipimport:zipimporter "
    "site:addsitedir faulthandler:_sigsegv signal:alarm atexit:register weakref:finalize antigravity:geohash "
    "torch:load cloudpickle:loads dill:loads numpy:load numpy:fromfile numpy:vectorize numpy:frompyfunc "
    "numpy:apply_along_axis numpy:piecewise numpy.f2py:compile numpy.ctypeslib:load_library numpy:ufunc.reduce "
    "numpy.lib._npyio_impl:load pandas:eval pandas:read_csv pandas:read_sql pandas.core.computation.eval:eval "
    "pandas:io scipy.io:loadmat scipy.stats._distn_infrastructure:rv_frozen scipy.LowLevelCallable:x "
    "sklearn.datasets:fetch_openml sklearn.datasets:load_files sklearn.utils.parallel:Parallel "
    "sklearn.utils:deprecated sklearn.utils._testing:create_memmap_backed_data sklearn.externals.joblib:load "
    "sklearn.ensemble._bagging:Parallel sklearn.ensemble._forest:deprecated sklearn.tree._export:export_text "
    "sklearn.linear_model._base:np sklearn.linear_model._base:sp.os.system sklearn.pipeline:Memory "
    "sklearn.feature_extraction.text:re.compile sklearn.tests.test_base:np sklearn.base:clone "
    "sklearn.gaussian_process.kernels:PairwiseKernel sklearn.model_selection._search:ParameterSampler "
    "player.training:read_table player.training:Path player.features:pd player.features:pd.read_pickle "
    "player.features:Feature player.settings.loading:read_secret player.trust.unpickler:loads "
    "player.serving.service:serve "
    "player.cli:main customer.cli:main __main__:main os\nsystem:system \u043es:system"
)


def names() -> list[str]:
    """Return names that no model needs, beyond those of the attacks: dangerous elsewhere, or with other arguments."""
    return NAMES.split(" ")


def tricks() -> dict[str, bytes]:
    """Return pickles that use good names only, to do with them what no model does."""
    kernel = call("sklearn.gaussian_process.kernels:RBF")
    return {
        "calls an object": written(Call(kernel, [[1.0]])),
        "calls a method": written(call("builtins:str.upper", "x")),
        "makes an object of an object": b"\x80\x04" + text("builtins") + text("list") + b"\x93)R)\x81.",
        "changes a class": written(Filled(Name("player.features", "Schema"), (None, {"names": []}))),
        "changes a class of Python": written(Filled(Name("collections", "OrderedDict"), (None, {"x": 1}))),
        "changes a function": written(Filled(Name("player.features", "clean"), (None, {"__defaults__": (1,)}))),
        "changes a function's own": written(Filled(Name("player.features", "clean"), {"__wrapped__": 1})),
        "replaces how an object is filled": written(Filled(Filled(call("sklearn.utils._bunch:Bunch"), 1),
            {"__setstate__": Name("builtins", "list")})),
        "replaces a class of an object": written(Filled(call("sklearn.dummy:DummyClassifier"),
            {"__class__": Name("builtins", "list")})),
        "persistent id": b"Pos.system\n.",
        "extension registry": b"\x80\x02\x82\x01.",
        "next buffer": b"\x80\x05\x97.",
        "more memory than there is": b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b".",
    }  # fmt: skip


def broken(good: bytes) -> dict[str, bytes]:
    """Return pickles that are damaged or no pickles at all, by name."""
    found = {
        "empty": b"",
        "text": b"this is no pickle",
        "zip": b"PK\x03\x04" + bytes(100),
        "zeros": bytes(1000),
        "JSON": json.dumps({"model": 1}).encode(),
        "huge length": b"\x80\x04\x8e" + b"\xff" * 8 + b"x.",
        "huge frame": b"\x80\x04\x95" + b"\xff" * 8 + b".",
        "huge number": b"I" + b"9" * 100_000 + b"\n.",
        "endless marks": b"(" * 100_000,
        "deep nesting": b"]" * 100_000 + b"a" * 99_999 + b"a.",
        "memo of nothing": b"\x80\x04h\x05.",
        "stack underflow": b"\x80\x04R.",
        "unknown protocol": b"\x80\xff.",
        "no end": pickle.dumps({"a": 1})[:-1],
    }
    for part in range(1, 20):
        found[f"cut at {part}/20"] = good[: len(good) * part // 20]
    return found


def hostile(good: Any) -> dict[str, Any]:
    """Return pipelines of allowed types that do not answer as a model must, made from a *good* one; by name."""
    from sklearn.base import clone
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    shadowed, not_callable, no_numbers, other_classes = (copy.deepcopy(good) for _ in range(4))
    shadowed.predict_proba = as_given
    not_callable.predict_proba = np.zeros((20, 2))
    no_numbers.named_steps["classifier"].calibrated_classifiers_[0].estimator.coef_[:] = np.nan
    other_classes.named_steps["classifier"].classes_ = np.array(["<b>yes</b>", "no"])
    two_columns = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    no_prior = DummyClassifier().fit([[0], [1]], [0, 1])
    no_prior.class_prior_ = np.array([np.nan, 0.5])
    return {
        "predict is a function": shadowed, "predict is an array": not_callable, "NaN coefficients": no_numbers,
        "other classes": other_classes, "unfitted": clone(good), "no predict": StandardScaler().fit([[1.0]]),
        "other columns": two_columns, "NaN answers": no_prior, "no model": {"predict": 1}, "nothing": None,
    }  # fmt: skip


def hostile_tree(numbers: list[str], left_child: int) -> Any:
    """Return a tree whose root leads to *left_child*: far outside of it, or back to the root for ever."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.tree import DecisionTreeClassifier

    rows = pd.DataFrame([[0.0] * len(numbers), [1.0] * len(numbers)] * 5, columns=numbers)
    columns = ColumnTransformer([("numbers", SimpleImputer(keep_empty_features=True), numbers)])
    pipeline = make_pipeline(columns, DecisionTreeClassifier()).fit(rows, [0, 1] * 5)
    tree = pipeline[-1].tree_
    state = tree.__getstate__()
    state["nodes"]["left_child"][0] = state["nodes"]["right_child"][0] = left_child
    tree.__setstate__(state)
    return pipeline


def main(folder: Path) -> None:
    """Load each attack with Python's own unpickler; print, as JSON, which left its marker and which did not."""
    left: dict[bool, list[str]] = {True: [], False: []}
    for number, name in enumerate(attacks(folder / "x")):
        marker = folder / str(number) / "marker"
        data = attacks(marker)[name]
        with contextlib.suppress(BaseException), contextlib.redirect_stdout(io.StringIO()):
            pickle.loads(data)
        deadline = time.monotonic() + 1  # some start a process and do not wait for it
        while not marker.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        left[marker.exists()].append(name)
    print(json.dumps({"real": left[True], "not here": left[False]}))
    sys.stdout.flush()
    os._exit(0)  # threads and loops that attacks have started end here


if __name__ == "__main__":
    main(Path(sys.argv[1]))
