"""What stands before Spark: the Java found, the properties read, the zip built, the arguments given to spark-submit."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from nightreel.errors import ConfigurationError, NightreelError
from nightreel.session import delta_jars, submit
from nightreel.session.java import require_java
from nightreel.session.submit import arguments, bundle, driver_memory, is_local, machine_memory, read_properties

GIB = 1 << 30
HOME = Path(__file__).parents[2]


def java_that_says(text: str, folder: Path, *, code: int = 0) -> None:
    program = folder / "java"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'E'\n{text}\nE\nexit {code}\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on the PATH, and no JAVA_HOME."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("said", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "25-ea" 2025-09-16', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.1"', 17),
    ],
)
def test_a_java_that_fits(path: Path, said: str, major: int) -> None:
    java_that_says(said, path)
    assert require_java() == major


@pytest.mark.parametrize(
    ("said", "code", "expected"),
    [
        ('java version "1.8.0_392"', 0, "is Java 8"),
        ('openjdk version "11.0.2" 2019-01-15', 0, "is Java 11"),
        ("No Java runtime present, requesting install.", 1, "does not name a version"),
    ],
)
def test_a_java_that_does_not(path: Path, said: str, code: int, expected: str) -> None:
    java_that_says(said, path, code=code)
    with pytest.raises(NightreelError, match=expected) as caught:
        require_java()
    assert "needs Java 17" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_java_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(NightreelError, match=r"no Java found .*apt install"):
        require_java()


def test_java_home_is_asked_before_the_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java_that_says('openjdk version "17"', path)
    monkeypatch.setenv("JAVA_HOME", "/no/such/jdk")
    with pytest.raises(NightreelError, match="JAVA_HOME = /no/such/jdk"):
        require_java()


@pytest.mark.parametrize(("gib", "given"), [(1, "1g"), (8, "3g"), (24, "9g"), (256, "16g")])
def test_the_driver_takes_two_fifths_of_the_machine(gib: int, given: str) -> None:
    assert driver_memory(gib * GIB) == given


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(submit, "_CGROUP_LIMITS", (limit, tmp_path / "missing"))
    limit.write_text("max\n", encoding="ascii")
    whole = machine_memory()
    limit.write_text("1048576\n", encoding="ascii")
    assert machine_memory() == 1_048_576 < whole


@pytest.mark.parametrize(
    ("master", "local"),
    [("local", True), ("local[*]", True), ("local[4]", True), ("local-cluster[2,1,1024]", False), ("yarn", False)],
)
def test_what_counts_as_one_machine(master: str, local: bool) -> None:
    assert is_local({"spark.master": master}) is local


def test_the_shipped_properties() -> None:
    local, cluster = read_properties("local"), read_properties("cluster")
    assert local["spark.master"] == "local[*]"
    assert local["spark.driver.memory"].endswith("g")
    assert "spark.master" not in cluster
    assert cluster["spark.jars.packages"] == delta_jars.delta_package()
    for either in (local, cluster):
        assert either["spark.sql.extensions"] == "io.delta.sql.DeltaSparkSessionExtension"
        assert either["spark.sql.session.timeZone"] == "UTC"


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "spark").mkdir()
    monkeypatch.setattr(submit, "conf_folder", lambda: tmp_path)
    return tmp_path / "spark"


def test_properties_are_read_as_java_reads_them(conf: Path) -> None:
    (conf / "odd.conf").write_text(
        "# comment\n\nspark.a 1\nspark.b=2\n  spark.c : 3 \nspark.d  -Dx=y -Dz=w\nspark.e = a = b\n", encoding="utf-8"
    )
    expected = {"spark.a": "1", "spark.b": "2", "spark.c": "3", "spark.d": "-Dx=y -Dz=w", "spark.e": "a = b"}
    assert read_properties("odd") == expected


@pytest.mark.parametrize("line", ["spark.a", "hive.a 1", "spark.a ="])
def test_a_line_that_is_no_property(conf: Path, line: str) -> None:
    (conf / "odd.conf").write_text(f"{line}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"conf/spark/odd\.conf: .*must be `spark\.name value`"):
        read_properties("odd")


@pytest.mark.parametrize("env", ["nowhere", "../spark/local", ""])
def test_an_environment_without_properties(env: str) -> None:
    with pytest.raises(ConfigurationError, match="known: cluster, local"):
        read_properties(env)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in {
        "lib/nightreel/__init__.py": "",
        "lib/nightreel/py.typed": "",
        "lib/nightreel/__pycache__/x.pyc": "",
        "conf/base.toml": "[a]\n",
        "conf/spark/local.conf": "spark.master local[1]\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_bundle_holds_the_library_with_its_configuration(checkout: Path) -> None:
    made = bundle(checkout, checkout / "build")
    assert zipfile.ZipFile(made).namelist() == [
        "nightreel/__init__.py",
        "nightreel/conf/base.toml",
        "nightreel/conf/spark/local.conf",
        "nightreel/py.typed",
    ]


def test_one_bundle_for_each_state_of_the_code(checkout: Path) -> None:
    cache = checkout / "build"
    first = bundle(checkout, cache)
    stamp = first.stat().st_mtime_ns
    assert bundle(checkout, cache) == first
    assert first.stat().st_mtime_ns == stamp
    (checkout / "conf" / "base.toml").write_text("[b]\n", encoding="utf-8")
    assert bundle(checkout, cache) != first
    assert sorted(file.suffix for file in cache.iterdir()) == [".zip", ".zip"]


def test_spark_args_come_last_and_keep_quoted_values(tmp_path: Path) -> None:
    given = arguments(
        "local", home=HOME, cache=tmp_path, more="""--conf "spark.app.name=the night" --master 'local[3]'"""
    )
    assert given[-4:] == ["--conf", "spark.app.name=the night", "--master", "local[3]"]
    assert given[:2] == ["--properties-file", str(HOME / "conf/spark/local.conf")]
    assert any(word.startswith("spark.driver.memory=") for word in given)
    assert not any("spark.driver.memory" in word for word in arguments("cluster", home=HOME, cache=tmp_path, more=""))


def test_spark_args_with_an_open_quote(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"SPARK_ARGS = .*no closing quotation"):
        arguments("local", home=HOME, cache=tmp_path, more="--name 'the night")


@pytest.fixture
def spark_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Spark whose spark-submit leaves the jars that a test's script says."""
    home = tmp_path / "spark"
    (home / "jars").mkdir(parents=True)
    (home / "bin").mkdir()
    monkeypatch.setenv("SPARK_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    return home


def spark_submit(home: Path, script: str) -> None:
    program = home / "bin" / "spark-submit"
    program.write_text(
        f"#!/bin/bash\nfor word; do case $word in spark.jars.ivy=*) ivy=${{word#*=}};; esac; done\n{script}"
    )
    program.chmod(0o755)


MAIN_JAR = f"io.delta_delta-spark_4.2_2.13-{delta_jars.DELTA_VERSION}.jar"


def test_only_deltas_own_jars_are_put_beside_sparks(spark_home: Path) -> None:
    (spark_home / "jars" / "io.delta_delta-spark_4.2_2.13-4.0.0.jar").touch()
    (spark_home / "jars" / "parquet-column-1.17.0.jar").touch()
    wanted = [MAIN_JAR, "io.delta_delta-storage-4.4.0.jar", "io.unitycatalog_unitycatalog-client-0.6.0.jar"]
    names = " ".join([*wanted, "org.apache.parquet_parquet-column-1.16.0.jar"])
    spark_submit(spark_home, f'mkdir "$ivy/jars"; for jar in {names}; do echo $jar >"$ivy/jars/$jar"; done')
    assert delta_jars.install()
    assert sorted(jar.name for jar in (spark_home / "jars").iterdir()) == sorted([*wanted, "parquet-column-1.17.0.jar"])
    spark_submit(spark_home, "exit 1")
    assert not delta_jars.install()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo 'Host repo1.maven.org not found.' >&2; exit 1", "is there a network?"),
        ("echo 'java.lang.RuntimeException: odd' >&2; exit 1", "RuntimeException: odd"),
        ("exit 7", "ended with an error"),
        ('mkdir "$ivy/jars"', "resolved without"),
    ],
)
def test_jars_that_do_not_come_are_one_line(spark_home: Path, script: str, expected: str) -> None:
    spark_submit(spark_home, script)
    with pytest.raises(NightreelError, match=expected) as caught:
        delta_jars.install()
    assert "\n" not in str(caught.value)
    assert "logs/delta-jars.log" in str(caught.value)
    assert list((spark_home / "jars").iterdir()) == []


@pytest.mark.parametrize(
    "module", ["nightreel", "nightreel.settings", "nightreel.session.java", "nightreel.session.submit"]
)
def test_what_needs_neither_spark_nor_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit(bool({{'pyspark', 'torch'}} & set(sys.modules)))"
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, env={"PYTHONPATH": str(HOME / "lib")}).returncode == 0
    )
