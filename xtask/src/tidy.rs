//! Rules about files that no compiler checks.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Outcome, licences, root};

/// Checks every rule and tells all that is wrong.
pub(crate) fn tidy() -> Outcome {
    let files = files()?;
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| has_extension(file, "rs")) {
        opens_with_its_purpose(file, &mut wrong);
        is_part_of_its_crate(file, &mut wrong);
    }
    for file in files.iter().filter(|file| has_extension(file, "md")) {
        names_no_machine(file, &mut wrong);
    }
    let mut tables: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.ends_with("mod.rs")) {
        let listed = lists_its_modules(file, &mut wrong);
        let krate = file.ancestors().find(|above| above.parent() == Some(Path::new("crates")));
        if let Some(krate) = krate.filter(|_| !listed.is_empty()) {
            tables.entry(krate.to_owned()).or_default().extend(listed);
        }
    }
    for (krate, listed) in &tables {
        has_no_cases_but_theirs(krate, listed, &mut wrong);
    }
    the_agent_links_what_is_known(&mut wrong)?;
    licences::check(&mut wrong)?;
    if wrong.is_empty() {
        println!("tidy: {} files", files.len());
        return Ok(());
    }
    wrong.sort();
    Err(format!("tidy:\n  {}", wrong.join("\n  ")))
}

/// What git would commit, as paths from the root.
fn files() -> Result<Vec<PathBuf>, String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("git: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let files = text.lines().map(PathBuf::from).filter(|file| root().join(file).is_file());
    Ok(files.collect())
}

fn has_extension(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|one| one == extension)
}

fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_default()
}

/// Every package that the agent links is in its list, which a review sees change.
fn the_agent_links_what_is_known(wrong: &mut Vec<String>) -> Outcome {
    const LIST: &str = "crates/davit-agent/tree.txt";
    let output = Command::new("cargo")
        .args(["tree", "--locked", "--package", "davit-agent", "--edges", "normal"])
        .args(["--prefix", "none", "--target", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .map_err(|error| format!("cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let names = |text: &str| -> BTreeSet<String> {
        text.lines().filter_map(|it| it.split_whitespace().next()).map(String::from).collect()
    };
    let (linked, listed) = (names(&text), names(&read(Path::new(LIST))));
    wrong.extend(linked.difference(&listed).map(|it| format!("{LIST}: the agent links {it}")));
    wrong.extend(listed.difference(&linked).map(|it| format!("{LIST}: {it} is not linked")));
    Ok(())
}

/// Every source file says first what it is.
fn opens_with_its_purpose(file: &Path, wrong: &mut Vec<String>) {
    if !read(file).starts_with("//!") {
        wrong.push(format!("{}: does not open with `//!`", file.display()));
    }
}

/// Every source file is named by a `mod` of the file above it, so none is forgotten.
fn is_part_of_its_crate(file: &Path, wrong: &mut Vec<String>) {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.parent().unwrap_or(Path::new(""));
    let roots = ["main", "lib", "runner", "build"];
    let in_code =
        file.components().any(|part| matches!(part.as_os_str().to_str(), Some("src" | "tests")));
    if !in_code || roots.contains(&stem.as_str()) || folder.ends_with("src/bin") {
        return;
    }
    if folder.ends_with("tests") && stands_alone(file, folder) {
        return;
    }
    let (name, above) = if stem == "mod" {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        (name, folder.parent().unwrap_or(folder))
    } else {
        (stem, folder)
    };
    let beside = above.with_extension("rs");
    let parents = ["mod.rs", "lib.rs", "main.rs", "runner.rs"].map(|parent| above.join(parent));
    let named = format!("mod {name}");
    let found = parents.iter().chain([&beside]).any(|parent| {
        read(parent).lines().any(|line| line.trim_end_matches([';', '{', ' ']).ends_with(&named))
    });
    if !found {
        wrong.push(format!("{}: no `{named};` anywhere", file.display()));
    }
}

/// Whether a file in `tests` is a test program of its own.
fn stands_alone(file: &Path, folder: &Path) -> bool {
    let manifest = read(&folder.with_file_name("Cargo.toml"));
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    !manifest.contains("autotests = false") || manifest.contains(&format!("tests/{name}"))
}

/// A document that the project ships names no path of the machine it was written on.
fn names_no_machine(file: &Path, wrong: &mut Vec<String>) {
    for (number, line) in read(file).lines().enumerate() {
        if ["/work/", "/root/", "/tmp/"].iter().any(|path| line.contains(path)) {
            wrong.push(format!("{}:{}: a path of one machine", file.display(), number + 1));
        }
    }
}

/// A table of modules lists every file beside it, in order; the names that it lists.
fn lists_its_modules(file: &Path, wrong: &mut Vec<String>) -> Vec<String> {
    let text = read(file);
    let Some((_, table)) = text.split_once("MODULES: &[Entry] = &[") else { return Vec::new() };
    let table = table.split("];").next().unwrap_or_default();
    let listed: Vec<&str> =
        table.split("::<").skip(1).filter_map(|entry| entry.split("::").next()).collect();
    if !listed.is_sorted() {
        wrong.push(format!("{}: the table is not sorted", file.display()));
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    for entry in fs::read_dir(root().join(folder)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(stem) = name.strip_suffix(".rs").filter(|stem| *stem != "mod") else { continue };
        let is_module = read(&folder.join(&name)).contains("impl Module for");
        if is_module && !listed.contains(&stem) {
            wrong.push(format!("{}: {name} is not in the table", file.display()));
        }
    }
    listed.into_iter().map(String::from).collect()
}

/// The cases of a crate are those of modules that one of its tables lists.
fn has_no_cases_but_theirs(krate: &Path, listed: &[String], wrong: &mut Vec<String>) {
    let cases = krate.join("tests/cases");
    for entry in fs::read_dir(root().join(&cases)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !listed.contains(&name) {
            wrong.push(format!("{}: cases for {name}, which no table lists", cases.display()));
        }
    }
}
