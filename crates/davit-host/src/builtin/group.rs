//! `ansible.builtin.group`: makes, changes and removes groups.
//!
//! Source: <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/group_module.html>

use std::path::Path;

use davit_module::{
    Content, Host, Module, ModuleError, Outcome, Program, Ran, Requirement, Rules, WriteOptions,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sys::program;

/// The file of the groups that the host itself knows.
const FILE: &str = "/etc/group";

/// Makes, changes and removes groups, with the host's own programs: `groupadd` and its kin, or
/// `addgroup` of BusyBox where those are missing.
///
/// ```yaml
/// - ansible.builtin.group:
///     name: docker
///     gid: 1750
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The group.
    name: String,
    /// Whether it is to be there.
    #[serde(default)]
    state: State,
    /// Its number. Without it, one that is free.
    #[serde(default)]
    gid: Option<i64>,
    /// A new group gets a number from those for services of the system.
    #[serde(default)]
    system: bool,
    /// Use the programs that know only the host's own files (`lgroupadd` ...), where groups come from
    /// elsewhere too.
    #[serde(default)]
    local: bool,
    /// The number may be another group's as well. Not with BusyBox.
    #[serde(default)]
    non_unique: bool,
    /// Remove the group even where it is some user's first one.
    #[serde(default)]
    force: bool,
    /// The lowest number for a new group. Not with `local`.
    #[serde(default)]
    gid_min: Option<i64>,
    /// The highest number for a new group. Not with `local`.
    #[serde(default)]
    gid_max: Option<i64>,
}

/// Whether a group is to be there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It is not.
    Absent,
    /// It is.
    #[default]
    Present,
}

/// `ansible.builtin.group`.
pub(crate) struct Group;

impl Module for Group {
    const NAME: &'static str = "ansible.builtin.group";
    type Args = Args;
    const RULES: Rules = Rules {
        required_if: &[Requirement {
            key: "non_unique",
            value: "true",
            needs: &["gid"],
            any: false,
        }],
        ..Rules::NONE
    };

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        for (name, given) in [("gid_min", args.gid_min), ("gid_max", args.gid_max)] {
            if args.local && given.is_some() {
                let why = format!("'{name}' can not be used with 'local'");
                return Err(ModuleError::failed(why));
            }
        }
        let there = look(host, &args)?;
        let ran = match (args.state, there) {
            (State::Absent, None) => None,
            (State::Absent, Some(_)) if host.is_check() => return Ok(predicted(host)),
            (State::Absent, Some(_)) => Some(remove(host, &args)?),
            (State::Present, None) if host.is_check() => return Ok(predicted(host)),
            (State::Present, None) => Some(add(host, &args)?),
            (State::Present, Some(gid)) => match args.gid {
                Some(wanted) if wanted != i64::from(gid) => change(host, &args, wanted)?,
                _ => None,
            },
        };
        let mut outcome = Outcome::new().with("name", &args.name).with("state", args.state);
        if let Some(ran) = ran {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if ran.rc != 0 {
                let said = text(&ran.stderr);
                return Err(ModuleError::failed(said).with("name", &args.name));
            }
            for (key, bytes) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
                if !bytes.is_empty() {
                    outcome.set(key, text(bytes));
                }
            }
        }
        if args.state == State::Present {
            outcome.set("system", args.system);
            if let Some(gid) = look(host, &args)? {
                outcome.set("gid", gid);
            }
        }
        Ok(outcome)
    }
}

fn predicted(host: &mut Host<'_>) -> Outcome {
    host.mark_changed();
    Outcome::new().changed(true)
}

/// The number of the group; `None` = it is not there.
fn look(host: &Host<'_>, args: &Args) -> Result<Option<u32>, ModuleError> {
    let asked = if args.local { None } else { program::find(host, "getent") };
    let Some(getent) = asked else {
        let lines = read(host)?;
        let found = lines.iter().map(|it| fields(it)).find(|it| it.0 == args.name);
        return Ok(found.and_then(|it| it.1));
    };
    // Groups may come from services that only a program can ask that is not linked statically.
    let ran = host.query(&Program::new(&getent).arg("group"))?;
    let all = String::from_utf8_lossy(&ran.stdout);
    let listed = all.lines().map(fields).find(|it| it.0 == args.name).and_then(|it| it.1);
    if listed.is_some() || args.name.is_empty() || args.name.starts_with('-') {
        return Ok(listed);
    }
    // Not each service lists its groups. A name that is a number would be taken for one.
    let ran = host.query(&Program::new(&getent).arg("group").arg(&args.name))?;
    let said = String::from_utf8_lossy(&ran.stdout);
    Ok(said.lines().map(fields).find(|it| it.0 == args.name).and_then(|it| it.1))
}

/// The lines of the host's own file.
fn read(host: &Host<'_>) -> Result<Vec<String>, ModuleError> {
    let bytes = host.read(Path::new(FILE))?;
    Ok(String::from_utf8_lossy(&bytes).split_inclusive('\n').map(str::to_owned).collect())
}

/// The name and the number in a line.
fn fields(line: &str) -> (&str, Option<u32>) {
    let mut fields = line.trim_end().split(':');
    (fields.next().unwrap_or_default(), fields.nth(1).and_then(|it| it.parse().ok()))
}

/// A program's name, as it is for the host's own files or for all.
fn tool(args: &Args, name: &str) -> String {
    if args.local { format!("l{name}") } else { name.to_owned() }
}

/// Whether the programs are those of BusyBox.
fn is_busybox(host: &Host<'_>, args: &Args) -> bool {
    !args.local
        && program::find(host, "groupadd").is_none()
        && program::find(host, "addgroup").is_some()
}

/// Runs a program that changes groups.
fn run(host: &mut Host<'_>, program: &Program) -> Result<Ran, ModuleError> {
    Ok(host.command(program)?.unwrap_or_default())
}

/// Refuses a number that another group has, where the programs would not.
fn check_unique(host: &Host<'_>, args: &Args, gid: i64) -> Result<(), ModuleError> {
    if args.non_unique {
        return Ok(());
    }
    let lines = read(host)?;
    let other = lines
        .iter()
        .map(|it| fields(it))
        .find(|(name, number)| number.map(i64::from) == Some(gid) && *name != args.name);
    match other {
        Some((name, _)) => {
            let why = format!("GID '{gid}' already exists with group '{name}'");
            Err(ModuleError::failed(why).with("name", &args.name))
        }
        None => Ok(()),
    }
}

fn add(host: &mut Host<'_>, args: &Args) -> Result<Ran, ModuleError> {
    let number = |program: Program, option: &str, value: Option<i64>| match value {
        Some(value) => program.arg(option).arg(value.to_string()),
        None => program,
    };
    if is_busybox(host, args) {
        let mut program = Program::new(program::need(host, "addgroup")?);
        program = number(program, "-g", args.gid);
        if args.system {
            program = program.arg("-S");
        }
        return run(host, &program.arg(&args.name));
    }
    let mut program = Program::new(program::need(host, &tool(args, "groupadd"))?);
    program = number(program, "-g", args.gid);
    match (args.gid, args.local) {
        (Some(gid), true) => check_unique(host, args, gid)?,
        (Some(_), false) if args.non_unique => program = program.arg("-o"),
        _ => {}
    }
    if args.system {
        program = program.arg("-r");
    }
    for (key, value) in [("GID_MIN", args.gid_min), ("GID_MAX", args.gid_max)] {
        if let Some(value) = value {
            program = program.arg("-K").arg(format!("{key}={value}"));
        }
    }
    run(host, &program.arg(&args.name))
}

/// Gives the group another number.
fn change(host: &mut Host<'_>, args: &Args, gid: i64) -> Result<Option<Ran>, ModuleError> {
    if host.is_check() {
        host.mark_changed();
        return Ok(None);
    }
    if is_busybox(host, args) {
        check_unique(host, args, gid)?;
        let lines: Vec<String> = read(host)?
            .into_iter()
            .map(|line| if fields(&line).0 == args.name { with_number(&line, gid) } else { line })
            .collect();
        let content = Content::from(lines.concat().into_bytes());
        host.write(Path::new(FILE), content, &WriteOptions::default())?;
        return Ok(None);
    }
    let program = Program::new(program::need(host, &tool(args, "groupmod"))?);
    let mut program = program.arg("-g").arg(gid.to_string());
    if args.local {
        check_unique(host, args, gid)?;
    } else if args.non_unique {
        program = program.arg("-o");
    }
    run(host, &program.arg(&args.name)).map(Some)
}

/// A line with another number.
fn with_number(line: &str, gid: i64) -> String {
    let number = gid.to_string();
    let fields: Vec<&str> = line.split(':').collect();
    let changed = fields.iter().enumerate().map(|(at, it)| if at == 2 { &number } else { *it });
    changed.collect::<Vec<_>>().join(":")
}

fn remove(host: &mut Host<'_>, args: &Args) -> Result<Ran, ModuleError> {
    let mut program = if is_busybox(host, args) {
        Program::new(program::need(host, "delgroup")?)
    } else {
        Program::new(program::need(host, &tool(args, "groupdel"))?)
    };
    if args.force && !args.local && !is_busybox(host, args) {
        program = program.arg("-f");
    }
    run(host, &program.arg(&args.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_file_are_read_and_changed() {
        assert_eq!(fields("docker:x:1750:a,b\n"), ("docker", Some(1750)));
        assert_eq!(fields("odd"), ("odd", None));
        assert_eq!(with_number("docker:x:1750:a,b\n", 5), "docker:x:5:a,b\n");
    }
}
