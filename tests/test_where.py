"""where: linear comparisons in words, and the sentence for each that is not one."""

import numpy as np
import pytest

from icnn.errors import BadData
from icnn.where import parse

COLUMNS = ("a", "b", "T.in", "größe", "c d")
INF = np.inf


@pytest.mark.parametrize(
    ("text", "row", "low", "high"),
    [
        ("a + 2*b <= 5", [1, 2, 0, 0, 0], -INF, 5),
        ("a + 2*b - 5 <= 0", [1, 2, 0, 0, 0], -INF, 5),
        ("2a - 3(b - 1) >= .5e1", [2, -3, 0, 0, 0], 2, INF),
        ("2 a == b/4 + 1e-3", [2, -0.25, 0, 0, 0], 1e-3, 1e-3),
        ("a = b", [1, -1, 0, 0, 0], 0, 0),
        ("5 >= a", [1, 0, 0, 0, 0], -INF, 5),
        ("0 <= a + b <= 5", [1, 1, 0, 0, 0], 0, 5),
        ("5 >= a + 1 >= 0", [1, 0, 0, 0, 0], -1, 4),
        ("-(a - -b) * 2 <= +4", [-2, -2, 0, 0, 0], -INF, 4),
        ("T.in + größe + `c d` <= 1", [0, 0, 1, 1, 1], -INF, 1),
        ("gro\u0308ße <= 1", [0, 0, 0, 1, 0], -INF, 1),
        ("'c d' + 2\"c d\" <= 3", [0, 0, 0, 0, 3], -INF, 3),
        ("a − 2·b ≤ 3", [1, -2, 0, 0, 0], -INF, 3),
        ("a * (3 - 1) / 4 <= 1", [0.5, 0, 0, 0, 0], -INF, 1),
    ],
)
def test_a_linear_comparison_becomes_one_row(text, row, low, high):
    found = parse(text, COLUMNS)
    assert found.A.tolist() == [row]
    assert (found.lb.tolist(), found.ub.tolist()) == ([low], [high])


def test_a_chain_of_columns_becomes_a_row_for_each_comparison():
    found = parse("a <= b <= T.in + 1", COLUMNS)
    assert found.A.tolist() == [[1, -1, 0, 0, 0], [0, 1, -1, 0, 0]]
    assert found.ub.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("text", "character", "sentence"),
    [
        ("a + 2*?b <= 5", 7, "unexpected '?'; names with other characters stand in `backticks`"),
        ("a + \x00b <= 5", 5, "unexpected 'U+0000'"),
        ("a < 5", 3, "a strict '<' has no least point; use <="),
        ("5 > a", 3, "a strict '>' has no least point; use >="),
        ("a => 5", 3, "'=>' is written >="),
        ("a =< 5", 3, "'=<' is written <="),
        ("a != 5", 3, "'!=' is no comparison; use <=, >= or =="),
        ("a**2 <= 5", 2, "'**' is not linear"),
        ("a^2 <= 5", 2, "'^' is not linear"),
        ("a*b <= 5", 2, "not linear: a product of columns 'a' and 'b'"),
        ("1/a <= 5", 2, "not linear: a division by column 'a'"),
        ("a/(1 - 1) <= 5", 2, "a division by zero"),
        ("1 <= 2", 3, "no column is left in this comparison, so it says nothing about x"),
        ("a - a <= 2", 7, "no column is left"),
        ("1e400*a <= 2", 9, "a number in this comparison is too large for a computer"),
        ("z <= 2", 1, "there is no column 'z'; the columns are a, b, T.in, größe, c d"),
        ("a <= 2 and b <= 3", 8, "'and' is not taken; write one comparison a condition"),
        ("", 1, "the condition is empty; write one such as a + 2*b <= 5"),
        ("a + b", 6, "no comparison; end it with one such as <= 5"),
        ("a <=", 5, "expected a column, a number or '(' before the end"),
        ("a + * b <= 2", 5, "expected a column, a number or '(' before '*'"),
        ("1/2a <= 5", 4, "'/2 a' can be read in two ways; write the *"),
        ("2 3 a <= 5", 3, "missing operator before '3'"),
        ("a b <= 5", 3, "missing operator before 'b'"),
        ("a) <= 5", 2, "this ')' closes no '('"),
        ("(a <= 5", 4, "the '(' at character 1 is not closed here"),
        ("`c d <= 5", 1, "the name that begins with ` has no closing `"),
        (
            "0 <= a >= 5",
            8,
            "a chain of comparisons takes only <=, or only >=; write two",
        ),
        ("a == b == 5", 8, "a chain of comparisons takes only <="),
        ("5 <= a <= 1", 3, "no number lies between 5 and 1"),
        ("(" * 60 + "a", 51, "more than 50 parentheses inside each other"),
    ],
)
def test_an_error_points_at_the_character(text, character, sentence):
    with pytest.raises(BadData) as caught:
        parse(text, COLUMNS)
    assert str(caught.value).startswith(f"at character {character}: ")
    assert sentence in str(caught.value)


def test_a_number_that_may_be_a_product_is_refused():
    with pytest.raises(BadData, match=r"at character 1: .*2e3 is a number, but 'e3' is a column"):
        parse("2e3 <= a", ("a", "e3"))
    assert parse("2e3 <= a", ("a", "e4")).lb.tolist() == [2000]


def test_a_long_text_is_shown_around_its_error_in_one_line():
    text = " + ".join(["a"] * 100) + "\n + ? <= 5"
    with pytest.raises(BadData) as caught:
        parse(text, COLUMNS)
    message = str(caught.value)
    assert message.startswith(f"at character {text.index('?') + 1}: ")
    assert "\n" not in message
    assert len(message) < 200


def test_many_columns_are_listed_in_part():
    with pytest.raises(BadData, match=r"x0, x1, .*x19, …$"):
        parse("z <= 1", [f"x{j}" for j in range(100)])


def test_the_condition_holds_where_python_says_so():
    rng = np.random.default_rng(0)
    text = "-1 <= 2*(a - b/4) - (3 - a)*2 + 5 <= 4"
    found = parse(text, ("a", "b"))
    for a, b in rng.normal(size=(200, 2)):
        at = float(found.A[0] @ [a, b])
        expected = -1 <= 2 * (a - b / 4) - (3 - a) * 2 + 5 <= 4
        assert (found.lb[0] <= at <= found.ub[0]) == expected
