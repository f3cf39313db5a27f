//! The main job: davit alone runs `examples/quickstart` on this machine.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::{Outcome, process, root, target};

/// Builds davit and runs the example: in check mode, for real, and again without a change.
///
/// It works in a home of its own below the target folder, so that running it twice tells the
/// same and nobody's files are touched.
pub(crate) fn quickstart() -> Outcome {
    process::cargo(&["build", "--package", "davit", "--locked"])?;
    let home = target().join("quickstart");
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    println!("\n--- what would change\n");
    process::run(davit(&home).args(["--check", "--diff"]))?;
    println!("\n--- for real\n");
    process::run(&mut davit(&home))?;
    println!("\n--- again: nothing changes\n");
    process::run(&mut davit(&home))?;
    unchanged(&home)?;
    println!("\nquickstart: done, and nothing changed when it was run again");
    Ok(())
}

fn davit(home: &Path) -> Command {
    let mut command = Command::new(target().join("debug/davit"));
    command.args(["run", "site.yml"]).current_dir(root().join("examples/quickstart"));
    // No Python and no original in sight: davit has to do it by itself.
    command
        .env("HOME", home)
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for name in env::vars_os().map(|(name, _)| name) {
        if name.to_string_lossy().starts_with("ANSIBLE_") {
            command.env_remove(name);
        }
    }
    command
}

/// One more run, read as events: its last one counts the changes.
fn unchanged(home: &Path) -> Outcome {
    let output = davit(home)
        .args(["--output", "events"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rfind(|line| line.contains("run_finished")).unwrap_or_default();
    let counts: Vec<&str> = last.split("\"changed\":").skip(1).collect();
    let changed = counts.iter().any(|count| !count.starts_with("0,") && !count.starts_with("0}"));
    if !output.status.success() || counts.is_empty() || changed {
        return Err(format!("the second run changed something, or did not end: {last}"));
    }
    Ok(())
}
