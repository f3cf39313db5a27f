//! `davit man`: manual pages of the command line.

use std::path::PathBuf;

use crate::report::{Report, exit, print};

/// Write the manual pages of davit and its commands.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit man | man -l -                  read the first page
  davit man --folder ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write a page for each command into this folder; without it the first page is printed.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Writes them.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    let definition = crate::cli::definition();
    match &args.folder {
        Some(folder) => {
            let wrong = |error: std::io::Error| {
                Report::new(format!("cannot write to {}: {error}", folder.display()))
            };
            std::fs::create_dir_all(folder).map_err(wrong)?;
            clap_mangen::generate_to(definition, folder).map_err(wrong)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(definition)
                .render(&mut page)
                .map_err(|error| Report::new(format!("cannot make the page: {error}")))?;
            print(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(exit::OK)
}
