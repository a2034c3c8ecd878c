# SPDX-License-Identifier: GPL-2.0
"""adapterchecks.py - labs/selftest adapters: Slurm, Autolab and Gradescope, each with
stand-ins for the platform and for the grader. None was tried on the real one."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import zipfile

from manychecks import GRADE, Place
from places import LABS, OUT, ROOT

ADAPTERS = LABS / "adapters"
LINES = 30


def call(argv, cwd, env=None):
    done = subprocess.run([str(word) for word in argv], cwd=cwd, env=env, capture_output=True,
                          text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def check_adapters(tally, _):
    files = [p for p in sorted(ADAPTERS.glob("*/*")) if p.is_file()]
    long = [f"{p.name} has {len(p.read_text().splitlines())}" for p in files
            if len(p.read_text().splitlines()) > LINES]
    tally.check(f"{len(files)} files of adapters have {LINES} lines at most", files and not long,
                ", ".join(long))
    for check in (check_slurm, check_autolab, check_gradescope, check_pack):
        with tempfile.TemporaryDirectory() as folder:
            check(tally, pathlib.Path(folder))


# --- Slurm ------------------------------------------------------------------------

class Slurm:
    """sbatch: a copy of the script runs on the first node, in the folder where sbatch
    was called, and has the environment that Slurm's documentation names."""

    def __init__(self, place, nodes):
        base = place.base
        (base / "bin").mkdir(exist_ok=True)
        (base / "bin/scontrol").write_text(
            "#!/bin/sh\n[ \"$*\" = 'show hostnames h[1-9]' ] || exit 1\n"
            + "".join(f"echo {node}\n" for node in nodes))
        (base / "bin/scontrol").chmod(0o755)
        self.script = base / "slurm_script"
        shutil.copy2(ADAPTERS / "slurm/grade-all.sbatch", self.script)
        self.env = dict(place.env, PATH=f"{base}/bin:{os.environ['PATH']}",
                        SLURM_JOB_ID=f"selftest-{os.getpid()}", SLURM_JOB_NODELIST="h[1-9]",
                        SLURM_JOB_NUM_NODES=str(len(nodes)), SLURM_CPUS_PER_TASK="4",
                        SLURMD_NODENAME=nodes[0], SLURM_SUBMIT_DIR=str(ROOT))
        self.machines = OUT / f"slurm-selftest-{os.getpid()}"

    def sbatch(self, *words, **env):
        return call([self.script, *words], "/", dict(self.env, **env))


def check_slurm(tally, base):
    place = Place(base, [f"s{n}" for n in range(8)])
    (base / "hosts/h11").mkdir()
    slurm = Slurm(place, ["h1", "h2", "down", "h11"])
    status, said = slurm.sbatch("2", base / "subs")
    logged = place.logged()
    tally.check(f"slurm: four nodes, one of them down ({logged})", status == 0
                and "machine down cannot be reached" in said and len(place.rows()) == 8
                and {":", "h2"} <= set(logged) <= {":", "h2", "h11"}, said)
    listed = slurm.machines.read_text().split()
    tally.check("slurm: the node of the script needs no ssh", listed == [":", "h2", "down", "h11"],
                str(listed))
    slurm.machines.unlink()
    shutil.rmtree(base / "out")
    status, said = Slurm(place, ["h1"]).sbatch("2", base / "subs")
    tally.check("slurm: one node", status == 0 and set(place.logged()) == {":"}
                and not slurm.machines.exists(), said)
    for env, words, sentence in (
            ({}, ["2"], "which lab, and which folder?"),
            ({"SLURM_JOB_NODELIST": ""}, ["2", "x"], "this is a batch script of Slurm"),
            ({"SLURM_SUBMIT_DIR": str(base)}, ["2", "x"], "is no clone"),
            ({"SLURM_CPUS_PER_TASK": "1"}, ["2", "x"], "a job wants two CPUs"),
            ({"SLURM_JOB_NODELIST": "odd"}, ["2", "x"], "scontrol does not name"),
            ({}, ["2", str(base / "none")], "is no folder")):
        status, said = slurm.sbatch(*words, **env)
        tally.check(f"slurm: \"... {sentence} ...\"", status == 1 and sentence in said, said)
    place = Place(base / "again", [f"slow{n}" for n in range(6)])
    slurm = Slurm(place, ["h1"])
    process = subprocess.Popen([slurm.script, "2", place.base / "subs"], env=slurm.env,
                               stdout=subprocess.PIPE, text=True)
    while not (place.base / "asked").exists() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    tally.check("slurm: the signal before the time limit ends it in good order",
                process.returncode == 143 and "of 6 submissions graded" in said, said)


# --- Autolab ----------------------------------------------------------------------

def clone(base, *files):
    """A folder like a clone, with the stand-in for labs/grade."""
    (base / "labs").mkdir(parents=True)
    (base / "labs/grade").write_text(GRADE)
    (base / "labs/grade").chmod(0o755)
    for name in files:
        shutil.copytree(ADAPTERS / name, base / "labs/adapters" / name)
    return base


def check_autolab(tally, base):
    mmu = clone(base / "my mmu", "autolab")
    # Autolab's make is nobody's child, even where "make check-labs" asks
    env = {name: value for name, value in os.environ.items()
           if name not in ("MAKELEVEL", "MAKEFLAGS", "MFLAGS")}
    env |= {"BASE": str(base), "MMU": str(mmu)}
    for name, last, asked in (("good.c", '{"scores": {"Code": 7}}', 1),
                              ("twice.c", '{"scores": {"Code": 7}}', 2),
                              ("refused.c", "No score before a person has looked.", 1),
                              ("busy.c", "through no fault of the file", 2),
                              ("bug.c", "through no fault of the file", 1)):
        folder = base / f"instance-{name}"
        folder.mkdir()
        shutil.copy2(ADAPTERS / "autolab/autograde-Makefile", folder / "Makefile")
        (folder / name).write_text("x")
        (base / "asked").write_text("")
        _, said = call(["make", f"HANDIN={name}"], folder, env)
        lines = [line for line in said.splitlines() if not line.startswith("make: ***")]
        tally.check(f"autolab: {name}: the last line is {last!r}", last in lines[-1]
                    and lines[-1].startswith("{") == last.startswith("{")
                    and (base / "asked").read_text().count("\n") == asked, said)
    _, said = call(["make", "HANDIN=other.c"], folder, env)
    tally.check("autolab: a file of another name is said", "Autolab put no other.c here" in said,
                said)
    _, said = call(["make"], folder, dict(env, MMU=str(base / "none")))
    tally.check("autolab: so is a missing clone", "There is no clone in" in said, said)


# --- Gradescope ---------------------------------------------------------------------

def check_gradescope(tally, base):
    clone(base / "source/my-mmu")
    for name in ("submission", "results"):
        (base / name).mkdir()
    (base / "source/lab").write_text("2\n")
    env = dict(os.environ, BASE=str(base), AUTOGRADER=str(base))
    run = [ADAPTERS / "gradescope/run_autograder"]
    results = base / "results/results.json"

    def graded():
        call(run, base, env)
        return json.loads(results.read_text())

    tally.check("gradescope: results.json is the grader's", graded()["score"] == 7)
    script = base / "source/my-mmu/labs/grade"
    for what, text in (("75", "#!/bin/sh\necho x >>$BASE/tries; exit 75\n"),
                       ("1 without a result", "#!/bin/sh\nexit 1\n"),
                       ("127", None)):
        script.write_text(text) if text else script.unlink()
        said = graded()
        tally.check(f"gradescope: where the grader ends with {what}, results.json says so",
                    said["score"] == 0 and "no fault of yours" in said["output"], str(said))
    tally.check("gradescope: after a second try", (base / "tries").read_text() == "x\nx\n")
    script.write_text("#!/bin/sh\necho $$ >$BASE/pid; exec sleep 60\n")
    script.chmod(0o755)
    with subprocess.Popen([str(run[0])], env=env, start_new_session=True) as process:
        while not (base / "pid").exists():
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    said = json.loads(results.read_text())
    tally.check("gradescope: results.json is there when it is killed", "more time than Gradescope"
                in said["output"] and said["score"] == 0, str(said))


def unpacked(archive, target):
    """As unzip does: with modes."""
    with zipfile.ZipFile(archive) as file:
        file.extractall(target)
        for info in file.infolist():
            if info.external_attr >> 16 and not info.is_dir():
                (target / info.filename).chmod((info.external_attr >> 16) & 0o777)


def check_pack(tally, base):
    if call(["git", "rev-parse", "HEAD"], ROOT)[0]:
        tally.skip("gradescope: pack: this is no clone")
        return
    tree = base / "tree"
    call(["git", "clone", "-q", "--shared", ROOT, tree], "/")
    shutil.copytree(ADAPTERS, tree / "labs/adapters", dirs_exist_ok=True)
    pack = tree / "labs/adapters/gradescope/pack"
    commit = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "-qm", "x"]
    call(["git", "add", "-A"], tree)
    call(commit, tree)
    for words in ([], ["77"], ["x y"]):
        status, said = call([pack, *words], "/")
        tally.check(f"gradescope: pack {' '.join(words) or 'without a lab'}: which lab?",
                    status == 1 and "which lab?" in said, said)
    with open(tree / "Makefile", "a") as file:
        file.write("# changed\n")
    status, said = call([pack, "2"], "/")
    tally.check("gradescope: pack wants a commit", status == 1 and "commit first" in said, said)
    call(["git", "checkout", "-q", "Makefile"], tree)
    status, said = call([pack, "2"], "/")
    source = base / "autograder/source"
    archive = tree / "build/labs/autograder-2.zip"
    if not tally.check("gradescope: pack makes an archive", archive.exists(), said):
        return
    unpacked(archive, source)
    modes = [os.access(source / name, os.X_OK) for name in
             ("setup.sh", "run_autograder", "my-mmu/labs/grade", "my-mmu/vm/setup")]
    tally.check(f"gradescope: with what it must have ({archive.stat().st_size >> 20} MB)",
                all(modes) and (source / "lab").read_text() == "2\n", str(modes))
    check_setup(tally, base, source)


def check_setup(tally, base, source):
    mmu, env = source / "my-mmu", dict(os.environ, AUTOGRADER=str(base / "autograder"))
    (mmu / "vm/setup").write_text("#!/bin/sh\necho setup $*\n")
    (mmu / "labs/grade").write_text("#!/bin/sh\necho grade $*\n")
    for name in ("vm/prepare", "labs/lab"):
        (mmu / name).write_text(f"#!/bin/sh\necho {name} $*\n")
    status, said = call([source / "setup.sh"], "/", env)
    tally.check("gradescope: setup.sh installs, brings the kernel of drawn tests, and grades the "
                "solution", status == 0 and said == "setup build vm labs\nvm/prepare 6.1\n"
                "grade 2 variants/spinlock/my_mmu.c --out build/labs/first\n", said)
    (source / "lab").write_text("0\n")
    status, said = call([source / "setup.sh"], "/", env)
    tally.check("gradescope: of a lab with questions, it grades a hand-out, and brings 6.1",
                status == 0 and "vm/prepare 6.1\nlabs/lab new 0 --dir " in said
                and "\ngrade 0 /" in said, said)
    (source / "lab").write_text("2\n")
    (mmu / "labs/grade").write_text("#!/bin/sh\nexit 75\n")
    status, said = call([source / "setup.sh"], "/", env)
    tally.check("gradescope: setup.sh fails where that fails", status == 1
                and "the solution itself was not graded" in said, said)
    (base / "bin").mkdir()
    for name in ("python3", "apt-get"):
        (base / "bin" / name).write_text("#!/bin/sh\nexit 1\n")
        (base / "bin" / name).chmod(0o755)
    status, said = call([source / "setup.sh"], "/",
                        dict(env, PATH=f"{base}/bin:{os.environ['PATH']}"))
    tally.check("gradescope: setup.sh fails with an older Python", status == 1
                and "Python 3.11 or newer is needed" in said, said)
    shutil.rmtree(mmu)
    status, said = call([source / "setup.sh"], "/", env)
    tally.check("gradescope: and without the tree", status == 1 and "there is no my-mmu" in said,
                said)
