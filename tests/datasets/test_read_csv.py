"""What a good CSV file becomes. Oracles: the written data, np.genfromtxt, scikit-learn."""

from __future__ import annotations

import csv
import io
import os
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import OneHotEncoder

from minitrain import datasets
from minitrain.datasets import read_csv

TABLE = "height,weight,colour,label\n1,2,red,cat\n3,4.5,blue,dog\n-5, 1e3 ,red,cat\n"


def check_table(data) -> None:
    assert data.feature_names == ("height", "weight", "colour=blue", "colour=red")
    assert data.X.tolist() == [[1, 2, 0, 1], [3, 4.5, 1, 0], [-5, 1000, 0, 1]]
    assert data.class_names == ("cat", "dog")
    assert data.y.tolist() == [0, 1, 0]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_dialects_are_found(write, delimiter, newline, mark):
    text = mark + TABLE.replace(",", delimiter).replace("\n", newline)
    check_table(read_csv(write(text)))


@pytest.mark.parametrize("encoding", ["utf-16", "cp949", "UTF_8", "latin-1"])
def test_other_encodings_by_name(write, encoding):
    check_table(read_csv(write(TABLE.encode(encoding)), encoding=encoding))


def test_korean_windows(write):
    text = "키,색,label\n1,빨강,고양이\n2,파랑,개\n"
    data = read_csv(write(text.encode("cp949")), encoding="cp949")
    assert data.feature_names == ("키", "색=빨강", "색=파랑")
    assert data.class_names == ("개", "고양이")


def test_blank_lines_spaces_and_a_missing_final_newline(write):
    text = "\n height , weight,colour ,label\n\n1, 2,red ,cat\n   \n3,4.5, blue,dog\n-5,1e3,red,cat"
    check_table(read_csv(write(text)))


def test_quoted_cells_may_hold_delimiters_quotes_and_newlines(write):
    data = read_csv(write('a,"b;c",label\n1,"x, ""y""\nz",p\n2,w,q\n'))
    assert data.feature_names == ("a", "b;c=w", 'b;c=x, "y"\nz')


def test_a_delimiter_of_ones_own(write):
    assert read_csv(write("a:label\n1:x\n2:y\n"), delimiter=":").feature_names == ("a",)


def test_name_source_and_kind(write):
    path = write(TABLE, "pets of mine.csv")
    data = read_csv(path)
    assert (data.name, data.source) == ("pets of mine", f"file {path}")
    assert data.kind == "classification"
    assert data.licence == "your own file"


def test_a_pipe_is_read_once(tmp_path):
    if not hasattr(os, "mkfifo"):
        return  # Windows has no named pipes in the file system
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(TABLE,))
    writer.start()
    check_table(read_csv(pipe))
    writer.join()


@pytest.mark.parametrize("name", ["target", "label", "class", "y", "Label", "CLASS"])
def test_the_last_column_is_the_target_if_named_so(write, name):
    assert read_csv(write(f"a,{name}\n1,x\n2,y\n")).class_names == ("x", "y")


def test_a_named_target_anywhere(write):
    data = read_csv(write(TABLE), target="colour")
    assert data.class_names == ("blue", "red")
    assert data.feature_names == ("height", "weight", "label=cat", "label=dog")


def test_drop(write):
    path = write(TABLE)
    assert read_csv(path, drop="colour").feature_names == ("height", "weight")
    assert read_csv(path, drop=["colour", "height"]).feature_names == ("weight",)
    gaps = write("id,a,label,note\nq1,1,x,\nq2,2,y,?\n")  # what is dropped need not be sound
    assert read_csv(gaps, drop=["id", "note"]).feature_names == ("a",)


def test_categorical_takes_numbers_for_names(write):
    path = write("zip,kids,label\n010,0,x\n10,3+,y\n010,1,x\n")
    data = read_csv(path, categorical=["zip", "kids"])
    assert data.feature_names == ("zip=010", "zip=10", "kids=0", "kids=1", "kids=3+")
    assert data.X.tolist() == [[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [1, 0, 0, 1, 0]]


def test_an_index_without_a_name_can_be_dropped(write):
    assert read_csv(write(",a,label\n0,1,x\n1,2,y\n"), drop="").feature_names == ("a",)


def test_constant_columns_are_fine(write):
    data = read_csv(write("a,b,label\n0.1,k,x\n0.1,k,y\n"))
    assert data.feature_names == ("a", "b=k")
    np.testing.assert_array_equal(data.X, np.array([[0.1, 1]] * 2, dtype=np.float32))


def test_whole_number_classes_are_sorted_by_value_and_merged(write):
    data = read_csv(write("a,label\n1,10\n2,9\n3,9.0\n4,-1\n5,009\n"))
    assert data.class_names == ("-1", "9", "10")
    assert data.y.tolist() == [2, 1, 1, 0, 1]


def test_large_whole_numbers_are_not_merged(write):
    """2**53 and 2**53 + 1 are the same float64."""
    data = read_csv(write("a,label\n1,9007199254740992\n2,9007199254740993\n"))
    assert data.class_names == ("9007199254740992", "9007199254740993")


def test_a_few_real_numbers_may_be_classes(write):
    data = read_csv(write("a,y\n" + "1,0.5\n2,-1.5\n" * 6))
    assert data.class_names == ("-1.5", "0.5")


def test_numbers_named_as_classes(write):
    rows = "".join(f"1,{i}.5\n" for i in range(30))
    data = read_csv(write("a,y\n" + rows), categorical="y")
    assert data.class_names == tuple(sorted(f"{i}.5" for i in range(30)))


def test_underscores_do_not_make_numbers(write):
    """float('1_000') is 1000 in Python, but in a file it is a name."""
    assert read_csv(write("a,label\n1_000,x\n2_000,y\n")).feature_names == ("a=1_000", "a=2_000")


def test_text_that_comes_after_thousands_of_known_levels(write):
    """Blocks hold 4096 rows; a level first met in a later block is coded there."""
    colours = ["red"] * 5000 + ["blue"] * 5000 + ["green"]
    rows = "".join(f"{i % 7},{colour},{i % 2}\n" for i, colour in enumerate(colours))
    data = read_csv(write("a,c,label\n" + rows))
    assert data.feature_names == ("a", "c=blue", "c=green", "c=red")
    np.testing.assert_array_equal(data.X[:, 0], np.arange(10001) % 7)
    np.testing.assert_array_equal(data.X[:, 3], np.arange(10001) < 5000)
    np.testing.assert_array_equal(data.X[:, 2], np.arange(10001) == 10000)
    np.testing.assert_array_equal(data.y, np.arange(10001) % 2)


def test_numbers_as_genfromtxt_reads_them(write):
    rng = np.random.RandomState(0)
    X = rng.standard_normal((300, 5)) * 10.0 ** rng.randint(-4, 5, size=(300, 5))
    text = "a,b,c,d,e,y\n" + "".join(
        ",".join(f"{value:.{rng.randint(1, 17)}g}" for value in row) + f",{i % 3}\n"
        for i, row in enumerate(X)
    )
    data = read_csv(write(text))
    expected = np.genfromtxt(io.StringIO(text), delimiter=",", skip_header=1)
    np.testing.assert_array_equal(data.X, expected[:, :-1].astype(np.float32))
    np.testing.assert_array_equal(data.y, expected[:, -1])


def test_bundled_data_survive_a_file(write):
    wine = datasets.wine()
    lines = [",".join([*wine.feature_names, "class"])]
    for row, code in zip(wine.X, wine.y, strict=True):
        lines.append(",".join([*map(repr, row.tolist()), wine.class_names[code]]))
    data = read_csv(write("\n".join(lines)))
    assert data.checksum == wine.checksum
    assert data.feature_names == wine.feature_names
    assert data.class_names == wine.class_names


def is_plain_text(text: str) -> bool:
    """A cell that reads back as the category it is: stripped, no number, not a missing value."""
    try:
        float(text.replace(",", ""))
    except ValueError:
        words = {"", "na", "n/a", "nan", "null", "?"}
        return text == text.strip() and text.casefold() not in words
    return False


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff=") | st.just("\n"),
    min_size=1,
    max_size=6,
).filter(is_plain_text)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw):
    rows = draw(st.integers(2, 12))

    def cells(values):
        return st.lists(values, min_size=rows, max_size=rows)

    category = st.lists(TEXTS, min_size=1, max_size=4, unique=True).flatmap(
        lambda levels: cells(st.sampled_from(levels))
    )
    columns = draw(st.lists(cells(NUMBERS) | category, min_size=1, max_size=5))
    names = draw(st.lists(TEXTS, min_size=len(columns) + 1, max_size=len(columns) + 1, unique=True))
    classes = draw(cells(TEXTS | st.sampled_from(["cat", "dog"])))
    assume(len(set(classes)) > 1)
    return names, [*columns, classes]


@given(
    table=tables(),
    delimiter=st.sampled_from([",", "\t", ";", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    newline=st.sampled_from(["\n", "\r\n"]),
)
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_what_is_written_is_read(tmp_path, table, delimiter, quoting, newline):
    names, columns = table
    path = tmp_path / "table.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=newline)
        out.writerow(names)
        out.writerows(zip(*columns, strict=True))
    data = read_csv(path, target=names[-1], delimiter=delimiter)

    feature_names: list[str] = []
    blocks = []
    for name, column in zip(names[:-1], columns[:-1], strict=True):
        cells = np.array(column, dtype=object)[:, None]
        if isinstance(column[0], float):
            feature_names.append(name)
            blocks.append(cells.astype(np.float32))
        else:
            encoder = OneHotEncoder(sparse_output=False, dtype=np.float32).fit(cells)
            feature_names += [f"{name}={level}" for level in encoder.categories_[0]]
            blocks.append(encoder.transform(cells))
    assert data.feature_names == tuple(feature_names)
    np.testing.assert_array_equal(data.X, np.hstack(blocks))
    assert data.class_names == tuple(sorted(set(columns[-1])))
    assert [data.class_names[code] for code in data.y] == columns[-1]


def check_outcome(path, **options) -> None:
    """A Dataset or a DataError that names the file; any other exception fails the test."""
    try:
        outcome = read_csv(path, **options)
    except datasets.DataError as error:
        outcome = error
    if isinstance(outcome, datasets.DataError):
        assert str(outcome).startswith(f"{path}: ")
    else:
        assert outcome.n_classes >= 2


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_give_a_dataset_or_a_data_error(tmp_path, content):
    path = tmp_path / "hostile.csv"
    path.write_bytes(content)
    check_outcome(path, target="label")


FRAGMENTS = st.sampled_from(
    [
        *',;|\t\n\r"? ',
        "a",
        "label",
        "a,label\n",
        "1",
        "2.5",
        "1e999",
        "-inf",
        "nan",
        "NA",
        "é",
        "\0",
    ]
)


@given(pieces=st.lists(FRAGMENTS, max_size=40))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_anything_like_a_table_gives_a_dataset_or_a_data_error(tmp_path, pieces):
    path = tmp_path / "hostile.csv"
    path.write_text("a,label\n1,2\n" + "".join(pieces), encoding="utf-8", newline="")
    check_outcome(path)
