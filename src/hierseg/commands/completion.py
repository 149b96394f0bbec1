"""`hierseg completion`: what a shell needs to complete commands, flags and names."""

from __future__ import annotations

from typing import Literal

# Each asks `hierseg --complete PLACE WORDS`, which answers a line a word; without an answer the
# shell completes names of files.
SCRIPTS = {
    "bash": """\
_hierseg() {
    local IFS=$'\\n'
    COMPREPLY=($("${COMP_WORDS[0]}" --complete "$COMP_CWORD" "${COMP_WORDS[@]}" 2>/dev/null))
}
complete -o default -F _hierseg hierseg
""",
    "zsh": """\
#compdef hierseg
_hierseg() {
    local -a found
    local -a given=("${(@Q)words[1,CURRENT]}")
    found=("${(@f)$("${given[1]}" --complete $((CURRENT - 1)) "${given[@]}" 2>/dev/null)}")
    if [[ -n "${found[*]}" ]]; then
        compadd -- "${found[@]}"
    else
        _files
    fi
}
if [[ "${funcstack[1]}" == _hierseg ]]; then
    _hierseg
else
    compdef _hierseg hierseg
fi
""",
    "fish": """\
function __hierseg_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] --complete (math (count $words) - 1) $words 2>/dev/null)
    if set -q found[1]
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c hierseg -f -a '(__hierseg_complete)'
""",
}


def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what a shell needs to complete commands, flags, recipes, data sets, networks and
    packaged weights.

    For bash, add to ~/.bashrc: eval "$(hierseg completion bash)"

    For zsh, add to ~/.zshrc, after compinit: eval "$(hierseg completion zsh)"

    For fish: hierseg completion fish > ~/.config/fish/completions/hierseg.fish

    Args:
        shell: The shell.
    """
    print(SCRIPTS[shell], end="")
