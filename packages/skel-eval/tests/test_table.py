import csv
import io
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skel_eval import (
    UNTRAINED,
    Code,
    Method,
    Metric,
    Result,
    Row,
    Summary,
    results_table,
    summarise_methods,
    table_text,
)
from skel_eval.comparison.table import latex, markdown

NASTY = 'a|b & c_d 50% $x$ #1 {y} ~z ^w \\q <i> `k` *m* [n] "o", ± –'
ROWS = [
    Row(
        *("compact", "utd-mhad", "xsub", "linear", "joint"),
        result=Summary(0.9526, 0.004, 3),
        baselines={UNTRAINED: Summary(0.875, 0.01, 3)},
    ),
    Row("one_seed", "utd-mhad", "xsub", "1-NN", "joint", Summary(0.5, math.nan, 1)),
    Row(
        *("aimclr", "ntu60", "xsub", "linear", "joint+motion+bone"),
        published=[(78.9, "arXiv 2112.03590"), (79.18, "README of A_B")],
        command="skel pretrain aimclr S --out RUN",
    ),
]


def columns(text):
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in text.splitlines()]


def test_markdown():
    head, rule, *rows = columns(results_table(ROWS))
    assert head == [
        *("method", "data set", "split", "protocol", "stream"),
        *("ours", "seeds", "untrained", "best simple", "against it", "published", "source", "command"),
    ]
    assert rule == ["---"] * 5 + ["---:"] * 6 + ["---"] * 2
    assert rows[0] == [
        "compact",
        "utd-mhad",
        "xsub",
        "linear",
        "joint",
        "95.3 ± 0.4",
        "3",
        "87.5",
        *[""] * 5,
    ]
    assert rows[1][0] == r"one\_seed"
    assert rows[1][5:8] == ["50.0", "1", ""]
    assert rows[2][5:] == [
        *("", "", "", "", "", "78.9; 79.18", r"arXiv 2112.03590; README of A\_B"),
        "`skel pretrain aimclr S --out RUN`",
    ]


def test_without_commands_there_is_no_column_for_them():
    assert columns(results_table(ROWS[:2]))[0][-1] == "source"
    assert results_table([]).count("\n") == 2


def test_csv():
    rows = list(csv.DictReader(io.StringIO(results_table(ROWS, "csv"))))
    assert [rows[0][key] for key in ("method", "ours", "std", "seeds", "untrained")] == [
        *("compact", "95.3", "0.4", "3", "87.5")
    ]
    assert (rows[1]["ours"], rows[1]["std"]) == ("50.0", "")
    assert rows[2]["published"] == "78.9; 79.18"
    assert rows[2]["command"] == "skel pretrain aimclr S --out RUN"


def test_latex():
    text = results_table(ROWS, "latex")
    assert "\\begin{tabular}{lllllrrrrrrll}\n\\toprule\nmethod & data set" in text
    assert r"95.3 $\pm$ 0.4 & 3 & 87.5" in text
    assert r"\texttt{skel pretrain aimclr S -{}-out RUN} \\" in text
    assert text.count(r" \\") == 4
    assert text.endswith("\\bottomrule\n\\end{tabular}\n")


def test_latex_escapes_what_it_would_read():
    assert latex(NASTY) == (
        r"a\textbar{}b \& c\_d 50\% \$x\$ \#1 \{y\} \textasciitilde{}z \textasciicircum{}w \textbackslash{}q "
        r"\textless{}i\textgreater{} `k` *m* [n] \textquotedbl{}o\textquotedbl{}, $\pm$ --"
    )
    # a bracket after the end of a line would be read as its argument
    assert "\n{}[0.6] & b" in table_text([["a", "b"], ["[0.6]", "b"]], "latex")


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("a|b", r"a\|b"),
        ("two\nlines", "two lines"),
        ("<b> & *c* _d_ [e] `f` \\g ~h~", r"\<b\> \& \*c\* \_d\_ \[e\] \`f\` \\g \~h\~"),
        (Code("a | b"), r"`a \| b`"),
        (Code("a `b` c"), "``a `b` c``"),
        (Code("`b"), "`` `b ``"),
        (Code("x_y*"), "`x_y*`"),
    ],
)
def test_markdown_escapes(cell, text):
    assert markdown(cell) == text


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"])), min_size=2, max_size=2))
def test_every_cell_stays_in_its_place(cells):
    rows = [["a", "b"], cells]
    lines = table_text(rows).split("\n")[:-1]
    assert len(lines) == 3
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", lines[2])) == 3
    plain = [cell.replace("\r", " ") for cell in cells]
    read = list(csv.reader(io.StringIO(table_text([["a", "b"], plain], "csv"), newline="")))[1]
    for one, cell in zip(read, plain, strict=True):  # a quote keeps spreadsheets from seeing a formula
        assert one == (f"'{cell}" if cell[:1] and cell[0] in "=+-@\t" and one != cell else cell)
        assert not one.startswith(("=", "@", "\t"))
    body = table_text(rows, "latex").split("\\midrule\n")[1].split("\n\\bottomrule")[0]
    assert len(re.findall(r"(?<!\\)&", body)) == 1


def test_errors():
    with pytest.raises(ValueError, match="style must be one of markdown, latex, csv, got 'html'"):
        table_text([["a"]], "html")
    with pytest.raises(ValueError, match=r"lengths \[1, 2\]"):
        table_text([["a"], ["b", "c"]])


def evaluated(value, distinct=None, **more):
    """A result with its baseline."""
    made = {"protocol": "linear", "dataset": "d", "split": "s", **more}
    metrics = {"accuracy": Metric(value, distinct)}
    half = {"accuracy": Metric(value / 2, distinct and distinct / 2)}
    return Result("m", metrics=metrics, baselines=(Result(UNTRAINED, metrics=half, **made),), **made)


def test_means_over_seeds():
    first = evaluated(0.6, 0.4, counts={"train": 9, "test": 5, "copies": 1}, seconds=2.0)
    other = evaluated(0.7, settings={"k": 1}, protocol="knn", variant="1-NN")
    methods = [Method("a", {0: [first, other], 3: [evaluated(0.8, 0.6)]}), Method("b", {1: [other]})]
    rows = summarise_methods(methods)
    assert [(row.method, row.protocol, row.seeds) for row in rows] == [
        *(("a", "linear", (0, 3)), ("a", "1-NN", (0,)), ("b", "1-NN", (1,)))
    ]
    row = rows[0]
    assert (row.result.mean, row.result.n) == (pytest.approx(0.7), 2)
    assert row.distinct.mean == pytest.approx(0.5)
    assert row.baselines[UNTRAINED].std == pytest.approx(0.1 / math.sqrt(2))
    assert row.distinct_baselines[UNTRAINED].mean == pytest.approx(0.25)
    assert (row.seconds, row.counts["train"]) == (2.0, 9)
    table = columns(results_table(rows))
    assert [line[2] for line in table[2:]] == ["s", "s without copies", "s", "s"]
    assert [line[5:8] for line in table[2:4]] == [["70.0 ± 14.1", "2", "35.0"], ["50.0 ± 14.1", "2", "25.0"]]


def test_a_tag_does_not_hide_what_a_published_number_is_of():
    rows = summarise_methods(
        [Method("a", {0: [evaluated(0.5, tag="aimclr"), evaluated(0.4, variant="2-NN")]})]
    )
    assert [(row.protocol, row.variant) for row in rows] == [("linear, aimclr", "linear"), ("2-NN", "2-NN")]


def test_two_tags_of_one_run_are_no_two_seeds():
    rows = summarise_methods([Method("a", {0: [evaluated(0.5, tag="no"), evaluated(0.4, tag="no-joint")]})])
    assert [(row.protocol, row.result.n) for row in rows] == [("linear, no", 1), ("linear, no-joint", 1)]
