"""YAML as sweep files have it: plain data, and nothing that one version of YAML reads differently from the other.

PyYAML follows YAML 1.1, where 010 is 8, 1:30 is 90, 1_000 is 1000 and `no` is false; people, editors and other programs
follow YAML 1.2, where they are 10 or text. Such a spelling is refused unless it is in quotes, or is one of the words for
true and false as the value of a field that is a switch.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from study.sweep import SweepError, plain_line

MOST_DIGITS = 30
SWITCHES = frozenset({"log", "pruning", "per_seed"})  # fields that are true or false
TWO_READINGS, BOOLEAN = "!two_readings", "tag:yaml.org,2002:bool"
# Words for true and false; integers with leading zeros, in base 2, 8, 16 (with a sign) or 60, or with underscores; floats
# with these; dates; merges.
DIFFERENT = re.compile(
    r"""(?=.{1,60}\Z)(?:
    [yYnN] | yes | Yes | YES | no | No | NO | on | On | ON | off | Off | OFF | <<
    | [-+]?0[0-9_]+ | [-+]?0[bo][0-9_]+ | [-+]0x[0-9a-fA-F_]+ | 0x[0-9a-fA-F]*_[0-9a-fA-F_]*
    | [-+]?[0-9][0-9_]*(?: :[0-5]?[0-9] )+(?: \.[0-9_]* )?
    | [-+]?(?=[0-9.]+_)[0-9_]*(?: \.[0-9_]*(?: [eE][-+][0-9]+ )? )?
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?: (?: [Tt]|[ \t]+ )[0-9].* )?
    )\Z""",
    re.VERBOSE,
)


class _Loader(yaml.SafeLoader):
    """Safe YAML (plain data, no object tags) that refuses what a sweep never needs and a careless or hostile file has.

    A key given twice would silently drop a cell; aliases can make a small file enormous.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise SweepError(f"alias *{event.anchor} in line {event.start_mark.line + 1}: aliases are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise SweepError(f"line {line}: a key must be text or a number")
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                read = f"the name {_shown(key_node.value)} is read as {_named(key)}, and names are text"
                raise SweepError(f'line {line}: {read}: put it in quotes ("{_shown(key_node.value)}")')
            if key in seen:
                raise SweepError(f"{key}: given twice in line {node.start_mark.line + 1} and below")
            seen.add(key)
            if key in SWITCHES:
                _as_switch(value_node)
            if value_node.tag == TWO_READINGS:
                self.refuse(value_node, f"{plain_line(key, 60)}: ")
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MOST_DIGITS:
            raise SweepError(f"line {node.start_mark.line + 1}: a number of {len(node.value)} digits")
        self._check(node)
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        self._check(node)
        return super().construct_yaml_float(node)

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        self.refuse(node)

    def _check(self, node: yaml.ScalarNode) -> None:
        """Of a tag that the file gives, such as !!int 010."""
        if DIFFERENT.match(node.value):
            self.refuse(node)

    def refuse(self, node: yaml.ScalarNode, field: str = "") -> Any:
        """Raises SweepError: what the two versions of YAML make of a spelling."""
        (old, new), text = _readings(node.value), _shown(node.value)
        raise SweepError(
            f"line {node.start_mark.line + 1}: {field}{text} is read as {old} by YAML 1.1 and as {new} by YAML 1.2; "
            f'put it in quotes ("{text}") where text is meant, and write numbers as 10 or 0.5, switches as true or false'
        )


def _readings(text: str) -> tuple[str, str]:
    """What YAML 1.1 and YAML 1.2 read where they differ."""
    if text == "<<":
        return "a merge of mappings", "text"
    if text.lower() in ("y", "n"):  # PyYAML leaves these out
        return _named(text.lower() == "y"), "text"
    try:
        old = _named(yaml.safe_load(text))
    except (ValueError, yaml.YAMLError):  # such as the date 2020-13-40
        old = "a date that does not exist (not valid YAML)"
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return (old if old == "text" else f"{old} (in base 8)"), _named(int(text, 10))
    return old, _named(int(text[2:], 8) if re.fullmatch(r"0o[0-7]+", text) else text)


def _named(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"the number {_shown(str(value))}" if isinstance(value, int | float) else f"the date {value}"


def _shown(text: str) -> str:
    return plain_line(text, 40)


def _as_switch(node: yaml.Node | None) -> None:
    """Let the words for true and false be a switch's value."""
    if isinstance(node, yaml.ScalarNode) and node.tag == TWO_READINGS and re.fullmatch(r"(?i:yes|no|on|off)", node.value):
        node.tag = BOOLEAN


def _resolvers() -> dict[Any, list[Any]]:
    """PyYAML's, each list headed by what has two readings, so that quotes and tags of the file go before."""
    known = yaml.SafeLoader.yaml_implicit_resolvers
    return {first: [(TWO_READINGS, DIFFERENT), *known.get(first, [])] for first in {*known, *"yYnNoO<0123456789+-._"}}


_Loader.yaml_implicit_resolvers = _resolvers()


for _tag, _constructor in {
    TWO_READINGS: _Loader.refuse,
    "tag:yaml.org,2002:int": _Loader.construct_yaml_int,
    "tag:yaml.org,2002:float": _Loader.construct_yaml_float,
    "tag:yaml.org,2002:value": _Loader.construct_yaml_str,  # a lone equals sign
    "tag:yaml.org,2002:timestamp": _Loader.construct_yaml_timestamp,
}.items():
    _Loader.add_constructor(_tag, _constructor)


def read_yaml(text: str, source: str, field: str = "") -> Any:
    """The plain data that a text says.

    Args:
        source: what the text is, for messages.
        field: that the whole text is the value of; a switch takes more words.

    Raises:
        SweepError: in one line.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if field in SWITCHES:
            _as_switch(node)
        return None if node is None else loader.construct_document(node)
    except SweepError as error:
        raise SweepError(f"{source}: {error}") from None
    except yaml.YAMLError as error:
        raise SweepError(f"{source}: not valid YAML: {error}") from None
    except RecursionError:
        raise SweepError(f"{source}: not valid YAML: nested too deeply") from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # such as a tag on the wrong kind
        raise SweepError(f"{source}: not valid YAML: {error}") from None
