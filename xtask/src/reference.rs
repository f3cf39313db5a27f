//! The generated reference: what the program knows of itself, as documents to read.
//!
//! It knows nothing of modules and options: the program is asked for all of them.

use std::{fs, path::PathBuf, process::Command};

use crate::{Outcome, process, root, target};

/// Writes the documents below `docs/reference`.
pub(crate) fn write() -> Outcome {
    process::cargo(&["build", "--package", "davit", "--locked"])?;
    for (path, text) in documents()? {
        let folder = path.parent().unwrap_or(&path);
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Whether the documents say what the program says, which has to be built.
pub(crate) fn check() -> Outcome {
    for (path, text) in documents()? {
        if fs::read_to_string(&path).unwrap_or_default() != text {
            return Err(format!("{} is out of date: cargo xtask gen", path.display()));
        }
    }
    Ok(())
}

fn documents() -> Result<[(PathBuf, String); 2], String> {
    let folder = root().join("docs/reference");
    let mut commands =
        "# Commands\n\nMade by `cargo xtask gen` from what the program knows of itself.\n"
            .to_owned();
    describe(&mut commands, &[])?;
    Ok([
        (folder.join("modules.md"), ask(&["doc", "--reference"])?),
        (folder.join("commands.md"), commands),
    ])
}

/// The help of a command, and of those below it.
fn describe(out: &mut String, command: &[&str]) -> Outcome {
    let help = ask(&[command, &["--help"]].concat())?;
    let title = [&["davit"], command].concat().join(" ");
    out.push_str(&format!("\n## {title}\n\n```text\n{}\n```\n", help.trim_end()));
    let Some((_, below)) = help.split_once("\nCommands:\n") else { return Ok(()) };
    for line in below.lines().take_while(|line| !line.is_empty()) {
        // What stands deeper is the rest of a description.
        let name = line.strip_prefix("  ").filter(|it| !it.starts_with(' '));
        let Some(name) = name.and_then(|it| it.split_whitespace().next()) else { continue };
        if name != "help" {
            describe(out, &[command, &[name]].concat())?;
        }
    }
    Ok(())
}

fn ask(args: &[&str]) -> Result<String, String> {
    let program = target().join("debug/davit");
    let output = Command::new(&program)
        .args(args)
        .env_remove("COLUMNS")
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("davit {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr)))
}
