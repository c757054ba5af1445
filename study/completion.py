"""The `completion` command: a script that lets a shell complete commands, options, sweeps and folders of results.

It holds the words that the parser knows, so that a key press starts no Python; sweeps and results of the folder one is in are
looked up by the shell.
"""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from study.parser import Parser

SWEEPS, FOLDERS = (
    ("SWEEP", "SWEEP.yaml", "DIR|SWEEP.yaml"),
    ("DIR", "DIR|SWEEP.yaml", "FOLDER"),
)  # by what the help calls an argument
DESCRIPTION = """\
Print a script for completion by the tab key. To have it in every new shell:
  bash   echo 'eval "$(study completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(study completion zsh)"' >> ~/.zshrc     (after compinit)
  fish   study completion fish > ~/.config/fish/completions/study.fish"""


@dataclass(frozen=True)
class Words:
    """What may stand at a place: some words, a sweep, a folder of results."""

    words: tuple[str, ...] = ()
    sweeps: bool = False
    folders: bool = False


@dataclass(frozen=True)
class Completed:
    """What may follow a command: its options, the values of those that take one, and what may stand without an option."""

    help: str
    options: tuple[str, ...]
    values: tuple[tuple[str, Words], ...]
    plain: Words


def add_command(commands: Any) -> None:
    """Add `completion` to the command line."""
    parser = commands.add_parser(
        "completion", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="a script that completes commands, options, sweeps and folders by the tab key", description=DESCRIPTION,
    )  # fmt: skip
    parser.add_argument("shell", choices=SHELLS)


def command(options: argparse.Namespace, console: Console) -> int:
    """Run `completion`."""
    from study.__main__ import make_parser
    from study.sweep_file import sweep_files

    parser = make_parser()
    own = [name for name in parser._option_string_actions if name.startswith("--")]
    known = {name: completed(inner, parser.help_of(name)) for name, inner in parser.commands().items()}
    plain = [
        name for name, path in sweep_files().items() if path.is_absolute() and name.replace("_", "").replace("-", "").isalnum()
    ]
    print(SHELLS[options.shell](own, known, plain))  # not through the console, which would make it fit a terminal
    return 0


def completed(parser: Parser, said: str) -> Completed:
    """What a command's parser knows."""
    options, values, plain = list[str](), list[tuple[str, Words]](), Words()
    for action in parser._actions:
        called = str(action.metavar)
        choices = tuple(map(str, action.choices)) if action.choices is not None else ()
        here = Words(choices, called in SWEEPS, called in FOLDERS)
        long = [name for name in action.option_strings if name.startswith("--")]
        options += long
        if action.option_strings and action.nargs != 0:
            values += [(name, here) for name in long]
        elif not action.option_strings:
            plain = Words(plain.words + here.words, plain.sweeps or here.sweeps, plain.folders or here.folders)
    return Completed(said, tuple(options), tuple(values), plain)


def _lines(known: dict[str, Completed], own: list[str], sweeps: list[str], listed: str) -> dict[str, str]:
    """The parts of a script for bash or zsh; `listed` is how a list of words is assigned."""

    def setting(here: Words) -> str:
        words = listed.replace("@", " ".join(here.words))
        return f"words{words}; sweeps={'yes' * here.sweeps}; folders={'yes' * here.folders}"

    cases = [f"    {name}) options{listed.replace('@', ' '.join(one.options))}; {setting(one.plain)} ;;"
             for name, one in known.items()]  # fmt: skip
    values = [f'    "{name} {option}") {setting(here)} ;;' for name, one in known.items() for option, here in one.values]
    return {
        "COMMANDS": " ".join(known), "OWN": " ".join(own), "CASES": "\n".join(cases), "VALUES": "\n".join(values),
        "SWEEPS": " ".join(sweeps),
    }  # fmt: skip


BASH = """\
_study() {
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" chosen="" at
  local words="" options="" sweeps="" folders="" file name
  for ((at = 1; at < COMP_CWORD; at++)); do
    case "${COMP_WORDS[at]}" in -*) ;; *) chosen="${COMP_WORDS[at]}"; break ;; esac
  done
  case "$chosen" in
    "") words="@COMMANDS@"; options="@OWN@" ;;
@CASES@
  esac
  case "$chosen $before" in
@VALUES@
  esac
  if [[ -n "$sweeps" ]]; then
    words="$words @SWEEPS@"
    for file in sweeps/*.yaml; do
      name="${file##*/}"
      name="${name%.yaml}"  # of plain letters alone, since compgen -W expands what it is given
      if [[ -f "$file" && "$name" != *[!A-Za-z0-9_.-]* ]]; then words="$words $name"; fi
    done
  fi
  if [[ "$word" == -* ]]; then words="$options" sweeps="" folders=""; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  local IFS=$'\\n'
  if [[ -n "$sweeps" ]]; then
    COMPREPLY+=($(compgen -f -X '!*.yaml' -- "$word"))
    if [[ "$word" == */* ]]; then folders=yes; fi
  fi
  if [[ -n "$folders" ]]; then
    compopt -o filenames 2>/dev/null
    if [[ results/ == "$word"* && -d results ]]; then word=results/; fi
    COMPREPLY+=($(compgen -d -- "$word"))
  fi
}
complete -F _study study"""


def bash(own: list[str], known: dict[str, Completed], sweeps: list[str]) -> str:
    """The script for bash."""
    return _filled(BASH, _lines(known, own, sweeps, '="@"'))


ZSH = """\
#compdef study
_study() {
  local chosen="" sweeps="" folders="" at
  local -a words_ options results
  for ((at = 2; at < CURRENT; at++)); do
    case "${words[at]}" in -*) ;; *) chosen="${words[at]}"; break ;; esac
  done
  case "$chosen" in
    "") words_=(@COMMANDS@); options=(@OWN@) ;;
@CASES@
  esac
  case "$chosen ${words[CURRENT-1]}" in
@VALUES@
  esac
  if [[ "$PREFIX" == -* ]]; then compadd -a options; return; fi
  [[ -n "$sweeps" ]] && words_+=(@SWEEPS@ sweeps/*.yaml(N:t:r))
  compadd -a words_
  if [[ -n "$sweeps" ]]; then _files -g '*.yaml'; fi
  if [[ -n "$folders" ]]; then
    results=(results/*(N/))
    compadd -a results
    _files -/
  fi
}
compdef _study study"""


def zsh(own: list[str], known: dict[str, Completed], sweeps: list[str]) -> str:
    """The script for zsh, where `words` is the line that is typed."""
    parts = _lines(known, own, sweeps, "=(@)")
    return _filled(
        ZSH, {name: text.replace("; words=", "; words_=").replace(") words=", ") words_=") for name, text in parts.items()}
    )


def fish(own: list[str], known: dict[str, Completed], sweeps: list[str]) -> str:
    """The script for fish."""
    local = "(for file in sweeps/*.yaml; basename $file .yaml; end)"
    results = "(__fish_complete_directories; for folder in results/*/; echo $folder; end)"

    def all_of(here: Words) -> str:
        parts = [*here.words, *[*sweeps, local, "(__fish_complete_suffix .yaml)"] * here.sweeps, *[results] * here.folders]
        return f" -a '{' '.join(parts)}'" if parts else ""

    lines = ["complete -c study -f", f"set -g __study_commands {' '.join(known)}"]
    none = "not __fish_seen_subcommand_from $__study_commands"
    lines += [f"complete -c study -n '{none}' -l {name[2:]}" for name in own]
    for name, one in known.items():
        lines.append(f"complete -c study -n '{none}' -a {name} -d {shlex.quote(one.help)}")
        here, values = f"complete -c study -n '__fish_seen_subcommand_from {name}'", dict(one.values)
        for option in one.options:
            lines.append(f"{here} -l {option[2:]}" + (f" -x{all_of(values[option])}" if option in values else ""))
        if plain := all_of(one.plain):
            lines.append(here + plain)
    return "\n".join(lines)


def _filled(template: str, parts: dict[str, str]) -> str:
    for name, text in parts.items():
        template = template.replace(f"@{name}@", text)
    return template


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
