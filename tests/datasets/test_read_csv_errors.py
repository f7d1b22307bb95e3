"""Every bad file gets one line that names the place and says what to do."""

from __future__ import annotations

import re

import pytest

from minitrain.datasets import DataError, read_csv

NAMES = "".join(f"name{i},1,{'xy'[i % 2]}\n" for i in range(60))
SECONDS = "".join(f"{1700000000 + i},{i % 2}\n" for i in range(40))
GAPS = "".join(f"{i},{'' if i % 2 else i},x\n" for i in range(30))
QUANTITY = "".join(f"1,{i}\n" for i in range(60))
MEASURED = "".join(f"1,{i / 4}\n" for i in range(60))

# what: (content, options, what the message must hold)
CASES = {
    "empty": ("", {}, "the file is empty; expected a header line and rows"),
    "only a byte-order mark": ("\ufeff", {}, "the file holds only blank lines"),
    "blank": ("\n \n", {}, "the file holds only blank lines"),
    "header alone": ("a,b,label\n", {}, "there is a header but no row below it"),
    "no header": ("1,2,3\n4,5,6\n", {}, "the first line holds numbers (1, 2, 3); put a header"),
    "one column": ("label\nx\ny\n", {}, "there is a single column, 'label', when split at ','"),
    "wrong delimiter": ("a,label\n1,x\n", {"delimiter": ";"}, "'a,label', when split at ';'"),
    "repeated name": ("a,b,a,label\n", {}, "repeated in the header: 'a'"),
    "name empty": (",a,label\n0,1,x\n", {}, "column 1 has no name in the header; give it one"),
    "no target": ("a,b\n1,x\n", {}, "Name it with --target NAME (in Python: target='NAME')"),
    "no target: columns": ("a,b\n1,x\n", {}, "columns: a, b"),
    "misspelt target": (
        *("size,Label\n1,x\n", {"target": "lable"}),
        "no column 'lable' to be the target (did you mean 'Label'?); columns: size, Label",
    ),
    "dropped target": (
        *("a,b\n1,x\n", {"target": "b", "drop": "b"}),
        "column 'b' cannot be both the target and left out with drop",
    ),
    "misspelt drop": (
        *("size,label\n1,x\n", {"drop": ["sise"]}),
        "no column 'sise' for drop (did you mean 'size'?); columns: size, label",
    ),
    "misspelt categorical": (
        *("size,label\n1,x\n", {"categorical": "sise"}),
        "no column 'sise' for categorical (did you mean 'size'?)",
    ),
    "everything dropped": (
        *("a,label\n1,x\n", {"drop": "a"}),
        "no feature columns are left beside the target 'label'",
    ),
    "everything dropped, target too": ("a,label\n1,x\n", {"drop": ["a", "label"]}, "--target"),
    "missing": (
        *("age,fare,label\n1,,x\nNA,2,y\n3,?,x\n4, NaN ,y\nnull,n/a,x\n", {}),
        "missing values in 2 columns: column 'age' in 2 rows (lines 3, 6); "
        "column 'fare' in 4 rows (lines 2, 4, 5, 6). Fill in or delete those rows, or leave a "
        "column out: --drop age (in Python: drop=['age'])",
    ),
    "missing once": ("a,label\n,x\n2,y\n", {}, "column 'a' in 1 row (line 2)"),
    "missing in a category": (
        *("a,label\nred,x\n?,y\n", {}),
        "missing values in 1 column: column 'a' in 1 row (line 3)",
    ),
    "missing target": ("a,label\n1,x\n2,\n", {}, "column 'label' in 1 row (line 3)"),
    "missing often": ("a,b,label\n" + GAPS, {}, "in 15 rows (lines 3, 5, 7, 9, 11, …)"),
    "missing after a cell of three lines": (
        *('a,b,label\n"x\ny\nz",1,p\nw,,q\n', {}),
        "column 'b' in 1 row (line 5)",
    ),
    "too long": (
        *("a,b,label\n1,2,x\n\n1,2,3,x\n", {}),
        "line 4 has 4 cells, but the header names 3 columns; a cell that contains ','",
    ),
    "too short": ("a,b,label\n1,2,x\n1\n", {}, "line 3 has 1 cell, but the header names 3 columns"),
    "open quote": ('a,label\n1,x\n2,"y\n3,z\n', {}, "line 3 is not valid CSV: unexpected end"),
    "quote inside": ('a,label\n"1"2,x\n', {}, "line 2 is not valid CSV"),
    "endless cell": ("a,label\n" + "x" * 200_000 + ",y\n", {}, "line 2 is not valid CSV: field"),
    "infinite": (
        *("a,b,label\n1,inf,x\n2,3,y\n3,1e999,y\n", {}),
        "column 'b' holds the infinite or too large number 'inf' in 2 rows (lines 2, 4)",
    ),
    "mixed": (
        *("a,b c,label\n1,2,x\n2,3+,y\n", {}),
        "column 'b c' mixes numbers (as '2' on line 2) and text (as '3+' on line 3); correct the "
        "cells, or, if each text is a category of its own, say so: --categorical 'b c' "
        "(in Python: categorical=['b c'])",
    ),
    "mixed, late": (
        *("a,label\n" + "1,x\n" * 5000 + "l,y\n", {}),
        "mixes numbers (as '1' on line 2) and text (as 'l' on line 5002)",
    ),
    "mixed, text first": (
        *("a,label\n" + "l,y\n" + "1,x\n" * 5000, {}),
        "mixes numbers (as '1' on line 3) and text (as 'l' on line 2)",
    ),
    "decimal comma": (
        *("a;label\n1,5;x\n2,5;y\n", {}),
        "column 'a' holds numbers with commas (as '1,5' on line 2); write 3.5 for 3,5",
    ),
    "thousands": ('a,label\n"1,234.5",x\n"12,000",y\n', {}, "and 1000 for 1,000"),
    "too many levels": (
        *("name,a,label\n" + NAMES, {}),
        "column 'name' holds more than 50 different texts ('name0', 'name1', 'name2', …",
    ),
    "fewer levels allowed": (
        *("c,label\nr,x\ng,y\nb,x\n", {"max_levels": 2}),
        "column 'c' holds more than 2 different texts",
    ),
    "too fine for float32": (
        *("time,label\n" + SECONDS, {}),
        "column 'time', from 1700000000 to 1700000039, has differences too fine for float32",
    ),
    "too large for float32": (
        *("a,label\n1e300,x\n1e300,y\n", {}),
        "column 'a', from 1e+300 to 1e+300, has values too large for float32",
    ),
    "too small for float32": ("a,label\n1e-60,x\n2e-60,y\n", {}, "differences too fine"),
    "one class": (
        *("a,label\n1,x\n2,x\n", {}),
        "the target 'label' is 'x' in every row; classification needs at least 2 classes",
    ),
    "mixed target": (
        *("a,label\n1,0\n2,O\n", {}),
        "the target 'label' mixes numbers (as '0') and text (as 'O')",
    ),
    "infinite target": ("a,label\n1,1\n2,1e999\n", {}, "'label' holds an infinite number"),
    "whole quantity": (
        *("a,price\n" + QUANTITY, {"target": "price"}),
        "the target 'price' holds 60 different numbers, from 0 to 59, in 60 rows: a quantity, "
        "while classification needs classes",
    ),
    "measured quantity": ("a,y\n" + MEASURED, {}, "60 different numbers, from 0 to 14.75"),
    "few measurements": ("a,y\n1,1.5\n2,2.5\n3,3.5\n", {}, "3 different numbers"),
    "enormous whole numbers": (
        *("a,y\n1,1" + "0" * 400 + "\n2,x\n", {}),
        "mixes numbers",
    ),
    "names that collide": (
        *("c,c=r,label\nr,1,x\ng,2,y\n", {}),
        "feature_names must be different from each other; repeated: c=r",
    ),
    "binary": (bytes(range(256)), {}, "this is a binary file, not text"),
    "Excel": (b"PK\x03\x04...", {}, "an Excel or zip file; save the sheet as CSV"),
    "gzip": (b"\x1f\x8b...", {}, "compressed by gzip; unpack it first"),
    "Parquet": (b"PAR1...", {}, "a Parquet file"),
    "UTF-16": ("a,label\n1,x\n".encode("utf-16"), {}, "--encoding utf-16"),
    "Latin-1": (
        *("a,b,label\n1,u,x\n2,é,y\n".encode("latin-1"), {}),
        "not UTF-8 text on line 3; save it as UTF-8, or give its encoding, such as --encoding",
    ),
    "wrong encoding": (
        *("a,label\n1,é\n".encode(), {"encoding": "ascii"}),
        "not ASCII text on line 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_bad_file(write, what):
    content, options, expected = CASES[what]
    path = write(content)
    with pytest.raises(DataError) as caught:
        read_csv(path, **options)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.count(str(path)) == 1
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": ",,"}, r"delimiter must be one character; got ',,'"),
        ({"encoding": "utf9"}, r"encoding must be one that Python knows.*; got 'utf9'"),
        ({"encoding": "base64"}, r"encoding must be one that Python knows.*; got 'base64'"),
        ({"max_levels": 0}, r"max_levels must be a whole number of at least 1; got 0"),
        ({"drop": [1]}, r"drop must hold column names; got 1"),
        ({"categorical": [None]}, r"categorical must hold column names; got None"),
    ],
)
def test_bad_option(write, options, message):
    with pytest.raises(DataError, match=message):
        read_csv(write("a,label\n1,x\n2,y\n"), **options)


def test_missing_file_with_a_similar_one_beside_it(write):
    path = write("a,label\n1,x\n", "flowers.csv")
    with pytest.raises(DataError, match=r"flower.csv: no such file \(did you mean '.*flowers.csv'"):
        read_csv(path.with_name("flower.csv"))


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match=r"no such file; nor is there a folder '.*nowhere'"):
        read_csv(tmp_path / "nowhere" / "a.csv")


def test_a_folder(write):
    path = write("a,label\n1,x\n", "flowers.csv")
    with pytest.raises(DataError, match=r"this is a folder; .* \(it holds flowers.csv\)"):
        read_csv(path.parent)


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 5000 + ".csv", "data.csv/inside.csv"])
def test_a_path_that_the_system_refuses(write, name):
    folder = write("a,label\n1,x\n").parent
    with pytest.raises(DataError, match="cannot be opened: "):
        read_csv(f"{folder}/{name}")


def test_a_class_too_small_to_split_is_named_at_the_split(write):
    data = read_csv(write("a,label\n" + "1,often\n" * 9 + "2,rare\n"))
    with pytest.raises(DataError, match=re.escape("class 'rare' has only 1 row: too few")):
        data.split()
