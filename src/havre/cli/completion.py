"""``havre completion``: what a shell needs to complete commands, options and the names of local images."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from havre.cli import COMPLETE, remote

app = remote.command()

_BASH = """\
_havre_completion() {
    # Bash breaks words at colons, which names of images are full of.
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} words
    local current=${line##* }
    IFS=' ' read -r -a words <<< "$line"
    [[ $line == *' ' ]] && words+=('')
    COMPREPLY=($(COMP_WORDS="$line" COMP_CWORD=$((${#words[@]} - 1)) VARIABLE=complete_bash "${words[0]}"))
    COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
}
complete -o default -F _havre_completion havre
"""


class Shell(StrEnum):
    """The shells that are known."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print the lines that let a shell complete commands, options and the names of local images.

    For bash put this into ~/.bashrc: eval "$(havre completion bash)". For zsh write it to a file _havre in a folder of
    $fpath, for fish to ~/.config/fish/completions/havre.fish.
    """
    if shell is Shell.BASH:
        print(_BASH.replace("VARIABLE", COMPLETE), end="")
        return
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name="havre", complete_var=COMPLETE, shell=str(shell)))
