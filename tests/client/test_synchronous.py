"""The synchronous client is the asynchronous one without its waiting."""

import ast

from tests.client.synchronous import FOLDER, HOW, made


def test_the_synchronous_client_is_made_from_the_asynchronous_one() -> None:
    there = {path.name: path.read_text() for path in (FOLDER / "synchronous").glob("*.py")}
    expected = {name: _code(text) for name, text in made().items()}
    assert {name: _code(text) for name, text in there.items()} == expected, f"It is old: {HOW}"


def _code(text: str) -> str:
    """The code without its layout; the order of imports is layout too."""
    tree = ast.parse(text)
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in imports:
        node.names.sort(key=lambda each: each.name)
    rest = [node for node in tree.body if node not in imports]
    return "\n".join([*sorted(map(ast.unparse, imports)), *map(ast.unparse, rest)])
