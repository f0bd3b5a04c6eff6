"""Members of the reference pages: the names of a package, in groups by the modules that they come from."""

import ast
import re
from importlib import import_module
from inspect import isclass, isroutine
from pathlib import Path

MARK = re.compile(r"<!-- members: (\w+)((?: :[\w-]+:)*) -->")
"""Where a page wants the members of a package, with options of autodoc."""


def setup(app):
    """Put the members in the place of the marks."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}


def _fill(_app, _docname, source):
    source[0] = MARK.sub(lambda mark: members(mark[1], mark[2].split()), source[0])


def members(package, options=()):
    """MyST text: a heading for each group, and autodoc of its names; every public name is in one group."""
    parts = []
    for heading, names in groups(package).items():
        blocks = "\n".join(_block(package, name, module, options) for name, module in names)
        parts.append(f"## {heading}\n\n```{{eval-rst}}\n{blocks}```\n")
    return "\n".join(parts)


def groups(package):
    """(name, module) pairs by heading, in the order in which the package imports them.

    Names of one folder are a group, called by what the docstring of the folder begins with.
    """
    init = Path(import_module(package).__file__)
    stub = init.with_suffix(".pyi")
    found = {}
    for node in ast.parse((stub if stub.exists() else init).read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module if node.level == 0 else f"{package}.{node.module}"
        if module.startswith(f"{package}."):
            heading = _heading(".".join(module.split(".")[:2]))
            pairs = [(alias.asname or alias.name, module) for alias in node.names]
            found.setdefault(heading, []).extend(pairs)
    public = set(import_module(package).__all__)
    listed = [name for pairs in found.values() for name, _ in pairs]
    if missing := public - set(listed):
        raise ValueError(f"{package}: no group for {', '.join(sorted(missing))}")
    found = {heading: [pair for pair in pairs if pair[0] in public] for heading, pairs in found.items()}
    return {heading: pairs for heading, pairs in found.items() if pairs}


def _heading(module):
    sentence = import_module(module).__doc__.split("\n", 1)[0]
    return re.split(r"[:(.,]", sentence, maxsplit=1)[0].strip()


def _block(package, name, module, options):
    value = getattr(import_module(package), name)
    lines = "".join(f"   {option}\n" for option in options)
    if isclass(value):
        return f".. autoclass:: {package}.{name}\n   :members:\n   :exclude-members: forward\n{lines}"
    if isroutine(value):
        return f".. autofunction:: {package}.{name}\n{lines}"
    text = _docstring(module, name).replace("\n", "\n   ")
    return f".. py:data:: {package}.{name}\n{lines}\n   {text}\n"


def _docstring(module, name):
    """The string below the assignment of a constant, where it is made or where the module has it from."""
    body = ast.parse(Path(import_module(module).__file__).read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ImportFrom) and name in {one.asname or one.name for one in node.names}:
            return _docstring(node.module, name)
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if name in {getattr(target, "id", None) for target in targets} and isinstance(after, ast.Expr):
            return after.value.value
    return ""
