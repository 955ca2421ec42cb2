"""The tree at the head of the page names every refusal, where it stands, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

from domain import errors
from domain.errors import DomainError


def tree(refusal: type[DomainError], depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, refusal.__name__
    for below in refusal.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below, depth + 1)


def test_the_first_docstring_is_the_tree_of_all_refusals() -> None:
    written = re.findall(r"^( *)([A-Z]\w+)(?:  .*)?$", errors.__doc__ or "", re.MULTILINE)
    assert [(len(indent) // 4, name) for indent, name in written] == list(tree(DomainError))
