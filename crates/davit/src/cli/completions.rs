//! `davit completions`: what a shell needs to complete davit's command line.

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
    shell: clap_complete::Shell,
}

/// Prints it.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut crate::cli::definition(), "davit", &mut text);
    print(&String::from_utf8_lossy(&text))?;
    Ok(exit::OK)
}
