#!/usr/bin/env python3
"""Records what ansible-core prints for each case: see README.md beside this file.

usage: record.py BIN [CASE ...]     BIN: the folder that has ansible-inventory and ansible
"""
import os, pathlib, re, shlex, shutil, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).parent
ROOT = pathlib.Path(tempfile.gettempdir(), "davit-inventory")
# The original adds where in itself it stumbled: nothing to compare.
TRACEBACK = re.compile(r"\nTraceback \(most recent call last\):\n.*\Z", re.DOTALL)


def parse(text):
    env, commands, files, current = {}, [], [], None
    for line in text.splitlines(keepends=True):
        if line.startswith("-- ") and line.rstrip().endswith(" --"):
            name = line.rstrip()[3:-3]
            mode = 0o644
            if name.endswith(" +x"):
                name, mode = name[:-3], 0o755
            current = [name, mode, ""]
            files.append(current)
        elif current is not None:
            current[2] += line
        elif line.startswith("env "):
            key, value = line[4:].rstrip("\n").split("=", 1)
            env[key] = value
        elif line.startswith("$ "):
            commands.append(line[2:].rstrip("\n"))
    return env, commands, files


def record(path, bin):
    env, commands, files = parse(path.read_text())
    folder = ROOT / path.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, mode, text in files:
        file = folder / name
        if name.endswith("/"):
            file.mkdir(parents=True, exist_ok=True)
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
    base = {"PATH": f"{bin}:/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "ANSIBLE_LOCAL_TEMP": f"{ROOT}/.tmp",
            "ANSIBLE_HOME": f"{ROOT}/.ansible", "ANSIBLE_NOCOLOR": "1", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    out = ""
    for command in commands:
        done = subprocess.run(shlex.split(command), cwd=folder, env=base | env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        fix = lambda text: text.replace(str(folder), "$DIR")
        out += f"$ {command}\n"
        errors, printed = TRACEBACK.sub("\n", fix(done.stderr)), fix(done.stdout).replace(f"{bin}/python3", "PYTHON")
        out += f"=== code {done.returncode}\n=== stderr\n{errors}=== stdout\n{printed}"
    (HERE / "recorded").mkdir(exist_ok=True)
    (HERE / "recorded" / f"{path.stem}.out").write_text(out)


def main():
    bin, wanted = sys.argv[1], sys.argv[2:]
    paths = sorted(p for p in (HERE / "cases").glob("*.case") if not wanted or p.stem in wanted)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda p: record(p, bin), paths))


main()
