"""where: a linear comparison in words, such as "a + 2*b <= 5", becomes a `LinearConstraint`.

    condition := sum (("<=" | ">=" | "==" | "=") sum)+
    sum       := term (("+" | "-") term)*
    term      := factor (("*" | "/") factor)*
    factor    := ("+" | "-")* (number | [number] name | [number] "(" sum ")")

Names with other characters than letters, digits, dots and underscores stand in `backticks` or
quotes. Nothing is evaluated as code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, final
from unicodedata import normalize

from icnn.errors import BadData

if TYPE_CHECKING:
    from scipy.optimize import LinearConstraint

NAME = re.compile(r"[^\W\d][\w.\u0300-\u036f]*")
NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")
SYMBOL = re.compile(r"[<>=!]+|\*\*|[-+*/()^≤≥−·×]")
MEANING = {"≤": "<=", "≥": ">=", "=": "==", "−": "-", "·": "*", "×": "*"}
COMPARISONS = ("<=", ">=", "==")
FLIPPED = {"<=": ">=", ">=": "<=", "==": "=="}
REFUSED = {
    "<": "a strict '<' has no least point; use <=",
    ">": "a strict '>' has no least point; use >=",
    "=<": "'=<' is written <=",
    "=>": "'=>' is written >=",
    "**": "'**' is not linear; conditions take sums of columns times numbers",
    "^": "'^' is not linear; conditions take sums of columns times numbers",
}
DEEPEST = 50  # parentheses inside parentheses
SHOWN = 60  # characters of the text in an error


def parse(text: str, columns: Sequence[str]) -> LinearConstraint:
    """The comparison `text` of `columns`, everything moved to the left side.

    `0 <= a + b <= 5` makes one row, `a <= b <= c` two; an equality has lb == ub.

    Raises:
        BadData: with the 1-based character where `text` stops to be a linear comparison.
    """
    import numpy as np
    from scipy.optimize import LinearConstraint

    rows = _Parser(text, columns).rows()
    A = np.array([[terms.get(name, 0.0) for name in columns] for terms, _, _ in rows])
    return LinearConstraint(A, [low for _, low, _ in rows], [high for _, _, high in rows])


@final
@dataclass(frozen=True)
class Token:
    """A piece of the text: its kind, its text (a name without quotes) and where it begins."""

    kind: str  # "number", "name", "symbol" or "end"
    text: str
    at: int


@final
@dataclass(frozen=True)
class Linear:
    """Σ terms[name] · name + constant."""

    terms: Mapping[str, float]
    constant: float

    def plus(self, other: Linear, factor: float) -> Linear:
        """Self + factor · other."""
        names = dict.fromkeys((*self.terms, *other.terms))
        terms = {k: self.terms.get(k, 0.0) + factor * other.terms.get(k, 0.0) for k in names}
        return Linear(terms, self.constant + factor * other.constant)

    def over(self, divisor: float) -> Linear:
        """Self / divisor, correctly rounded."""
        return Linear({k: v / divisor for k, v in self.terms.items()}, self.constant / divisor)


Row = tuple[Mapping[str, float], float, float]
ZERO = Linear({}, 0.0)


@final
class _Parser:
    """Recursive descent, one token ahead."""

    def __init__(self, text: str, columns: Sequence[str]) -> None:
        self.text, self.columns = text, columns
        self.alike = {normalize("NFC", name): name for name in columns}
        self.tokens = list(self.scan())
        self.at = 0
        self.depth = 0

    def fail(self, at: int, what: str) -> NoReturn:
        start = max(0, min(at - SHOWN // 2, len(self.text) - SHOWN))
        part = self.text[start : start + SHOWN]
        shown = "".join(c if c.isprintable() else " " for c in part)
        shown = "…" * (start > 0) + shown + "…" * (start + SHOWN < len(self.text))
        raise BadData(f'at character {at + 1}: "{shown}": {what}')

    def scan(self) -> Iterator[Token]:
        at = 0
        while at < len(self.text):
            if self.text[at].isspace():
                at += 1
                continue
            token, at = self.token(at)
            yield token
        yield Token("end", "", len(self.text))

    def token(self, at: int) -> tuple[Token, int]:
        """The token that begins at `at`, and where it ends."""
        if found := NUMBER.match(self.text, at):
            self.check_exponent(at, found.group())
            return Token("number", found.group(), at), found.end()
        if found := NAME.match(self.text, at):
            return Token("name", found.group(), at), found.end()
        if found := QUOTED.match(self.text, at):
            return Token("name", found.group()[1:-1], at), found.end()
        if found := SYMBOL.match(self.text, at):
            symbol = MEANING.get(found.group(), found.group())
            if symbol in REFUSED:
                self.fail(at, REFUSED[symbol])
            if symbol[0] in "<>=!" and symbol not in COMPARISONS:
                self.fail(at, f"'{symbol}' is no comparison; use <=, >= or ==")
            return Token("symbol", symbol, at), found.end()
        character = self.text[at]
        if character in "`'\"":
            self.fail(at, f"the name that begins with {character} has no closing {character}")
        shown = character if character.isprintable() else f"U+{ord(character):04X}"
        self.fail(at, f"unexpected '{shown}'; names with other characters stand in `backticks`")

    def check_exponent(self, at: int, number: str) -> None:
        """Refuse `2e3` where a column is called e3: nobody can tell which one is meant."""
        e = number.lower().find("e")
        found = NAME.match(self.text, at + e) if e >= 0 else None
        if found and found.group() in self.columns:
            name = found.group()
            self.fail(at, f"{number} is a number, but {name!r} is a column; write * between them")

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self, *symbols: str) -> Token | None:
        """The next token if it is one of `symbols`."""
        token = self.next
        if token.kind != "symbol" or token.text not in symbols:
            return None
        self.at += 1
        return token

    def rows(self) -> list[Row]:
        if self.next.kind == "end":
            self.fail(0, "the condition is empty; write one such as a + 2*b <= 5")
        sides, signs = [self.sum()], []
        while sign := self.take(*COMPARISONS):
            signs.append(sign)
            sides.append(self.sum())
        if self.next.kind != "end":
            self.fail(self.next.at, _left_over(self.next))
        if not signs:
            self.fail(self.next.at, "no comparison; end it with one such as <= 5")
        self.check_chain(signs)
        if len(signs) == 2 and not sides[0].terms and not sides[2].terms:
            return [self.between(sides, signs)]
        pairs = zip(sides, sides[1:], signs, strict=False)
        return [self.row(left, right, sign) for left, right, sign in pairs]

    def check_chain(self, signs: list[Token]) -> None:
        for sign in signs[1:]:
            if sign.text != signs[0].text or sign.text == "==":
                what = "a chain of comparisons takes only <=, or only >=; write two conditions"
                self.fail(sign.at, what)

    def between(self, sides: list[Linear], signs: list[Token]) -> Row:
        """Number <= sum <= number."""
        left, middle, right = sides
        low, high = self.row(left, middle, signs[0]), self.row(middle, right, signs[1])
        lower, upper = max(low[1], high[1]), min(low[2], high[2])
        if lower > upper:
            self.fail(signs[0].at, f"no number lies between {lower:g} and {upper:g}")
        return high[0], lower, upper

    def row(self, left: Linear, right: Linear, sign: Token) -> Row:
        """Left − right against 0, turned round where only the right side has columns."""
        text = sign.text
        if not left.terms:
            left, right, text = right, left, FLIPPED[text]
        moved = left.plus(right, -1.0)
        limit = 0.0 - moved.constant
        if not any(moved.terms.values()):
            self.fail(sign.at, "no column is left in this comparison, so it says nothing about x")
        if not all(map(math.isfinite, (limit, *moved.terms.values()))):
            self.fail(sign.at, "a number in this comparison is too large for a computer")
        low = -math.inf if text == "<=" else limit
        return moved.terms, low, math.inf if text == ">=" else limit

    def sum(self) -> Linear:
        total = self.term()
        while sign := self.take("+", "-"):
            total = total.plus(self.term(), 1.0 if sign.text == "+" else -1.0)
        return total

    def term(self) -> Linear:
        product = self.factor(divides=False)
        while sign := self.take("*", "/"):
            factor = self.factor(divides=sign.text == "/")
            product = self.times(product, factor, sign)
        return product

    def times(self, left: Linear, right: Linear, sign: Token) -> Linear:
        if sign.text == "/":
            if right.terms:
                self.fail(sign.at, f"not linear: a division by column {next(iter(right.terms))!r}")
            if right.constant == 0:
                self.fail(sign.at, "a division by zero")
            return left.over(right.constant)
        if left.terms and right.terms:
            names = " and ".join(repr(next(iter(side.terms))) for side in (left, right))
            self.fail(sign.at, f"not linear: a product of columns {names}")
        if left.terms:
            left, right = right, left
        return ZERO.plus(right, left.constant)

    def factor(self, *, divides: bool) -> Linear:
        sign = 1.0
        while token := self.take("+", "-"):
            sign = -sign if token.text == "-" else sign
        return ZERO.plus(self.atom(divides=divides), sign)

    def atom(self, *, divides: bool) -> Linear:
        token = self.next
        if token.kind == "number":
            return self.scaled(divides=divides)
        if token.kind == "name":
            self.at += 1
            return Linear({self.column(token): 1.0}, 0.0)
        if self.take("("):
            return self.inside(token)
        found = f"'{token.text}'" if token.text else "the end"
        self.fail(token.at, f"expected a column, a number or '(' before {found}")

    def scaled(self, *, divides: bool) -> Linear:
        """A number, with the name or parenthesis that follows it at once: `2a`, `2 (a + b)`."""
        token = self.next
        self.at += 1
        factor = float(token.text)
        following = self.next
        if following.kind != "name" and following.text != "(":
            return Linear({}, factor)
        if divides:
            what = f"'/{token.text} {following.text}' can be read in two ways; write the *"
            self.fail(following.at, what)
        return ZERO.plus(self.atom(divides=False), factor)

    def inside(self, opening: Token) -> Linear:
        """What stands in parentheses."""
        self.depth += 1
        if self.depth > DEEPEST:
            self.fail(opening.at, f"more than {DEEPEST} parentheses inside each other")
        total = self.sum()
        if not self.take(")"):
            self.fail(self.next.at, f"the '(' at character {opening.at + 1} is not closed here")
        self.depth -= 1
        return total

    def column(self, token: Token) -> str:
        name = (
            token.text
            if token.text in self.columns
            else self.alike.get(normalize("NFC", token.text), "")
        )
        if name:
            return name
        if token.text.lower() in ("and", "or", "not"):
            self.fail(token.at, f"'{token.text}' is not taken; write one comparison a condition")
        known = ", ".join(self.columns[:20]) + (", …" if len(self.columns) > 20 else "")
        self.fail(token.at, f"there is no column '{token.text}'; the columns are {known}")


def _left_over(token: Token) -> str:
    if token.kind == "symbol" and token.text == ")":
        return "this ')' closes no '('"
    return f"missing operator before '{token.text}'"
