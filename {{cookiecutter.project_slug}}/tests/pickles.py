"""Pickles that attack, break or hang, for the tests of what must never be loaded. Each attack leaves a marker file."""

import base64
import pickle
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any


class Calls:
    """An object whose pickle calls *function* with *arguments* when it is loaded."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def opcodes(module: str, name: str, argument: str) -> bytes:
    """Return a protocol 0 pickle that calls *module*.*name*(*argument*), written by hand."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def stack_global(module: str, name: str, argument: str) -> bytes:
    """Return a protocol 4 pickle that calls a (dotted) name with one text."""

    def text(value: str) -> bytes:
        return b"\x8c" + struct.pack("<B", len(value.encode())) + value.encode()

    return b"\x80\x04" + text(module) + text(name) + b"\x93" + text(argument) + b"\x85R."


def inst(module: str, name: str, argument: str) -> bytes:
    """Return a pickle that calls through the old INST opcode."""
    return f"(V{argument}\ni{module}\n{name}\n.".encode()


def obj(module: str, name: str, argument: str) -> bytes:
    """Return a pickle that calls through the old OBJ opcode."""
    return f"(c{module}\n{name}\nV{argument}\no.".encode()


def newobj_ex(module: str, name: str, argument: str) -> bytes:
    """Return a pickle that makes an object through NEWOBJ_EX."""
    return b"\x80\x04" + f"c{module}\n{name}\n(V{argument}\nt}}\x92.".encode()


def attacks(marker: Path) -> dict[str, bytes]:
    """Return pickles that would make the file *marker*, were they loaded by Python itself; by name."""
    shell = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w')"
    found = {f"protocol {protocol}, exec": pickle.dumps(Calls(exec, code), protocol=protocol) for protocol in range(6)}
    calls: dict[str, tuple[Any, ...]] = {
        "eval": (eval, code),
        "compile and exec": (exec, Calls(compile, code, "x", "exec")),
        "open": (open, str(marker), "w"),
        "subprocess.run": (subprocess.run, ["touch", str(marker)]),
        "subprocess.Popen": (subprocess.Popen, ["touch", str(marker)]),
        "Path.touch": (Path.touch, marker),
        "nested pickle": (pickle.loads, pickle.dumps(Calls(exec, code))),
        "inside base64": (exec, Calls(base64.b64decode, base64.b64encode(code.encode()))),
        "inside zlib": (exec, Calls(zlib.decompress, zlib.compress(code.encode()))),
        "getattr": (Calls(getattr, Calls(__import__, "os"), "system"), shell),
        "__import__": (__import__, "antigravity"),
        "map": (list, Calls(map, exec, [code])),
        "type": (Calls(type, "X", (), {}),),
        "memoryview": (memoryview, b"x"),
        "globals": (globals,),
        "setattr on a class": (setattr, Calls, "x", 1),
        "in a list": (list, [Calls(exec, code)]),
    }
    for name, call in calls.items():
        try:
            found[name] = pickle.dumps(Calls(*call))
        except (pickle.PicklingError, TypeError, AttributeError):
            continue
    targets = [
        ("os", "system", shell), ("posix", "system", shell), ("nt", "system", shell), ("os", "popen", shell),
        ("os", "execv", shell), ("os", "remove", str(marker)), ("subprocess", "getoutput", shell),
        ("subprocess", "check_output", shell), ("builtins", "eval", code), ("builtins", "exec", code),
        ("builtins", "getattr", "x"), ("builtins", "__import__", "os"), ("builtins", "input", "x"),
        ("builtins", "breakpoint", "x"), ("builtins", "type", "x"), ("builtins", "map", "x"),
        ("pydoc", "pipepager", shell), ("pydoc", "locate", "os.system"), ("pkgutil", "resolve_name", "os:system"),
        ("importlib", "import_module", "os"), ("runpy", "run_path", str(marker)), ("runpy", "run_module", "os"),
        ("code", "InteractiveInterpreter", "x"), ("codeop", "compile_command", code), ("timeit", "timeit", code),
        ("cProfile", "run", code), ("profile", "run", code), ("pdb", "run", code), ("bdb", "Bdb", "x"),
        ("trace", "Trace", "x"), ("doctest", "debug_script", code), ("ctypes", "CDLL", "libc.so.6"),
        ("ctypes.util", "find_library", "c"), ("asyncio", "run", "x"), ("multiprocessing", "Process", "x"),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start", shell), ("operator", "attrgetter", "system"),
        ("operator", "methodcaller", "system"), ("functools", "partial", "x"), ("functools", "reduce", "x"),
        ("types", "FunctionType", "x"), ("types", "CodeType", "x"), ("_thread", "start_new_thread", "x"),
        ("threading", "Thread", "x"), ("webbrowser", "open", "x"), ("shutil", "rmtree", str(marker)),
        ("tempfile", "mkstemp", "x"), ("socket", "create_connection", "x"), ("urllib.request", "urlopen", "x"),
        ("http.client", "HTTPConnection", "x"), ("smtplib", "SMTP", "x"), ("imaplib", "IMAP4_stream", shell),
        ("uuid", "_get_command_stdout", shell), ("_osx_support", "_read_output", shell), ("pip", "main", "x"),
        ("pip._internal", "main", "x"), ("distutils.spawn", "spawn", shell), ("ensurepip", "_run_pip", "x"),
        ("logging.config", "fileConfig", str(marker)), ("shelve", "open", str(marker)), ("dbm", "open", str(marker)),
        ("sqlite3", "connect", str(marker)), ("pickle", "loads", "x"), ("_pickle", "loads", "x"),
        ("marshal", "loads", "x"), ("copyreg", "add_extension", "x"), ("gc", "get_objects", "x"),
        ("sys", "modules", "x"), ("inspect", "getsource", "x"), ("ast", "literal_eval", "x"),
        ("zipimport", "zipimporter", "x"), ("site", "addsitedir", "x"), ("faulthandler", "_sigsegv", "x"),
        ("numpy", "load", str(marker)), ("numpy", "fromfile", str(marker)), ("numpy", "vectorize", "x"),
        ("numpy.f2py", "compile", code), ("numpy.testing", "measure", code),
        ("numpy.testing._private.utils", "runstring", code),
        ("numpy.ctypeslib", "load_library", "x"), ("numpy.lib._npyio_impl", "load", str(marker)),
        ("numpy.distutils.exec_command", "exec_command", shell), ("pandas", "read_pickle", str(marker)),
        ("pandas", "eval", code), ("pandas.core.computation.eval", "eval", code), ("pandas", "read_csv", str(marker)),
        ("joblib", "load", str(marker)), ("joblib.numpy_pickle", "load", str(marker)), ("joblib", "Parallel", "x"),
        ("cloudpickle", "loads", "x"), ("scipy.io", "loadmat", str(marker)), ("sklearn.datasets", "fetch_openml", "x"),
        ("sklearn.datasets", "load_files", str(marker)), ("sklearn.utils", "parallel", "x"),
        ("sklearn.utils._testing", "create_memmap_backed_data", "x"), ("sklearn.utils.parallel", "Parallel", "x"),
        ("sklearn.externals.joblib", "load", "x"), ("sklearn.linear_model._base", "sp.os.system", shell),
        ("sklearn.linear_model._base", "np.load", str(marker)), ("sklearn.linear_model._base", "np", "x"),
        ("sklearn.model_selection._search", "Parallel", "x"), ("sklearn.pipeline", "check_memory", str(marker)),
        ("sklearn.ensemble._base", "Parallel", "x"), ("sklearn.tree._export", "export_text", "x"),
        ("sklearn.feature_extraction.text", "re.compile", "x"), ("sklearn.tests.test_base", "np", "x"),
        ("player.training", "read_table", str(marker)), ("player.training", "Path", str(marker)),
        ("player.features", "pd.read_pickle", str(marker)), ("player.features", "pd", "x"),
        ("player.features", "clean.__globals__", "x"), ("player.config", "read_secret", str(marker)),
        ("player.model.store", "write_whole", str(marker)), ("player.model.unpickler", "loads", "x"),
        ("player.server", "serve", "x"), ("__main__", "main", "x"), ("customer.cli", "main", "x"),
    ]  # fmt: skip
    for module, name, argument in targets:
        found[f"{module}.{name}"] = stack_global(module, name, argument)
    for make in (opcodes, inst, obj, newobj_ex):
        found[f"{make.__name__} os.system"] = make("os", "system", shell)
        found[f"{make.__name__} builtins.exec"] = make("builtins", "exec", code)
    found["Python 2 names"] = opcodes("__builtin__", "eval", code)
    found["after a good object"] = pickle.dumps({"good": 1})[:-1] + opcodes("os", "system", shell)
    found["a name with a line break"] = stack_global("os\nsystem", "system", shell)
    found["a name with a look-alike"] = stack_global("оs", "system", shell)
    found["persistent id"] = b"Pos.system\n."
    found["extension registry"] = b"\x80\x02\x82\x01."
    return found


def broken(good: bytes) -> dict[str, bytes]:
    """Return pickles that are damaged or no pickles at all, by name."""
    found = {
        "empty": b"",
        "text": b"this is no pickle",
        "zip": b"PK\x03\x04" + bytes(100),
        "zeros": bytes(1000),
        "huge length": b"\x80\x04\x8e" + b"\xff" * 8 + b"x.",
        "endless marks": b"(" * 100_000,
        "memo of nothing": b"\x80\x04h\x05.",
        "stack underflow": b"\x80\x04R.",
        "unknown protocol": b"\x80\xff.",
    }
    for part in range(1, 20):
        found[f"cut at {part}/20"] = good[: len(good) * part // 20]
    return found
