//! `davit completions`: what a shell needs to complete davit's command line. Words behind `davit aws` are asked of davit
//! itself, which knows the services' models.

use clap_complete::Shell;

use crate::report::{Report, exit, print};

/// Print what a shell needs to complete davit's command line.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit completions bash > ~/.local/share/bash-completion/completions/davit
  davit completions zsh > ~/.zfunc/_davit
  davit completions fish > ~/.config/fish/completions/davit.fish")]
pub(crate) struct Args {
    /// Which shell.
    shell: Shell,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::definition(), "davit", &mut text);
    print(&with_aws(args.shell, &String::from_utf8_lossy(&text)))?;
    Ok(exit::OK)
}

/// The script, with what asks davit for words behind `davit aws`.
fn with_aws(shell: Shell, script: &str) -> String {
    match shell {
        Shell::Bash => format!("{script}{BASH}"),
        // The script ends by saying who completes: that is now what looks for `aws` first.
        Shell::Zsh => match script.rfind("if [ \"$funcstack[1]\" = \"_davit\" ]") {
            Some(at) => format!("{}{ZSH}", &script[..at]),
            None => script.to_owned(),
        },
        Shell::Fish => format!("{script}{FISH}"),
        _ => script.to_owned(),
    }
}

/// Words are those of the line as it was typed: bash itself also parts them at `=` and `:`.
const BASH: &str = r#"
_davit_with_aws() {
    if [[ "${COMP_WORDS[1]}" != aws || "${COMP_CWORD}" -lt 2 ]]; then
        _davit "$@"
        return
    fi
    local line="${COMP_LINE:0:COMP_POINT}" current="${COMP_WORDS[COMP_CWORD]}" whole found
    local -a words
    read -ra words <<< "$line"
    [[ "$line" == *[[:space:]] ]] && words+=("")
    whole="${words[${#words[@]}-1]}"
    [[ "$current" == [=:] ]] && current=""
    local ahead="${whole%"$current"}"
    COMPREPLY=()
    while IFS= read -r found; do
        found="${found%%$'\t'*}"
        COMPREPLY+=("${found#"$ahead"}")
    done < <("${words[0]}" aws --complete-words -- "${words[@]:2}" 2>/dev/null)
    if [[ "${#COMPREPLY[@]}" -eq 1 && "${COMPREPLY[0]}" == *[=,] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -F _davit_with_aws -o bashdefault -o default davit
"#;

/// `_describe` parts words from what they are at the first colon. The file itself is `_davit` only until it has run once:
/// from then on that name is of what it defines.
const ZSH: &str = r#"_davit_with_aws() {
    if [[ "${words[2]}" != aws ]] || (( CURRENT < 3 )); then
        _davit "$@"
        return
    fi
    local -a asked found begun
    local text about
    asked=("${(@)words[3,CURRENT]}")
    while IFS=$'\t' read -r text about; do
        text="${text//:/\\:}"
        if [[ "$text" == *[=,] ]]; then
            begun+=("${text}${about:+:$about}")
        else
            found+=("${text}${about:+:$about}")
        fi
    done < <("${words[1]}" aws --complete-words -- "${asked[@]}" 2>/dev/null)
    if (( ${#found} + ${#begun} )); then
        _describe 'davit aws' found -- begun -S ''
    else
        _files
    fi
}

compdef _davit_with_aws davit
if [ "$funcstack[1]" = "_davit" ]; then
    _davit_with_aws "$@"
fi
"#;

const FISH: &str = r#"
function __davit_aws
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] aws --complete-words -- $words[3..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end

function __davit_is_aws
    set -l words (commandline -opc)
    test (count $words) -ge 2; and test $words[2] = aws
end

complete -c davit -n __davit_is_aws -f -a '(__davit_aws)'
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_ask_for_words_behind_aws() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut crate::cli::definition(), "davit", &mut text);
            let script = with_aws(shell, &String::from_utf8_lossy(&text));
            assert!(script.contains("aws --complete-words --"), "{shell}");
        }
    }
}
