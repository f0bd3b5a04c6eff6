"""Docs, help and public docstrings are plain: phrases that readers had to read twice do not come back."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PHRASES = (
    r"many a\b",
    r"what is told",
    r"told apart",
    r"some (hundred|thousand|tens)",
    r"of one's own",
    r"asked for",
    r"is no number",
    r"the whole line once",
    r"who may know whom",
    r"(it|each) stands in",
    r"stands nowhere",
    r"meets itself",
    r"from which on",
    r"is (to be )?held against",
    r"is another thing",
    r"laid over",
    r"at the door",
    r"have a look at",
    r"with which the key encoder follows",
    r"evaluate beside",
    r"beside the (point|others)",
    r"so many\b(?! (of them|that))",
    r"anew",
    r"(how )?alike clips|how alike",
    r"stands? alone",
    r"constant for the gradient",
    r"(is|are) to (find|see|agree|have|say|be)\b",
    r"(views?|parts|dimensions|modalities) says? the same",
    r"\ba (row|line|file|object|channel)s? a (frame|joint|clip|video|class|recording)",
    r"(folders|names) (tell|say)\b",
    r"(was|were) not searched",
    r"not at hand",
    r"\bwill do\b",
    r"(does|do) as well",
    r"in the place of",
    r"turned round",
    r"unasked",
    r"unless said",
    r"once more",
    r"each (body|clip|row) (for|by) itself",
    r"an epoch ends with",
    r"no number of the paper belongs",
    r"settings? wins?\b|yourself wins",
)
"""The old private vocabulary, as regular expressions that ignore case and line breaks."""

PLAIN = re.compile("|".join(PHRASES).replace(" ", r"\s+"), re.IGNORECASE)

PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "packages/*/README.md", "integration/README.md")
    for path in sorted(ROOT.glob(pattern))
    if "_build" not in path.parts
]
SOURCES = [
    path
    for folder in (*sorted(ROOT.glob("packages/*/src")), ROOT / "integration" / "src")
    for pattern in ("*.py", "*.toml")
    for path in sorted(folder.rglob(pattern))
]


def _found(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()!r}"
        for match in PLAIN.finditer(text)
    ]


def test_pages_and_sources_are_found():
    assert len(PAGES) > 50
    assert len(SOURCES) > 200


@pytest.mark.parametrize(
    "phrase",
    [
        "half of many a bill",
        "a number that is\nno number",
        "The whole line once",
        "drawn\nanew",
        "a row a frame",
    ],
)
def test_phrases_are_found(phrase):
    assert PLAIN.search(phrase)


def test_pages_are_plain():
    assert not [line for path in PAGES for line in _found(path)]


def test_docstrings_help_and_messages_are_plain():
    assert not [line for path in SOURCES for line in _found(path)]
