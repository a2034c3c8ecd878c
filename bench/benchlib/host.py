# SPDX-License-Identifier: GPL-2.0
"""make bench HOST=1: what bench/host needs, in a folder of its own.

Modules for the running kernel, mmu-bench, guest-run; a VM has the same in
/vm/modules and its PATH.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .measuring import BUILD, ROOT, die, output, run_child

SOURCES = ("Kbuild", "include", "rmap", "driver", "variants")


def wanted() -> bool:
    return os.environ.get("HOST", "") not in ("", "0", "no")


def headers() -> Path:
    found = Path("/lib/modules") / os.uname().release / "build"
    if not (found / "Makefile").exists():
        die(f"there are no headers of the running kernel in {found}. Debian has "
            f"them: apt-get install linux-headers-{os.uname().release}")
    return found


def build_modules(kdir: Path, folder: Path) -> list[Path]:
    """In the order in which they must be loaded."""
    folder.mkdir(parents=True)
    for name in SOURCES:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy2)(
            ROOT / name, folder / name)
    log = BUILD / "log/host-modules.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as said:
        failed = subprocess.run(
            ["make", "-C", str(kdir), f"M={folder}", f"-j{os.cpu_count()}",
             "modules"], stdout=said, stderr=subprocess.STDOUT,
            check=False).returncode
    if failed:
        die(f"the modules cannot be built for {os.uname().release}; "
            f"{log.relative_to(ROOT)} says why.")
    first = [folder / "rmap/mmu_rmap.ko", folder / "driver/my_mmu_driver.ko"]
    return first + sorted(folder.glob("variants/*/*.ko"))


def fill(root: Path, modules: list[Path], programs: Path) -> None:
    """What "bench/host run ROOT" runs."""
    (root / "modules").mkdir(parents=True)
    (root / "bin").mkdir()
    for number, module in enumerate(modules, 1):
        shutil.copy2(module, root / "modules" / f"{number:02}-{module.name}")
    for program in (ROOT / "bench/guest-run", programs / "mmu-bench",
                    programs / "mmu-bytes"):
        shutil.copy2(program, root / "bin")


def accelerator() -> str:
    """"host", or what virtual machine this is: numbers of one are not those of
    the other."""
    found = output("systemd-detect-virt", "--vm")
    return "host" if found in ("", "none") else f"host-in-{found}"


def check() -> None:
    """Prints what the machine is, and asks; ends here unless it may go on."""
    if run_child([str(ROOT / "bench/host"), "check"]):
        die("nothing was loaded.")


def prepare(work: Path) -> Path:
    if run_child([str(ROOT / "vm/setup"), "--quiet", "bench", "build"]):
        die("not ready to measure; the lines above say why.")
    programs = BUILD / "bin"
    if run_child(["make", "-s", "-C", str(ROOT / "bench"), f"O={programs}"]):
        die("mmu-bench cannot be built; the lines above say why.")
    root = work / "host"
    fill(root, build_modules(headers(), work / "src"), programs)
    return root


def measure(root: Path, environment: dict[str, Any], out: Path) -> int:
    """guest-run on this machine; what it leaves goes to OUT."""
    given = {**environment, "VM_KERNEL": "host", "VM_ACCEL": accelerator(),
             "VM_QEMU": "none", "VM_PROFILE": "host"}
    if environment["PERF"] != "none" and not shutil.which("perf"):
        print("note: there is no perf here (apt-get install linux-perf); going "
              "on without it.", flush=True)
        given["PERF"] = "none"
    os.environ.update({name: str(value) for name, value in given.items()})
    shutil.rmtree(root / "results", ignore_errors=True)
    status = run_child([str(ROOT / "bench/host"), "run", str(root)])
    if (root / "results").exists():
        shutil.copytree(root / "results", out)
    return status
