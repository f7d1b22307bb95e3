"""Run a script of this folder inside the project's private environment, making it when needed.

A script begins with

    from _environment import ensure

    ensure(extras=("lab",))

and from the next line on it runs in ``.venv`` with minitrain installed from this tree. Only the
standard library is used before that. ``MINITRAIN_SETUP=skip`` in the surroundings says "use the
Python that I started": nothing is made or installed then.

What was installed is noted in ``.venv/minitrain.json``, so that the next start costs two file
reads. The note says "unfinished" while pip works; who finds it so makes ``.venv`` anew.
"""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
NOTE = VENV / "minitrain.json"
LOCK = ROOT / ".venv.lock"
OLDEST = (3, 11)  # python_requires of setup.cfg

HINT_PIP = """\
Is the network reachable (behind a proxy: set HTTPS_PROXY), is there space on the disk,
and does Numba support this Python yet? Then start again with the same command."""
HINT_VENV = """\
On Debian and Ubuntu: sudo apt install python3-venv
Then start again with the same command."""


def ensure(extras=()):
    """Return inside the environment with these extras of setup.cfg; set up what is missing."""
    if os.environ.get("MINITRAIN_SETUP") == "skip":
        return
    refuse_old_python()
    try:
        was_ready = is_ready(extras)
        if not was_ready:
            with one_at_a_time() as lock:
                if not is_ready(extras):
                    set_up(extras, lock)
    except KeyboardInterrupt:
        say("\nInterrupted. The same command starts over.")
        sys.exit(130)
    if not (was_ready and inside()):
        run_inside()


def refuse_old_python():
    if sys.version_info[:2] >= OLDEST:
        return
    newer = (f"python3.{minor}" for minor in range(20, OLDEST[1] - 1, -1))
    found = next(filter(shutil.which, newer), None)
    advice = f"start it with {found}" if found else "install a newer one from python.org"
    sys.exit(
        "minitrain needs Python {}.{} or newer and this is {}.{}: {}.".format(
            *OLDEST, *sys.version_info[:2], advice
        )
    )


def inside():
    return Path(sys.prefix).resolve() == VENV.resolve()


def is_ready(extras):
    note = read_note()
    return note.get("key") == key() and set(extras) <= set(note["extras"]) and PYTHON.exists()


def read_note():
    try:
        return json.loads(NOTE.read_text())
    except (OSError, ValueError):
        return {}


def write_note(**note):
    draft = NOTE.with_suffix(".new")
    draft.write_text(json.dumps(note))
    draft.replace(NOTE)


def key():
    """What an installation depends on; another key means: install again."""
    parts = [f"{ROOT} Python {sys.version_info[0]}.{sys.version_info[1]}"]
    parts += [(ROOT / name).read_text("utf-8") for name in ("setup.cfg", "pyproject.toml")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@contextlib.contextmanager
def one_at_a_time():
    """Hold ``.venv.lock``. The system lets go of it when the process ends, however it ends."""
    with LOCK.open("a+") as lock:
        told = False
        while not try_lock(lock):
            if not told:
                say("Another start is preparing .venv; waiting for it.")
                told = True
            time.sleep(0.2)
        yield lock


def try_lock(file):
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def set_up(extras, lock):
    note = read_note()
    extras = sorted({*extras, *note.get("extras", ())})
    began = time.monotonic()
    version = ".".join(map(str, sys.version_info[:2]))
    say(f"Preparing .venv: minitrain [{', '.join(extras)}] on Python {version}.")
    if not is_usable(note):
        say("The first time takes a minute or two, most of it for downloads.")
        make_environment()
        note = {}
    write_note(unfinished=True, extras=extras)
    # The lock is inherited: should this process be killed, it holds until pip has ended too.
    os.set_inheritable(lock.fileno(), True)
    tree = "." + ("[{}]".format(",".join(extras)) if extras else "")  # pip refuses ".[]"
    trouble = pip(PYTHON, "install", "--editable", tree, close_fds=False)
    if trouble:
        # pip downloads everything before it changes anything: what was good still is.
        write_note(**note)
        fail("pip could not install minitrain.", HINT_PIP, trouble)
    write_note(key=key(), extras=extras)
    say(f"Ready after {time.monotonic() - began:.0f} s.\n")


def is_usable(note):
    """Is there an environment that pip can go on with: finished, and for this very Python?"""
    if note.get("unfinished") or not PYTHON.exists():
        return False
    ask = "import sys, pip; print(*sys.version_info[:2])"
    answer = subprocess.run([str(PYTHON), "-c", ask], capture_output=True, text=True)
    return answer.stdout.split() == [str(part) for part in sys.version_info[:2]]


def make_environment():
    if inside():
        sys.exit("The environment in .venv cannot mend itself: deactivate it, then start again.")
    own_pip = importlib.util.find_spec("ensurepip") is not None
    other_pip = importlib.util.find_spec("pip") is not None
    if importlib.util.find_spec("venv") is None or not (own_pip or other_pip):
        fail("This Python comes without the modules venv and ensurepip.", HINT_VENV)
    import venv

    try:
        if VENV.exists():
            shutil.rmtree(str(VENV))
        VENV.mkdir()
        write_note(unfinished=True)
        venv.EnvBuilder(symlinks=os.name != "nt", with_pip=own_pip).create(str(VENV))
    except (OSError, subprocess.CalledProcessError) as error:
        fail("The environment could not be made.", HINT_VENV, str(error))
    if not own_pip:  # as on Debian without python3-venv: the pip outside brings one inside
        trouble = pip(sys.executable, "--python", str(PYTHON), "install", "pip")
        if trouble:
            fail("pip could not be brought into the environment.", HINT_VENV, trouble)


def pip(python, *arguments, **options):
    """Run pip quietly; return what it said if it failed, else nothing."""
    done = subprocess.run(
        [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        cwd=str(ROOT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        **options,
    )
    if done.returncode:
        return done.stdout.strip() or f"pip ended with code {done.returncode}"
    return ""


def fail(what, hint, details=""):
    sys.exit("\n".join([details, "", what, hint] if details else [what, hint]))


def run_inside():
    """Start the calling script again in .venv and end as it ends."""
    command = [str(PYTHON), *sys.orig_argv[1:]]
    environment = {**os.environ, "MINITRAIN_SETUP": "skip"}
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], command, environment)
    # Windows has no exec. Ctrl-C reaches the child too: it decides, this process waits.
    child = subprocess.Popen(command, env=environment)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            sys.exit(child.wait())


def say(text):
    print(text, file=sys.stderr, flush=True)
