"""
How long hostile documents of 10 kB hold the event loop: `python -m tests.benchmarks.bench_documents [how many] [seed]`.

Each is made by one of the recipes below from the names of the real schema and random numbers, with variables that fit
or do not, and goes through everything that happens before an operation runs: parsing, pricing, validation, coercion.
Measured is the processor time of the thread, the best of three for whatever seems to take more than a quarter of the
limit, so that the noise of the machine is left out; the worst document of each recipe is told.
"""

import asyncio
import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    execute,
    get_introspection_query,
    get_named_type,
    parse,
)
from graphql.execution import Executor

from gateway.documents import Documents
from gateway.executor import paced
from gateway.graphql import RULES
from gateway.parameters import Parameters
from gateway.pricing import Limits
from gateway.refusals import Refused
from schema import schema

BYTES = 10_000
LIMIT_MS = 50.0

GRAPH = schema._schema
COMPOSITE = [
    type_
    for name, type_ in GRAPH.type_map.items()
    if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not name.startswith("__")
]
ROOTS = [root.name for root in (GRAPH.query_type, GRAPH.mutation_type) if root]

Recipe = Callable[[random.Random], str]


def chosen(rng: random.Random, type_: Any) -> tuple[str, Any]:
    """A field of a type, and the type of its value when that has fields, too."""
    name = rng.choice(list(type_.fields))
    named = get_named_type(type_.fields[name].type)
    return name, named if isinstance(named, GraphQLObjectType | GraphQLInterfaceType) else None


def filled(rng: random.Random, parts: Iterator[str], shell: str = "{%s}") -> str:
    """As many parts as fit, or some of them: what is beyond a limit is refused early, what is just below it is not."""
    text: list[str] = []
    size = len(shell)
    most = rng.choice([BYTES, rng.randint(200, BYTES), rng.randint(200, 2_000)])
    for part in parts:
        if size + len(part) + 1 > most:
            break
        text.append(part)
        size += len(part) + 1
    return shell % " ".join(text)


def bomb(rng: random.Random) -> str:
    """Fragments that spread others several times."""
    count = rng.randint(2, 120)
    spreads = rng.randint(1, max(1, BYTES // count // 8))
    type_ = rng.choice(ROOTS)
    chain = "".join(
        f"fragment F{number} on {type_}{{{''.join(f'...F{rng.randint(number, count)} ' for _ in range(spreads))}}}"
        for number in range(count)
    )
    return f"{{...F0}}{chain}fragment F{count} on {type_}{{__typename}}"[:BYTES]


def merging(rng: random.Random) -> str:
    """The same response keys from many places, which have to be compared in pairs."""
    type_ = rng.choice(COMPOSITE)
    keys = rng.randint(1, 8)

    def parts() -> Iterator[str]:
        while True:
            name, inner = chosen(rng, type_)
            selection = f"{{k{rng.randint(0, keys)}:{chosen(rng, inner)[0]}}}" if inner else ""
            wrap = rng.choice(["%s", "...{%s}", f"...on {type_.name}{{%s}}"])
            yield wrap % f"k{rng.randint(0, keys)}:{name}{selection}"

    return filled(rng, parts(), f"{{...on {type_.name}{{%s}}}}")


def fragments_to_merge(rng: random.Random) -> str:
    """Many fragments on one type, spread side by side: each is compared with each."""
    type_ = rng.choice(COMPOSITE)
    count = rng.randint(10, 100)
    spreads = "".join(f"...F{number} " for number in range(count))
    bodies = "".join(
        f"fragment F{number} on {type_.name}{{{' '.join(f'a{rng.randint(0, 9)}:__typename' for _ in range(4))}"
        f" ...F{rng.randint(0, count)}}}"
        for number in range(count)
    )
    return f"{{...on {type_.name}{{{spreads}}}}}{bodies}"[:BYTES]


def nested(rng: random.Random) -> str:
    """Selections inside selections."""
    depth = rng.randint(5, 400)
    opening = "".join(rng.choice(["node{", "edges{", "...{", "nodes{", "a:job{", "...on Job{"]) for _ in range(depth))
    return f"{{{opening}id{'}' * (depth + 1)}"[: BYTES + depth]


def nested_values(rng: random.Random) -> str:
    """Lists and objects inside arguments."""
    depth = rng.randint(5, 300)
    kind = rng.choice([("[", "]"), ("{a:", "}")])
    many = " ".join(f'{{a:"{number}"}}' for number in range(rng.randint(1, 400)))
    return (
        f"mutation{{createExpansion(input:{{payload:{kind[0] * depth}1{kind[1] * depth} b:[{many}]}}){{__typename}}}}"
    )


def aliases(rng: random.Random) -> str:
    """One field under many names."""
    root = GRAPH.query_type
    name, inner = chosen(rng, root)
    selection = "{__typename}" if inner else ""
    return filled(rng, (f"a{number}:{name}{selection}" for number in range(10_000)))


def wide_lists(rng: random.Random) -> str:
    """Pages of pages."""
    page = rng.choice(["jobs", "events", "resources"])
    inner = "nodes{id}"
    for _ in range(rng.randint(1, 6)):
        inner = f"nodes{{events(first:100){{{inner}}}}}"
    return filled(rng, (f"a{number}:{page}(first:100){{{inner}}}" for number in range(1_000)))


def directives(rng: random.Random) -> str:
    """Directives, known and unknown."""
    one = rng.choice(["@skip(if:false)", "@include(if:$v)", "@nope", "@x(a:[{b:1}])", "@deprecated"])
    per_field = rng.randint(1, 40)
    return filled(rng, (f"a{number}:__typename{one * per_field}" for number in range(10_000)))


def variables(rng: random.Random) -> str:
    """Many variables, used or not, with values of all kinds."""
    type_ = rng.choice(["Int", "[Int!]!", "CreateExpansionInput!", "[[JobKind]]", "Nope", "JSON", "Job"])
    default = rng.choice(["", "=1", "=[1 2 3]", '={a:{b:"c"}}', "=null"])
    count = rng.randint(10, 700)
    declared = " ".join(f"$v{number}:{type_}{default}" for number in range(count))
    used = " ".join(f"a{number}:job(id:$v{rng.randint(0, count)}){{id}}" for number in range(rng.randint(1, 90)))
    return f"query({declared}){{{used}}}"[:BYTES]


def misspelled(rng: random.Random) -> str:
    """Fields that nearly exist: for each, graphql-core looks for what was meant."""
    type_ = rng.choice(COMPOSITE)
    names = list(type_.fields)
    return filled(
        rng, (f"{rng.choice(names)}{rng.choice('sxyz_')}" for _ in range(10_000)), f"{{...on {type_.name}{{%s}}}}"
    )


def unknown_types(rng: random.Random) -> str:
    """Types that nearly exist."""
    return filled(rng, (f"...on {rng.choice(COMPOSITE).name}{rng.choice('sx')}{{id}}" for _ in range(10_000)))


def introspection(rng: random.Random) -> str:
    """The schema asked about itself, again and again."""
    levels = rng.randint(1, 12)
    inner = "name"
    for _ in range(levels):
        inner = rng.choice(["fields{type{%s}}", "ofType{%s}", "fields{args{type{%s}}}", "possibleTypes{%s}"]) % inner
    return filled(rng, (f"a{number}:__schema{{types{{{inner}}}}}" for number in range(1_000)))


def words(rng: random.Random) -> str:
    """Tokens in any order."""
    some = ["{", "}", "(", ")", "[", "]", ":", "$", "@", "...", "on", "query", "fragment", "id", "job", "1", '"x"', "!"]
    return filled(rng, (rng.choice(some) for _ in range(100_000)), "%s")


def noise(rng: random.Random) -> str:
    """Comments, commas, long names, long strings, block strings."""
    part = rng.choice(
        ["#\n", ",", "a" * rng.randint(1, BYTES), '"' + "\\u0041" * 1_500 + '"', '"""' + "\n " * 4_000 + '"""']
    )
    return ("{id" + part * (BYTES // len(part)) + "}")[:BYTES]


def mixed(rng: random.Random) -> str:
    """A real operation with something strange in it."""
    text = filled(
        rng, (f"a{n}:jobs(first:$n){{nodes{{id ...on ExpansionJob{{outputs{{status}}}}}}}}" for n in range(20))
    )
    text = f"query($n:Int){text}"
    for _ in range(rng.randint(0, 5)):
        place = rng.randint(0, len(text))
        text = text[:place] + rng.choice(["{", "}", "...F", "@skip(if:true)", "$", "(a:1)", '"']) + text[place:]
    return text[:BYTES]


RECIPES: list[Recipe] = [
    bomb,
    merging,
    fragments_to_merge,
    nested,
    nested_values,
    aliases,
    wide_lists,
    directives,
    variables,
    misspelled,
    unknown_types,
    introspection,
    words,
    noise,
    mixed,
]


@dataclass
class Worst:
    """The document of a recipe that took longest."""

    milliseconds: float = 0.0
    text: str = ""
    outcomes: Counter[str] = field(default_factory=Counter)


def values(rng: random.Random) -> dict[str, Any]:
    """Variables for a document that may have some."""
    some: list[Any] = [1, "x", None, [1] * 200, {"a": {"b": [1]}}, 2**70, 1.5, True, {"payload": {"k": ["v"] * 100}}]
    return {f"v{number}": rng.choice(some) for number in range(rng.randint(0, 50))} | {"n": rng.randint(-5, 500)}


def prepare(documents: Documents, parameters: Parameters) -> str:
    """Everything before execution; answers how it ended."""
    try:
        document = documents.load(parameters.query or "")
        operation = document.select(None)
        documents.cost(document, operation, parameters.variables)
        executor = Executor.build(GRAPH, document.ast, raw_variable_values=parameters.variables)
    except Refused as refused:
        return refused.code
    return "BAD_USER_INPUT" if isinstance(executor, list) else "OK"


def blocked(documents: Documents, parameters: Parameters) -> tuple[float, str]:
    """Milliseconds of processor time, and the outcome."""
    before = time.thread_time()
    outcome = prepare(documents, parameters)
    return (time.thread_time() - before) * 1_000, outcome


def measure(count: int, seed: int) -> dict[str, Worst]:
    """The worst document of each recipe."""
    found = {recipe.__name__: Worst() for recipe in RECIPES}
    documents = Documents(GRAPH, RULES, Limits(), entries=0)
    prepare(documents, Parameters("{ __typename }", None, None, {}, {}))
    for number in range(count):
        rng = random.Random(f"{seed}-{number}")
        recipe = RECIPES[number % len(RECIPES)]
        parameters = Parameters(recipe(rng), None, None, values(rng), {})
        milliseconds, outcome = blocked(documents, parameters)
        for _ in range(2 if milliseconds > LIMIT_MS / 4 else 0):
            milliseconds = min(milliseconds, blocked(documents, parameters)[0])
        worst = found[recipe.__name__]
        worst.outcomes[outcome] += 1
        if milliseconds > worst.milliseconds:
            worst.milliseconds, worst.text = milliseconds, parameters.query or ""
    return found


async def held_by_execution() -> float:
    """
    Milliseconds for which executing the largest document that passes, the whole introspection, holds the loop at most.

    Nothing else asks as much of the loop at once: what reads the database waits for it now and then.
    """
    document = parse(get_introspection_query(input_value_deprecation=True, schema_description=True))
    executor = paced(Executor)
    holds: list[float] = []

    async def others() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            holds.append(now - last)
            last = now

    for _ in range(3):
        holds.clear()  # the first time is for warming up
        waiting = asyncio.create_task(others())
        result = execute(GRAPH, document, executor_class=executor)
        if asyncio.iscoroutine(result):
            await result
        waiting.cancel()
    return max(holds) * 1_000


def main(count: int = 3_000, seed: int = 1) -> None:
    """Print the worst of each kind, and fail when one takes too long."""
    gc.collect()
    gc.freeze()
    found = measure(count, seed)
    for name, worst in sorted(found.items(), key=lambda item: -item[1].milliseconds):
        outcomes = ", ".join(f"{code} {number}" for code, number in worst.outcomes.most_common())
        print(f"{worst.milliseconds:7.1f} ms  {name:20} {len(worst.text):6} bytes  {outcomes}")
    most = max(worst.milliseconds for worst in found.values())
    print(f"max blocked: {most:.1f} ms of {LIMIT_MS:g} ms, {count} documents")
    print(f"max held by executing the introspection: {asyncio.run(held_by_execution()):.1f} ms")
    if most > LIMIT_MS:
        sys.exit(max(found.values(), key=lambda worst: worst.milliseconds).text)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
