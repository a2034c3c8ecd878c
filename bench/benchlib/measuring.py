# SPDX-License-Identifier: GPL-2.0
"""What bench/run and bench/icount share: parameters, the VM, what it is."""

import csv
import datetime
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Optional, Sequence

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("BUILD", ROOT / "build"))


def die(sentence: str, status: int = 1) -> NoReturn:
    print(f"bench/{Path(sys.argv[0]).name}: {sentence}", file=sys.stderr)
    sys.exit(status)


# --- parameters --------------------------------------------------------------

def words(name: str, default: str) -> list[str]:
    found = re.split(r"[,\s]+", (os.environ.get(name) or default).strip())
    return [word for word in found if word]


def positive(name: str, text: str, most: int) -> int:
    if not text.isdigit() or not 1 <= int(text) <= most:
        die(f'{name} "{text}" is not a number from 1 to {most}.')
    return int(text)


def known_variants() -> list[str]:
    return sorted(p.parent.name for p in ROOT.glob("variants/*/Kbuild"))


def lookup_wanted() -> str:
    how = os.environ.get("LOOKUP") or "auto"
    if how not in ("auto", "gup", "snapshot"):
        die(f'LOOKUP "{how}" is none of: auto, gup, snapshot.')
    return how


def variants() -> list[str]:
    there = known_variants()
    asked = words("VARIANTS", "spinlock split-ptl rcu-list interval")
    for name in asked:
        if name not in there:
            die(f'there is no variant "{name}" in variants/; there are: '
                f"{', '.join(there)}.")
    return list(dict.fromkeys(asked))


# --- the VM ------------------------------------------------------------------

def run_children(commands: Sequence[list[str]],
                 env: Optional[dict[str, str]] = None) -> list[int]:
    """All at once. Also when this process is told to stop, the children stop first."""
    children = [subprocess.Popen(command, env=env) for command in commands]
    try:
        return [child.wait() for child in children]
    except BaseException:
        for child in children:
            if child.poll() is None:
                child.terminate()
        for child in children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
        raise


def run_child(command: list[str], env: Optional[dict[str, str]] = None) -> int:
    return run_children([command], env)[0]


class Guest(NamedTuple):
    """What guest-run is to do; what it leaves in /results goes to out."""

    label: str
    environment: dict[str, Any]
    out: Path
    options: Sequence[str] = ()


def boot(kernel: str, guests: Sequence[Guest], seconds: int) -> list[int]:
    """guest-run in a VM each, all at once."""
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench.") as files:
        bin_dir = Path(files) / "usr/local/bin"
        bin_dir.mkdir(parents=True)
        shutil.copy2(ROOT / "bench/guest-run", bin_dir)
        return run_children([
            [str(ROOT / "vm/run"), "--kernel", kernel, "--bench", "--perf",
             "--no-insmod", "--label", guest.label, "--files", files,
             "--timeout", str(seconds), "--out", str(guest.out), *guest.options,
             *(word for name, value in guest.environment.items()
               for word in ("--env", f"{name}={value}")),
             "--", "guest-run"] for guest in guests])


def vm_error(status: int, label: str, faster: str) -> str:
    """Why there is nothing; as its last line, after those of vm/run."""
    return {
        124: f"the VM ran out of time. On a slow or busy machine, try {faster}.",
        125: "the guest failed; the lines above say why.",
        126: "bad news on the guest's console, so the numbers are void; "
             f"build/log/{label}.console.log has it.",
    }.get(status, "the measurement failed; the lines above say where.")


def prepare(kernel: str) -> None:
    for command in (["vm/setup", "--quiet", "bench"], ["vm/prepare", kernel]):
        if run_child([str(ROOT / command[0]), *command[1:]]):
            die("not ready to measure; the lines above say why.")


# --- what it is --------------------------------------------------------------

def output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=ROOT, text=True, check=True,
                              capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def machine_of(uname: str) -> str:
    """What ARCH= calls the guest's kind of machine."""
    return "arm64" if "aarch64" in uname.split() else "x86_64"


def compiler(machine: str) -> str:
    triplet = {"arm64": "aarch64-linux-gnu"}.get(machine, "x86_64-linux-gnu")
    for name in (f"{triplet}-gcc-12", "gcc"):
        version = output(name, "--version")
        if version:
            return version.splitlines()[0]
    return "unknown"


def host_steal_ms() -> int:
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[8]) * 1000 // os.sysconf("SC_CLK_TCK")


def read_guest(path: Path) -> dict[str, str]:
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def package_of(uname: str) -> str:
    found = re.search(r"Debian (\S+)", uname)
    return found.group(1) if found else "unknown"


def steal_of(raw: Path) -> int:
    with raw.open(newline="") as lines:
        return sum(int(row["steal_ms"]) for row in csv.DictReader(lines))


def describe(guest: dict[str, str], p: dict[str, Any], folder: Path,
             before: dict[str, Any]) -> dict[str, Any]:
    """meta.json: README.md says what the names mean."""
    accel, vcpus = guest["accelerator"], int(guest["vcpus"])
    machine = machine_of(guest["uname"])
    kind = "" if machine == "x86_64" else f"{machine}-"
    emulator = "" if accel.startswith("host") else "qemu-"
    return {
        "format": 2,
        "date": before["date"],
        "host": os.environ.get("BENCH_HOST") or f"{emulator}{accel}-{kind}{vcpus}cpu",
        "kernel": guest["release"], "series": guest["kernel"],
        "uname": guest["uname"], "package": package_of(guest["uname"]),
        "accelerator": accel, "qemu": guest["qemu"], "vcpus": vcpus,
        "guest_cpu": guest["guest_cpu"],
        "memory_kb": int(guest["memory_kb"]),
        "clocksource": guest["clocksource"],
        "clock_ns": int(guest["clock_ns"]),
        "spinlocks": guest["spinlocks"],
        "cmdline": guest["cmdline"], "profile": guest["profile"],
        "perf": guest.get("perf", "none"),
        "mitigations": {k.removeprefix("mitigation_"): v
                        for k, v in guest.items()
                        if k.startswith("mitigation_")},
        "host_cpu": before["cpu"], "host_cpus": os.cpu_count(),
        "host_kernel": os.uname().release.split("-")[0], "host_load": before["load"],
        "host_steal_ms": host_steal_ms() - before["steal"],
        **host_shape(), "pinned": pinned_text(folder / "pinned.txt"),
        "steal_ms": steal_of(folder / "raw.csv"),
        "compiler": compiler(machine),
        **before["tree"],
        "seconds": round(time.monotonic() - before["clock"]),
        "parameters": p,
    }


def before_all() -> dict[str, Any]:
    model = re.search(r"Model name: *(.*)", output("env", "LC_ALL=C", "lscpu"))
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "date": now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "cpu": model.group(1) if model else "unknown",
        "load": host_load(),
        "steal": host_steal_ms(), "clock": time.monotonic(),
        "tree": {
            "commit": output("git", "rev-parse", "--short=12", "HEAD") or "unknown",
            "dirty": bool(output("git", "status", "--porcelain", "-uno")),
        },
    }


BUSY = 0.5	# load beyond which a machine does not measure one thing


def host_load() -> float:
    return os.getloadavg()[0]


def settle() -> None:
    """What has just been compiled is still in the load: wait for that to pass, for
    as long as bench/host does."""
    seconds = int(os.environ.get("SETTLE_S") or 180)
    if host_load() > BUSY and seconds:
        print(f"waiting for a load below {BUSY}, {seconds} s at most", flush=True)
    for _ in range(seconds):
        if host_load() <= BUSY:
            return
        time.sleep(1)


def warn_about_load(load: float) -> None:
    if load > BUSY:
        print(f"note: this machine is busy (load {load:.1f}); times will be "
              "unsteady and intervals wide.", flush=True)


# --- CPUs of one's own -------------------------------------------------------

def cpus_here() -> int:
    return len(os.sched_getaffinity(0))


def cpus_asked() -> Optional[int]:
    """What CPUS= says; then each of them is to have a CPU of the host."""
    text = os.environ.get("CPUS")
    return positive("CPUS", text, 64) if text else None


def insist_on(cpus: int) -> None:
    """Whoever asks for so many wants to see what they do, not who else is
    there."""
    here = cpus_here()
    if cpus > here:
        die(f"CPUS={cpus}: this machine has {here} for us. Ask for {here}, or "
            "measure on a larger one.")
    settle()
    load = host_load()
    if load > BUSY:
        die(f"CPUS={cpus} wants that many CPUs to itself, and this machine is "
            f"busy (load {load:.1f}). Wait until it is idle, or leave CPUS= "
            "out: then nothing is pinned, and the report says how busy it "
            "was.")


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4 ... and MOST."""
    found = [2 ** k for k in range(most.bit_length()) if 2 ** k <= most]
    return found if found[-1] == most else found + [most]


def pinned_text(path: Path) -> str:
    """"0:0 1:1": virtual CPU and CPU of the host; empty: nothing was pinned."""
    if not path.exists():
        return ""
    return " ".join(line.replace(" ", ":")
                    for line in path.read_text().splitlines())


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def host_shape() -> dict[str, Any]:
    """What decides how far its CPUs are apart, and how fast each is."""
    cpu = "/sys/devices/system/cpu"
    nodes = len(list(Path("/sys/devices/system/node").glob("node[0-9]*")))
    return {
        "numa": nodes or 1,
        "smt": {"1": "on", "0": "off"}.get(_read(f"{cpu}/smt/active"), ""),
        "governor": _read(f"{cpu}/cpu0/cpufreq/scaling_governor"),
    }


# --- one at a time -----------------------------------------------------------

LOCKED = "BENCH_LOCKED"	# in the environment of who works for a holder of it


def only_one() -> Any:
    """Two at once would spoil each other's times; held until the end."""
    if os.environ.get(LOCKED):
        return Path(os.devnull).open()
    lock = (BUILD / "bench.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        die("another benchmark is at work, and each would spoil the other's "
            "times. Wait for it to end.")
    return lock


def stop(number: int, _frame: Any) -> None:
    sys.exit(128 + number)
