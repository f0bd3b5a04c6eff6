"""The public names of every package with their signatures are those written down in ``tests/api``.

``python tests/test_api.py --write`` renews the files after a change that is meant. All is read from the
source without importing it, so that it is the same with every interpreter and release of a dependency.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = "python tests/test_api.py --write"
PACKAGES = {
    path.parent.name.replace("_", "-"): path.parent
    for pattern in ("packages/*/src/*/__init__.py", "integration/src/*/__init__.py")
    for path in sorted(ROOT.glob(pattern))
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def public(package):
    """Public names of a package and the imports that bring them: ``__all__``, or all of a stub."""
    stub = package / "__init__.pyi"
    tree = parse(stub if stub.is_file() else package / "__init__.py")
    if stub.is_file():
        names = [
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
    else:
        names = next(
            ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
    return sorted(set(names)), tree


def module_file(package, name, level):
    """File of a module of the package; None if it belongs to another."""
    parts = name.split(".") if name else []
    if not level:
        if parts[:1] != [package.name]:
            return None
        parts = parts[1:]
    path = package.joinpath(*parts)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def definitions(package, tree, name):
    """Statements that define a name, each with its module: this one or that it is imported from."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    path = module_file(package, node.module, node.level)
                    return definitions(package, parse(path), alias.name) if path else [(node, tree)]
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node.name == name:
                found.append((node, tree))
            case ast.Assign(targets=targets) if name in map(ast.unparse, targets):
                found.append((node, tree))
            case ast.AnnAssign(target=target) if ast.unparse(target) == name:
                found.append((node, tree))
    return found


def render(package, name, node, tree):
    """Lines of one definition: a signature, a class with its public members, or a value."""
    if isinstance(node, Function):
        kinds = [word for word in map(ast.unparse, node.decorator_list) if "." not in word]
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        yield f"{''.join(f'@{kind} ' for kind in kinds)}{name}({ast.unparse(node.args)}){returns}"
    elif isinstance(node, ast.ClassDef):
        bases = list(map(ast.unparse, [*node.bases, *(word.value for word in node.keywords)]))
        shown = [base for base in bases if not inner_class(package, base, tree)]
        yield f"class {name}({', '.join(shown)})" if shown else f"class {name}"
        yield from (f"    {line}" for line in members(package, node, tree))
    elif isinstance(node, ast.AnnAssign):
        default = f" = {ast.unparse(node.value)}" if node.value else ""
        yield f"{name}: {ast.unparse(node.annotation)}{default}"
    elif isinstance(node, ast.ImportFrom):
        yield f"{name} from {node.module}"
    else:
        yield name


def members(package, node, tree):
    """Lines of the public members of a class, those of its bases that are not public first."""
    for base in map(ast.unparse, node.bases):
        for parent, module in inner_class(package, base, tree):
            yield from members(package, parent, module)
    for member in node.body:
        if isinstance(member, Function | ast.ClassDef | ast.AnnAssign):
            name = ast.unparse(member.target) if isinstance(member, ast.AnnAssign) else member.name
            if is_public(name):
                yield from render(package, name, member, tree)


def inner_class(package, base, tree):
    """The class of this package that a base names, with its module, unless that class is public itself."""
    name = base.partition("[")[0]
    found = [] if name in public(package)[0] else definitions(package, tree, name)
    return [(node, module) for node, module in found if isinstance(node, ast.ClassDef)]


def is_public(name):
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def inventory(package):
    """Lines that describe all public names of a package, in their order."""
    names, tree = public(package)
    lines = []
    for name in names:
        if name == "__version__":
            continue
        found = definitions(package, tree, name)
        assert found, f"{package.name}.{name} is public, but defined nowhere"
        lines += [line for node, module in found for line in render(package, name, node, module)]
    return lines


def recorded(name):
    return ROOT / "tests" / "api" / f"{name}.txt"


def test_public_api_is_the_recorded_one():
    for name, package in PACKAGES.items():
        known = recorded(name).read_text(encoding="utf-8").splitlines()
        assert inventory(package) == known, f"public API of {name} changed; if it is meant: {COMMAND}"


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(f"usage: {COMMAND}")
    for known, folder in PACKAGES.items():
        recorded(known).parent.mkdir(exist_ok=True)
        recorded(known).write_text("\n".join(inventory(folder)) + "\n", encoding="utf-8")
