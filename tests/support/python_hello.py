"""The `python-hello-world` image of the lesson, made from the Python of this machine alone.

Nothing is downloaded and nothing is built: the interpreter, the shared libraries it names and the modules
it loads for the greeting are copied into a layer, `app.py` into another. About 11 MB, 4 MB compressed.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.support.images import Image, layer

INTERPRETER = Path("/usr/bin/python3")
GREETING = "Hello, world! This is Python"

APP = f"""\
import sys

print("{GREETING}", sys.version.split()[0])
"""

# Prints the file of every module an interpreter has loaded once it is ready to run the app.
LOADED = """
import sys, site, encodings.ascii, encodings.latin_1
print(*sorted(m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)), sep="\\n")
"""


@cache
def python_hello_world() -> Image:
    """Two layers and a command: `python3 app.py` prints the greeting."""
    interpreter = INTERPRETER.resolve(strict=True)
    needed = (interpreter, *_shared_libraries(interpreter), *_loaded_modules())
    return Image(
        "python-hello-world",
        (
            layer(
                {str(path).lstrip("/"): path for path in needed} | {_extensions(): b""},
                links={"usr/bin/python3": interpreter.name},
            ),
            layer({"app/app.py": APP.encode()}),
        ),
        command=("python3", "app.py"),
        working_directory="/app",
    )


def _shared_libraries(program: Path) -> list[Path]:
    """The libraries `program` is linked with, at the very paths where the loader looks for them."""
    listed = _output("ldd", str(program))
    words = (word for line in listed.splitlines() for word in line.split())
    return [Path(word) for word in words if word.startswith("/")]


def _extensions() -> str:
    """A file that brings the folder of compiled modules into being: without it the interpreter warns."""
    folder = _output(str(INTERPRETER), "-I", "-S", "-c", "import sys; print(sys._stdlib_dir)")
    return f"{folder.strip().lstrip('/')}/lib-dynload/.none"


def _loaded_modules() -> list[Path]:
    # -S keeps out what the start-up files of this machine add to every interpreter.
    return [Path(name) for name in _output(str(INTERPRETER), "-I", "-S", "-c", LOADED).split()]


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
