"""What a document is refused for before anything of it runs: selected fields of another role, size, depth, odd texts.

One walk over the expanded selection, remembered by the text of the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    Visitor,
    get_named_type,
    is_union_type,
    visit,
)

from resolvers.access import EVERYBODY, TABLE
from resolvers.principal import Role

MOST_TOKENS = 1_000
MOST_FIELDS = 1_000
DEEPEST = 12
MOST_MUTATIONS = 1
MOST_REMEMBERED = 500


def over(rule: str, limit: int) -> dict[str, object]:
    """The facts of a limit that was passed."""
    return {"code": "LIMIT_EXCEEDED", "rule": rule, "limit": limit}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a document selects that not everybody may, and how large it is; counting stops where a limit is passed."""

    guarded: tuple[tuple[str, frozenset[Role]], ...]
    operations: int
    mutations: int
    fields: int
    depth: int
    is_text: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What comes with a document."""

    name: str | None
    variables: object


class Checks:
    """Checks documents against one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: dict[str, Measured] = {}

    def refusal(self, text: str, document: DocumentNode, role: Role, asked: Asked) -> GraphQLError | None:
        """Why this caller's document may not run, None if it may."""
        measured = self._measured(text, document)
        if measured.operations > 1 and asked.name is None:
            return GraphQLError("Name the operation to run.", extensions={"code": "BAD_REQUEST"})
        for rule, limit, found in (
            ("fields", MOST_FIELDS, measured.fields),
            ("depth", DEEPEST, measured.depth),
            ("mutations", MOST_MUTATIONS, measured.mutations),
        ):
            if found > limit:
                return GraphQLError(
                    f"The document has too many {rule}; {limit} are allowed.", extensions=over(rule, limit)
                )
        if not (measured.is_text and _is_text(asked.variables)):
            return GraphQLError("A text has no NUL in it.", extensions={"code": "BAD_USER_INPUT"})
        forbidden = [coordinate for coordinate, roles in measured.guarded if role not in roles]
        if not forbidden:
            return None
        code = "UNAUTHENTICATED" if role is Role.GUEST else "FORBIDDEN"
        words = "Sign in to select this." if role is Role.GUEST else "Your role may not select this."
        return GraphQLError(words, extensions={"code": code, "coordinates": forbidden[:5]})

    def _measured(self, text: str, document: DocumentNode) -> Measured:
        known = self._known.get(text)
        if known is None:
            walk = _Walk(self._schema, document)
            texts = _Texts()
            visit(document, texts)
            known = self._known[text] = Measured(
                tuple(walk.guarded.items()), walk.operations, walk.mutations, walk.fields, walk.depth, texts.are_text
            )
            if len(self._known) > MOST_REMEMBERED:
                del self._known[next(iter(self._known))]
        return known


class _Walk:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.guarded: dict[str, frozenset[Role]] = {}
        self.operations = 0
        self.mutations = 0
        self._changed = 0
        self.fields = 0
        self.depth = 0
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                self.operations += 1
                root = schema.get_root_type(node.operation)
                if root is not None:
                    before = self._changed
                    self._select(node.selection_set, root, 1)
                    self.mutations = max(self.mutations, self._changed - before)

    def _select(self, selections: SelectionSetNode, parent: GraphQLNamedType, depth: int) -> None:
        self.depth = max(self.depth, depth)
        for node in selections.selections:
            if self.fields > MOST_FIELDS or depth > DEEPEST:
                return
            if isinstance(node, FieldNode):
                self._field(node, parent, depth)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                narrowed = parent if condition is None else self._schema.get_type(condition.name.value)
                self._enter(node.selection_set, narrowed, depth)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                self._enter(fragment.selection_set, self._schema.get_type(fragment.type_condition.name.value), depth)

    def _enter(self, selections: SelectionSetNode, narrowed: GraphQLNamedType | None, depth: int) -> None:
        if narrowed is not None:
            self._guard(narrowed.name)
            self._select(selections, narrowed, depth)

    def _field(self, node: FieldNode, parent: GraphQLNamedType, depth: int) -> None:
        self.fields += 1
        name = node.name.value
        if name.startswith("__"):
            return
        self._guard(f"{parent.name}.{name}")
        self._changed += parent is self._schema.mutation_type
        definition = getattr(parent, "fields", {}).get(name)
        if definition is None:
            return
        returned = get_named_type(definition.type)
        if not is_union_type(returned):
            self._guard(returned.name)
        if node.selection_set is not None:
            self._select(node.selection_set, returned, depth + 1)

    def _guard(self, coordinate: str) -> None:
        roles = TABLE.get(coordinate, EVERYBODY)
        if roles != EVERYBODY:
            self.guarded[coordinate] = roles


class _Texts(Visitor):
    """Whether every text in a document can be stored: databases take no NUL."""

    are_text = True

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        self.are_text = self.are_text and "\0" not in node.value


def _is_text(value: object) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, dict):
        return all(_is_text(key) and _is_text(inner) for key, inner in value.items())
    return not isinstance(value, list) or all(map(_is_text, value))
