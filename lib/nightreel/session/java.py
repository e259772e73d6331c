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
    home = os.environ.get("JAVA_HOME")  # Spark's scripts take it before the PATH
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    found_by = f"JAVA_HOME = {home}" if home else "the first on the PATH"
    if program is None or not Path(program).is_file():
        raise NightreelError(f"no Java found ({found_by}). {_WANTED}")
    try:
        answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NightreelError(f"{program} does not run ({error}). {_WANTED}") from None
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if answer.returncode != 0 or version is None:
        raise NightreelError(f"{program} -version does not name a version. {_WANTED}")
    major = int(version.group(1))
    if major < 17:
        raise NightreelError(f"{program} is Java {major} ({found_by}). {_WANTED}")
    return major


if __name__ == "__main__":
    try:
        require_java()
    except NightreelError as error:
        sys.exit(f"nightreel: {error}")
