"""The house rules that a machine can hold: import directions, one home for each library, no hidden imports."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
ROOMS = ("gateway", "schema", "dispatcher", "storage")

MAY_IMPORT = {
    "gateway": {"gateway", "schema", "storage"},
    "schema": {"schema", "storage"},
    "dispatcher": {"dispatcher", "storage"},
    "storage": {"storage"},
}
HOMES = {
    "lxml": ("storage/packages/",),
    "obstore": ("storage/blobs.py",),
    "arq": ("dispatcher/queue.py", "dispatcher/worker.py", "dispatcher/relay.py"),
    "aiohttp": ("dispatcher/listen.py",),
    "httptools": ("dispatcher/webhooks/connections.py",),
    "aiohappyeyeballs": ("dispatcher/webhooks/connections.py",),
    "httpx": ("dispatcher/jobs/authors/chat.py", "gateway/ingest.py"),
    "av": ("dispatcher/jobs/render",),
    "PIL": ("dispatcher/jobs/render",),
    "starlette": ("gateway/",),
    "uvicorn": ("gateway/server.py", "gateway/protocol.py"),
    "jinja2": ("gateway/",),
    "strawberry": ("schema/", "gateway/graphql.py", "gateway/operations.py", "gateway/docs.py"),
    "graphql": ("schema/", "gateway/"),
    "cryptography": ("storage/sealing.py",),
    "argon2": ("storage/people.py",),
    "alembic": ("storage/migrations/",),
    "opentelemetry": ("gateway/telemetry.py",),
    "itsdangerous": ("storage/presign.py",),
}
READS_THE_ENVIRONMENT = ("settings.py", "gateway/supervisor.py", "gateway/cli.py")
ORDER_IN_STORAGE = ["columns", "errors", "ids", "notify", "database", "events", "jobs"]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of ours, by its path in the project."""
    for room in ROOMS:
        for path in sorted((PROJECT / room).rglob("*.py")):
            if "versions" not in path.parts:
                yield str(path.relative_to(PROJECT)), ast.parse(path.read_text())


def imported(tree: ast.AST, *, for_types: bool = False) -> Iterator[str]:
    """The modules that are imported at run time, whole names."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(name), level=0, names=names):
                yield name
                yield from (f"{name}.{part.name}" for part in names)
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) if not for_types:
                pass
            case _:
                yield from imported(node, for_types=for_types)


MODULES = dict(modules())


def modules_where(wrong: Callable[[str, ast.Module], object]) -> dict[str, object]:
    """What is wrong, by module; empty when all is well."""
    return {path: found for path, tree in MODULES.items() if (found := wrong(path, tree))}


def libraries(tree: ast.AST) -> set[str]:
    return {name.partition(".")[0] for name in imported(tree)}


def test_imports_point_one_way() -> None:
    assert not modules_where(
        lambda path, tree: (libraries(tree) & set(ROOMS)) - MAY_IMPORT[path.partition("/")[0]],
    )


def test_each_library_has_one_home() -> None:
    assert not modules_where(
        lambda path, tree: [name for name in libraries(tree) & HOMES.keys() if not path.startswith(HOMES[name])]
    )


def test_nothing_is_imported_inside_a_function() -> None:
    def hidden(_path: str, tree: ast.Module) -> list[str]:
        functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
        return [function.name for function in functions if list(imported(function))]

    assert not modules_where(hidden)


def test_only_the_settings_read_the_environment() -> None:
    def reads(path: str, tree: ast.Module) -> bool:
        names = {name for node in ast.walk(tree) for name in (getattr(node, "attr", None), getattr(node, "id", None))}
        found = names | {name.rpartition(".")[2] for name in imported(tree)}
        return not path.endswith(READS_THE_ENVIRONMENT) and not found.isdisjoint({"environ", "getenv", "environb"})

    assert not modules_where(reads)


def test_every_module_says_in_its_first_line_what_it_is() -> None:
    assert not modules_where(lambda _path, tree: not ast.get_docstring(tree))


def test_annotations_are_real_where_strawberry_and_sqlmodel_read_them() -> None:
    assert not modules_where(
        lambda path, tree: path.startswith(("schema/", "storage/tables/")) and "__future__" in libraries(tree)
    )


def test_there_is_no_import_cycle() -> None:
    names = {path.removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in MODULES}
    needs = {
        name: {other for other in imported(MODULES[path]) if other in names and other != name}
        for name, path in names.items()
    }
    while free := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in free:
            del needs[name]
    assert not needs, f"a cycle among {sorted(needs)}"


def test_storage_is_stacked_in_its_order() -> None:
    """columns → tables → errors, notify → database → events → jobs: lower floors know nothing of higher ones."""
    for floor, name in enumerate(ORDER_IN_STORAGE):
        path = "storage/tables/columns.py" if name == "columns" else f"storage/{name}.py"
        above = {f"storage.{higher}" for higher in ORDER_IN_STORAGE[floor + 1 :]}
        assert not above & set(imported(MODULES[path])), path


def test_file_formats_know_nothing_but_errors() -> None:
    for path, tree in MODULES.items():
        if path.startswith("storage/packages/"):
            ours = {name for name in imported(tree) if name.startswith("storage.")}
            assert all(name.startswith(("storage.packages", "storage.errors")) for name in ours), path
