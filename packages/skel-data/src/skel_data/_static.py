"""What the source of a module says, read without importing it."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

_Class = tuple[str, ast.ClassDef]  # with the module that it is in
_PLAIN = {"int", "float", "str", "bool", "tuple", "list", "dict", "None", "Path", "Literal", "Any"}


def static_doc(value: str) -> str:
    """Documentation of ``module:Name`` from the module's source; empty where it cannot be read."""
    module, _, attribute = _parts(value)
    try:
        tree = ast.parse(_source(module).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return ""
    for index, node in enumerate(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node) or ""
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == attribute for target in targets):
            match tree.body[index + 1 : index + 2]:
                case [ast.Expr(ast.Constant(str() as doc))]:
                    return doc
    return ast.get_docstring(tree) or ""


def static_fields(value: str) -> dict[str, str] | None:
    """Fields of an attrs class ``module:Name`` and their annotations, from the module's source.

    Fields that are attrs classes themselves are replaced by what they hold, and those of base classes are
    among them. None where the source does not say.
    """
    module, _, attribute = _parts(value)
    try:
        return {name: kind for one in _classes(module, attribute) for name, kind in _fields(*one)}
    except (OSError, SyntaxError, ValueError):
        return None


def _parts(value: str) -> tuple[str, str, str]:
    return value.replace(" ", "").partition("[")[0].partition(":")


def _fields(module: str, node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for base in node.bases:
        if not isinstance(base, ast.Name):
            raise ValueError(f"a base of {node.name} has no plain name")
        for one in _classes(module, base.id):
            yield from _fields(*one)
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        kind = ast.unparse(line.annotation)
        if kind.startswith("ClassVar"):
            continue
        inner: list[_Class] = []
        if not kind.startswith(("Annotated", "Literal")):
            names = {one.id for one in ast.walk(line.annotation) if isinstance(one, ast.Name)}
            inner = [one for name in sorted(names - _PLAIN) for one in _classes(module, name)]
        if not inner:
            yield line.target.id, kind
        for one in inner:
            yield from _fields(*one)


def _classes(module: str, name: str) -> list[_Class]:
    """The class of a name in a module, or the classes of a union that has this name.

    Raises:
        ValueError: If the module's source does not say.
    """
    for node in _tree(module).body:
        match node:
            case ast.ClassDef() if node.name == name:
                return [(module, node)]
            case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                names = [one.id for one in ast.walk(node.value) if isinstance(one, ast.Name)]
                return [one for each in names for one in _classes(module, each)]
            case ast.ImportFrom(module=str() as other):
                for alias in node.names:
                    if name == (alias.asname or alias.name):
                        return _classes(_absolute(module, other, node.level), alias.name)
    raise ValueError(f"{module} does not say what {name} is")


def _absolute(module: str, other: str, level: int) -> str:
    """Name of a module that another one imports."""
    steps = module.split(".")
    up = level - (_source(module).stem == "__init__")
    return ".".join([*steps[: len(steps) - up], other]) if level else other


@cache
def _tree(module: str) -> ast.Module:
    path = _source(module)
    stub = path.with_suffix(".pyi")  # of a package that imports its names when they are used
    return ast.parse((stub if stub.exists() else path).read_text(encoding="utf-8"))


def _source(module: str) -> Path:
    """File of a module; packages above it are not imported, as `importlib.util.find_spec` would."""
    path, origin = None, None
    for step in module.split("."):
        spec = PathFinder.find_spec(step, path)
        if spec is None or spec.origin is None:
            raise OSError(f"no module {module}")
        path, origin = spec.submodule_search_locations, spec.origin
    return Path(str(origin))
