"""Is there a Java that Spark can run on? Checked before anything that takes long.

python -m nightreel.session.java
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from nightreel.errors import NightreelError

OLDEST = 17
_WANTED = (
    "Spark 4.2 needs Java 17, 21 or 25: install one (Debian, Ubuntu: apt install openjdk-17-jre-headless; "
    "macOS: brew install openjdk@17) and put it on the PATH or name its folder in JAVA_HOME"
)


def require_java() -> int:
    """The major version of the Java that Spark's scripts will start.

    Raises
    ------
    NightreelError : there is none, it does not run, or it is older than Java 17
    """
    program, found_by = _program()
    if program is None:
        raise NightreelError(f"no Java found ({found_by}). {_WANTED}")
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NightreelError(f"{program} does not run ({error}). {_WANTED}") from None
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if answer.returncode != 0 or version is None:
        raise NightreelError(f"{program} -version does not name a version. {_WANTED}")
    major = int(version.group(1))
    if major < OLDEST:
        raise NightreelError(f"{program} is Java {major} ({found_by}). {_WANTED}")
    return major


def _program() -> tuple[str | None, str]:
    """Spark's scripts take JAVA_HOME before the PATH, so that is what is looked at."""
    home = os.environ.get("JAVA_HOME")
    if home:
        program = Path(home) / "bin" / "java"
        return (str(program) if program.is_file() else None), f"JAVA_HOME = {home}"
    return shutil.which("java"), "the first on the PATH"


if __name__ == "__main__":
    try:
        require_java()
    except NightreelError as error:
        sys.exit(f"nightreel: {error}")
