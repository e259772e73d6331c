"""Predictions for given pairs: every pair is answered, read from any kind of file, written in the Prize's format."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nightreel.errors import ConfigurationError, DataError, NightreelError
from nightreel.models import Capability, FactorModel
from nightreel.models.forms.samples import Samples, Unknown
from nightreel.recommend import read_pairs, score_pairs, write_csv, write_prize_format
from nightreel.settings.sections import ScaleSettings

SCALE = ScaleSettings(lowest=1.0, highest=5.0)
PAIRS = "position bigint, user_id bigint, item_id bigint"


@pytest.fixture(scope="module")
def known(spark):
    columns = "bias float, factors array<float>, mean_rating float"
    model = FactorModel(
        algorithm="baseline",
        users=spark.createDataFrame([(0, 0.5, [], 4.0), (1, -3.0, [], 1.5)], f"user_idx int, {columns}"),
        items=spark.createDataFrame([(0, 0.25, [], 3.0), (1, 2.0, [], 4.5)], f"item_idx int, {columns}"),
        mean=3.0,
        global_mean=3.25,
        rank=0,
        capabilities=frozenset({Capability.PREDICT}),
    )
    users = spark.createDataFrame([(0, 70), (1, 71), (2, 72)], "user_idx int, user_id bigint")
    items = spark.createDataFrame([(0, 8), (1, 9)], "item_idx int, item_id bigint")
    return model, users, items


def test_every_pair_is_answered_on_the_scale(spark, known):
    model, users, items = known
    asked = [(5, 70, 8), (9, 70, 9), (11, 71, 8), (12, 99, 8), (20, 70, 1), (21, 72, 1), (30, 70, 8), (31, None, None)]
    rows = score_pairs(model, spark.createDataFrame(asked, PAIRS), users, items, SCALE)
    assert rows.columns == ["position", "user_id", "item_id", "prediction", "cold", "uncertainty"]
    assert rows.where("uncertainty IS NOT NULL").isEmpty()  # a baseline does not know
    assert [tuple(row) for row in rows.drop("uncertainty").orderBy("position").collect()] == [
        (5, 70, 8, 3.75, False),
        (9, 70, 9, 5.0, False),
        (11, 71, 8, 1.0, False),
        (12, 99, 8, 3.0, True),
        (20, 70, 1, 4.0, True),
        (21, 72, 1, 3.25, True),
        (30, 70, 8, 3.75, False),
        (31, None, None, 3.25, True),
    ]


def test_a_model_of_samples_says_how_far_off_it_may_be(spark, known, tmp_path):
    """By hand: two samples of one number, 1 and 3 for user 70 and 1 for item 8 by sqrt(2), so scores of 1 and 3."""
    model, users, items = known
    root, thousandth = 2**0.5, 1e-3
    user = [1 / root, 3 / root, 0.3 * thousandth, 0.0, 2.0 * thousandth, 0.0]
    item = [1 / root, 1 / root, 0.0, 0.4 * thousandth, 0.0, 0.5 * thousandth]
    columns = "bias float, factors array<float>, mean_rating float"
    nobody = Unknown(0.0, (0.0,) * 6)
    of_samples = replace(
        model,
        users=spark.createDataFrame([(0, 0.5, user, 4.0)], f"user_idx int, {columns}"),
        items=spark.createDataFrame([(0, -0.5, item, 3.0)], f"item_idx int, {columns}"),
        mean=1.0,
        rank=6,
        samples=Samples(2, nobody, Unknown(0.25, (0.0,) * 6)),
    )
    pairs = spark.createDataFrame([(1, 70, 8), (2, 70, 1)], PAIRS)
    scored = score_pairs(of_samples, pairs, users, items, SCALE).localCheckpoint()
    known_pair, new_item = scored.orderBy("position").collect()
    assert (known_pair.prediction, known_pair.cold) == (pytest.approx(1.0 + 0.5 - 0.5 + 2.0), False)
    assert known_pair.uncertainty == pytest.approx((1.0 + 0.3**2 + 0.4**2 + 1.0) ** 0.5, abs=1e-5)
    assert (new_item.prediction, new_item.cold) == (pytest.approx(1.0 + 0.5 + 0.25), True)
    write_csv(scored, str(tmp_path / "out.csv"), uncertainty=True, decimals=2)
    first = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[:2]
    assert first == ["user_id,item_id,prediction,uncertainty", "70,8,3.00,1.50"]


def asked(rows):
    collected = rows.collect()
    positions = [row.position for row in collected]
    assert positions == sorted(set(positions))
    return [(row.user_id, row.item_id) for row in collected]


def test_pairs_from_every_kind_of_file_in_the_ids_of_the_ratings(spark, known, tmp_path):
    _, users, items = known
    (tmp_path / "my pairs.csv").write_text("when, item_id,user_id\n1, 8,70\n2,9,71\n3,8,\n")
    wanted = [(70, 8), (71, 9), (None, 8)]
    assert asked(read_pairs(spark, str(tmp_path / "my pairs.csv"), users=users, items=items)) == wanted
    rows = spark.createDataFrame([(70, "8"), (71, "9"), (None, "8")], "user_id int, item_id string").coalesce(1)
    rows.write.parquet(str(tmp_path / "parquet"))
    rows.write.format("delta").save(str(tmp_path / "delta"))
    rows.write.format("delta").mode("overwrite").saveAsTable("asked_pairs")
    for place in (str(tmp_path / "parquet"), str(tmp_path / "delta"), "asked_pairs"):
        assert asked(read_pairs(spark, place, users=users, items=items)) == wanted
    (tmp_path / "floats.csv").write_text("user_id,item_id\n70.0 ,8\n71.00,9.0\n,8\n")
    floats = spark.createDataFrame([(70.0, "8 "), (71.0, "9.0"), (None, "8")], "user_id double, item_id string")
    floats.coalesce(1).write.parquet(str(tmp_path / "floats"))
    for place in ("floats.csv", "floats"):
        assert asked(read_pairs(spark, str(tmp_path / place), users=users, items=items)) == wanted
    texts = users.withColumn("user_id", users.user_id.cast("string"))
    assert asked(read_pairs(spark, str(tmp_path / "floats"), users=texts, items=items))[0] == ("70", 8)
    assert asked(read_pairs(spark, str(tmp_path / "delta"), users=texts, items=items))[0] == ("70", 8)


def test_pairs_that_cannot_be_read_are_one_clear_line(spark, known, tmp_path):
    _, users, items = known

    def refused(name, kind, text=None):
        if text is not None:
            (tmp_path / name).write_text(text)
        with pytest.raises(kind) as error:
            read_pairs(spark, str(tmp_path / name), users=users, items=items)
        assert str(tmp_path / name) in str(error.value)
        assert "\n" not in str(error.value)
        return str(error.value)

    assert "column item_id is missing among user_id, film" in refused("a.csv", DataError, "user_id,film\n1,2\n")
    assert "column user_id is missing among none" in refused("b.csv", DataError, "")
    assert "column user_id has 'anna', must be integers" in refused("c.csv", DataError, "user_id,item_id\nanna,2\n")
    assert "must be CSV" in refused("d.parquet", DataError, "no parquet")
    assert "no such file" in refused("e.csv", ConfigurationError)
    assert "no such file" in refused("e", ConfigurationError)
    spark.createDataFrame([(1.5, 2)], "user_id double, item_id int").write.parquet(str(tmp_path / "f"))
    assert "column user_id has '1.5', must be integers" in refused("f", DataError)
    spark.createDataFrame([(True, 2)], "user_id boolean, item_id int").write.parquet(str(tmp_path / "g"))
    assert "column user_id is boolean" in refused("g", DataError)


def test_the_prize_format_keeps_the_order_asked_for(spark, tmp_path):
    asked = [(8, 3.25), (8, 4.0), (9, 1.00004), (8, 2.0), (8, 5.0)]
    rows = [(10 * position, 70, *pair) for position, pair in enumerate(asked)]
    frame = spark.createDataFrame(rows[::-1], f"{PAIRS}, prediction float").repartition(3)
    target = tmp_path / "new folder" / "answers.txt"
    write_prize_format(frame, str(target))
    assert target.read_text() == "8:\n3.2500\n4.0000\n9:\n1.0000\n8:\n2.0000\n5.0000\n"
    write_prize_format(frame, str(target), decimals=1)
    assert target.read_text().splitlines()[:2] == ["8:", "3.3"]
    assert [file.name for file in target.parent.iterdir()] == ["answers.txt"]


@pytest.mark.parametrize("batch", ["1", "7", "10000"])
def test_item_lines_are_the_same_wherever_blocks_end(spark, tmp_path, batch):
    frame = spark.range(40).selectExpr("id AS position", "id div 9 AS item_id", "cast(id AS float) AS prediction")
    before = spark.conf.get("spark.sql.execution.arrow.maxRecordsPerBatch")
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", batch)
    try:
        write_prize_format(frame, str(tmp_path / "out.txt"), decimals=0)
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", before)
    expected = [line for i in range(40) for line in ([f"{i // 9}:"] if i % 9 == 0 else []) + [str(i)]]
    assert (tmp_path / "out.txt").read_text().splitlines() == expected


def test_csv_quotes_ids_that_need_it(spark, tmp_path):
    rows = [(2, 'a,"b', 9, 3.5), (1, "z", 8, 4.25)]
    frame = spark.createDataFrame(rows, "position bigint, user_id string, item_id bigint, prediction float")
    write_csv(frame, str(tmp_path / "out.csv"), decimals=2)
    assert (tmp_path / "out.csv").read_text().splitlines()[:2] == ["user_id,item_id,prediction", "z,8,4.25"]
    back = spark.read.csv(str(tmp_path / "out.csv"), header=True).collect()
    assert [tuple(row) for row in back] == [("z", "8", "4.25"), ('a,"b', "9", "3.50")]


def test_a_file_that_cannot_be_written_leaves_what_was_there(spark, tmp_path):
    target = tmp_path / "out.txt"
    target.write_text("kept")
    failing = spark.range(1).selectExpr(
        "id AS position", "id AS item_id", "cast(raise_error('planted') AS float) AS prediction"
    )
    with pytest.raises(Exception, match="planted"):
        write_prize_format(failing, str(target))
    assert target.read_text() == "kept"
    assert [file.name for file in tmp_path.iterdir()] == ["out.txt"]
    with pytest.raises(NightreelError, match=r"out.txt/below.txt: cannot be written: "):
        write_prize_format(spark.createDataFrame([], f"{PAIRS}, prediction float"), str(target / "below.txt"))
