"""spark-submit.sh: any job from any directory, with everything that executors need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyspark
import pytest

Ended = subprocess.CompletedProcess[str]
Submit = Callable[..., Ended]

IN_AN_EXECUTOR = '''"""Import the library in a process that an executor's Python started."""

import json
import os
import subprocess
import sys

from nightreel.session import spark_session


def ask(batches):
    import pyarrow as pa

    code = "import json, nightreel; from nightreel.settings import load; load('local'); print(nightreel.__file__)"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    for _ in batches:
        yield pa.RecordBatch.from_pydict({"said": [json.dumps([os.getcwd(), child.stdout.strip(), child.stderr])]})


if __name__ == "__main__":
    spark = spark_session.start(checkpoints="checkpoints")
    print(spark.range(0, 1, 1, 1).mapInArrow(ask, "said string").collect()[0][0])
'''


@pytest.fixture
def submit(checkout: Path, tmp_path: Path) -> Submit:
    """Run the copied script in an empty folder; no settings of the caller's shell reach it."""
    work = tmp_path / "the work"
    work.mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME") if name in os.environ}

    def run(*arguments: str, **environment: str) -> Ended:
        command = [str(checkout / "spark-submit.sh"), *arguments]
        return subprocess.run(
            command, cwd=work, env={**kept, **environment}, capture_output=True, text=True, check=False, timeout=500
        )

    return run


@pytest.fixture
def recorder(tmp_path: Path) -> str:
    """A spark-submit that prints its arguments as JSON."""
    program = tmp_path / "my spark-submit"
    program.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n", encoding="utf-8")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(("log", "named"), [("> both.txt 2>&1", False), ("> out.txt 2> both.txt", True)])
def test_standard_error_has_its_own_way_unless_it_is_the_same_file(
    checkout: Path, tmp_path: Path, log: str, named: bool
) -> None:
    program = tmp_path / "my spark-submit"
    program.write_text("#!/bin/bash\necho said\n[[ -z ${NIGHTREEL_STDERR-} ]] || echo named\n", encoding="utf-8")
    program.chmod(0o755)
    command = f"'{checkout}/spark-submit.sh' probe {log}; cat out.txt both.txt 2>/dev/null"
    environment = {**os.environ, "SPARK_SUBMIT": str(program)}
    ended = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=100
    )
    assert ended.stdout.split() == (["said", "named"] if named else ["said"])


def test_no_arguments_print_the_jobs(submit: Submit) -> None:
    ended = submit()
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "usage: ./spark-submit.sh JOB" in ended.stderr
    assert "  probe       Say what was given, and end as told.\n" in ended.stderr


def test_help_prints_them_too(submit: Submit) -> None:
    ended = submit("--help")
    assert ended.returncode == 0
    assert "Say what was given" in ended.stdout


@pytest.mark.parametrize("job", ["prob", "../jobs/probe", "probe.py"])
def test_an_unknown_job(submit: Submit, job: str) -> None:
    ended = submit(job)
    assert ended.returncode == 2
    first, _, rest = ended.stderr.partition("\n")
    assert first == f"spark-submit.sh: {job}: unknown job"
    assert "  probe " in rest


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--env", "local", "probe"], "--env: the job's name comes first (see --help)"),
        (["probe", "--env"], "--env needs a name"),
        (["probe", "--env", "moon"], "--env moon: there is no conf/spark/moon.conf; known: cluster, local"),
        (["probe", "--env=moon"], "--env moon: there is no conf/spark/moon.conf; known: cluster, local"),
    ],
)
def test_wrong_usage_is_one_line(submit: Submit, arguments: list[str], line: str) -> None:
    ended = submit(*arguments)
    assert (ended.returncode, ended.stderr) == (2, f"spark-submit.sh: {line}\n")


def test_a_jobs_own_help_needs_no_spark(submit: Submit) -> None:
    ended = submit("probe", "--set", "a.b=1", "--help", SPARK_SUBMIT="/no/such/program")
    assert (ended.returncode, ended.stdout) == (0, "the help of probe\n")


def test_what_spark_submit_is_given(submit: Submit, checkout: Path, recorder: str) -> None:
    ended = submit(
        "probe",
        "--set",
        "data.path=/raw/my files/*",
        "",
        NIGHTREEL_ENV="cluster",
        SPARK_SUBMIT=recorder,
        SPARK_ARGS="--master yarn --conf 'spark.app.name=the night'",
    )
    given = json.loads(ended.stdout)
    job = given.index(str(checkout / "jobs" / "probe.py"))
    assert given[job + 1 :] == ["--env", "cluster", "--set", "data.path=/raw/my files/*", ""]
    assert given[job - 4 : job] == ["--master", "yarn", "--conf", "spark.app.name=the night"]
    assert given[given.index("--properties-file") + 1] == str(checkout / "conf" / "spark" / "cluster.conf")
    (library,) = (checkout / "build").iterdir()
    assert given[given.index("--py-files") + 1] == library.as_uri()
    assert f"spark.executorEnv.PYTHONPATH={library.name}:{library}" in given


def test_wrong_settings_are_refused_before_spark_is_started(submit: Submit, checkout: Path, recorder: str) -> None:
    """All of them at once, each with the name that was probably meant, and with the job's own exit code."""
    shutil.copy(Path(__file__).parents[2] / "jobs" / "nightly.py", checkout / "jobs")
    wrong = ("--set", "tabels.root=x", "--set", "models.als.rnk=3", "--set", "gate.margin=-1")
    ended = submit("nightly", *wrong, SPARK_SUBMIT=recorder)
    assert (ended.returncode, ended.stdout) == (2, "")
    said = ended.stderr
    assert "tabels (--set): unknown key; did you mean tables? known here: " in said and said.count("\n") == 1
    assert "models.als.rnk (--set): unknown key; did you mean rank?" in said and "gate.margin = -1 (--set): " in said
    raw = checkout / "raw"
    raw.mkdir()
    (raw / "combined_data_1.txt").write_text("1:\n7,4,2005-01-01\n", encoding="utf-8")
    given = json.loads(submit("nightly", "--set", f"data.path={raw}", SPARK_SUBMIT=recorder).stdout)
    assert given[-2:] == ["--set", f"data.path={raw}"]


def test_a_package_that_is_missing_is_one_line(submit: Submit, checkout: Path, tmp_path: Path) -> None:
    (checkout / "jobs" / "probe.py").write_text(
        "from nightreel.job import run\nimport nosuchpackage\n", encoding="utf-8"
    )
    ended = submit("probe", SPARK_SUBMIT="/no/such/program")
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert "No module named 'nosuchpackage': run `make install` in " in ended.stderr


def test_env_stands_above_its_variable(submit: Submit, recorder: str) -> None:
    given = json.loads(submit("probe", "--env", "local", NIGHTREEL_ENV="cluster", SPARK_SUBMIT=recorder).stdout)
    assert given[-2:] == ["--env", "local"]


def test_a_spark_submit_that_is_not_there(submit: Submit) -> None:
    ended = submit("probe", SPARK_SUBMIT="/no/such/program")
    assert (ended.returncode, ended.stderr) == (
        2,
        "spark-submit.sh: SPARK_SUBMIT = /no/such/program: no such program\n",
    )


def test_an_old_java_is_one_line(submit: Submit, tmp_path: Path) -> None:
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n", encoding="utf-8")
    java.chmod(0o755)
    ended = submit("probe", JAVA_HOME=str(tmp_path / "jdk"))
    assert ended.returncode == 1
    assert "is Java 11" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_the_job_runs_and_its_exit_code_comes_through(submit: Submit, checkout: Path, tmp_path: Path) -> None:
    ended = submit("probe", "3")
    said = json.loads(ended.stdout)
    assert ended.returncode == 3
    assert ended.stderr == ""
    assert said["argv"] == ["--env", "local", "3"]
    assert said["library"].startswith(str(checkout / "build" / "nightreel-"))
    assert (tmp_path / "the work" / "logs" / "spark.log").is_file()


def test_a_spark_that_cannot_start_says_why(submit: Submit) -> None:
    ended = submit("probe", SPARK_ARGS="--no-such-option x")
    assert ended.returncode == 1
    assert "Unrecognized option: --no-such-option" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_process_started_in_an_executor_finds_the_library(submit: Submit, checkout: Path, tmp_path: Path) -> None:
    """On executors that are processes of their own, from the copy shipped to them and not from the checkout."""
    (checkout / "jobs" / "probe.py").write_text(IN_AN_EXECUTOR, encoding="utf-8")
    home = tmp_path / "spark"
    home.mkdir()
    for part in Path(pyspark.__file__).parent.iterdir():
        if part.name != "work":  # where other executors have been
            (home / part.name).symlink_to(part)
    settings = "--master local-cluster[1,1,1024] --conf spark.executor.memory=1g --conf spark.driver.memory=1g"
    ended = submit(
        "probe",
        SPARK_HOME=str(home),
        SPARK_SUBMIT=str(home / "bin" / "spark-submit"),
        PYSPARK_PYTHON=sys.executable,
        SPARK_ARGS=settings,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder, found, complaint = json.loads(ended.stdout)
    (library,) = (checkout / "build").iterdir()
    assert complaint == ""
    assert folder.startswith(str(home / "work"))
    assert found == f"{folder}/{library.name}/nightreel/__init__.py"
