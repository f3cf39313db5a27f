//! Runs the commands of each case and compares them with the recordings of ansible-core: see README.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use davit_inventory::{
    Error, Format, GroupNames, HashBehaviour, Inventory, Level, ListOptions, LoadOptions,
    PatternMismatch, Severity, Warning,
};
use davit_value::{Map, Value};

/// Differences that are meant, or that stem from another library: case, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("toml_bad", "the TOML reader words syntax errors in its own way"),
    (
        "yaml_intname",
        "keys 1 and true are equal in Python, whose reader warns; here the place of the second one is known",
    ),
    (
        "constructed_names",
        "there are no collections in Python here whose absence could be reported",
    ),
    (
        "constructed_constant",
        "a template inside a constant of an expression is rendered by the engine of templates",
    ),
    ("yaml_intvar", "the same"),
    ("yaml_dup", "duplicates are reported in the order of the file, not the outer ones first"),
];

struct Case {
    environment: BTreeMap<String, String>,
    files: Vec<(String, u32, String)>,
}

fn parse(text: &str) -> Case {
    let mut case = Case { environment: BTreeMap::new(), files: Vec::new() };
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if let Some(name) = bare.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            let (name, mode) = match name.strip_suffix(" +x") {
                Some(name) => (name, 0o755),
                None => (name, 0o644),
            };
            case.files.push((name.to_owned(), mode, String::new()));
        } else if let Some((_, _, text)) = case.files.last_mut() {
            text.push_str(line);
        } else if let Some((key, value)) =
            bare.strip_prefix("env ").and_then(|rest| rest.split_once('='))
        {
            case.environment.insert(key.to_owned(), value.to_owned());
        }
    }
    case
}

/// Splits a command line as the recorder does.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for char in line.chars() {
        match (quote, char) {
            (Some(open), char) if open == char => quote = None,
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, char) => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}

#[derive(Default)]
struct Args {
    inventories: Vec<String>,
    flags: Vec<String>,
    values: BTreeMap<String, String>,
    extra: Map,
    positional: Vec<String>,
}

fn arguments(words: &[String]) -> Args {
    let mut args = Args::default();
    let mut words = words.iter().cloned();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" => args.inventories.extend(words.next()),
            "-e" => {
                let text = words.next().unwrap();
                if text.starts_with('{') {
                    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
                    args.extra.extend(Value::from_json(&json).as_map().unwrap());
                } else {
                    let (name, value) = text.split_once('=').unwrap();
                    args.extra.insert(name, Value::Str(davit_value::Str::trusted(value, None)));
                }
            }
            "--host" | "--limit" | "--playbook-dir" | "--vault-password-file" => {
                args.values.insert(word, words.next().unwrap());
            }
            flag if flag.starts_with("--") => args.flags.push(word),
            _ => args.positional.push(word),
        }
    }
    args
}

fn options(environment: &BTreeMap<String, String>, args: &Args, folder: &Path) -> LoadOptions {
    let mut options = LoadOptions {
        folder: folder.to_path_buf(),
        extra_vars: Arc::new(args.extra.clone()),
        local_interpreter: Some("PYTHON".into()),
        ..LoadOptions::default()
    };
    let list = |text: &str| text.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>();
    for (key, value) in environment {
        match key.as_str() {
            "ANSIBLE_INVENTORY_ENABLED" => options.enabled = list(value),
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED" => options.any_unparsed_is_failed = true,
            "ANSIBLE_INVENTORY_UNPARSED_FAILED" => options.unparsed_is_failed = true,
            "ANSIBLE_INVENTORY_IGNORE" => options.ignore_extensions = list(value),
            "ANSIBLE_INVENTORY_IGNORE_REGEX" => options.ignore_patterns = list(value),
            "ANSIBLE_HASH_BEHAVIOUR" => options.hash_behaviour = HashBehaviour::Merge,
            "ANSIBLE_PRECEDENCE" => {
                options.precedence =
                    list(value).iter().map(|name| Level::from_name(name).unwrap()).collect();
            }
            "ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS" => options.group_names = GroupNames::Always,
            "ANSIBLE_HOST_PATTERN_MISMATCH" => {
                options.pattern_mismatch =
                    if value == "error" { PatternMismatch::Error } else { PatternMismatch::Ignore };
            }
            other => panic!("what is {other}?"),
        }
    }
    if let Some(file) = args.values.get("--vault-password-file") {
        let secret = fs::read_to_string(folder.join(file)).unwrap();
        let mut secrets = davit_vault::Secrets::default();
        secrets.add("default", davit_vault::Secret::new(secret.trim()));
        options.decrypt = Some(Arc::new(move |text: &str, _: &str| {
            let plain = davit_vault::decrypt(text, &secrets).map_err(|error| error.to_string())?;
            String::from_utf8(plain).map_err(|error| error.to_string())
        }));
    }
    options
}

/// Exit code and standard output.
fn inventory_command(
    args: &Args,
    options: &LoadOptions,
    folder: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<(i32, String), Error> {
    let actions =
        ["--list", "--graph"].iter().filter(|it| args.flags.iter().any(|flag| flag == *it)).count()
            + usize::from(args.values.contains_key("--host"));
    match actions {
        0 => return Err(Error::Usage(
            "No action selected, at least one of --host, --graph or --list needs to be specified."
                .into(),
        )),
        1 => {}
        _ => {
            return Err(Error::Usage(
                "Conflicting options used, only one of --host, --graph or --list can be used at the same time.".into(),
            ));
        }
    }
    let inventory = load(args, options, warnings)?;
    let has = |flag: &str| args.flags.iter().any(|it| it == flag);
    let playbook = args.values.get("--playbook-dir").map(|it| folder.join(it));
    let shown = ListOptions {
        format: if has("--yaml") {
            Format::Yaml
        } else if has("--toml") {
            Format::Toml
        } else {
            Format::Json
        },
        export: has("--export"),
        limit: args.values.get("--limit").cloned(),
        playbook: playbook.clone().or_else(|| Some(folder.to_path_buf())),
        export_playbook: playbook,
    };
    let text = if has("--graph") {
        inventory.graph(
            args.positional.first().map(String::as_str),
            has("--vars"),
            &shown,
            warnings,
        )?
    } else if let Some(host) = args.values.get("--host") {
        inventory.show_host(host, &shown, warnings)?
    } else {
        inventory.list(&shown, warnings)?
    };
    Ok((i32::from(text.is_empty()), text))
}

fn load(
    args: &Args,
    options: &LoadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<Inventory, Error> {
    let sources = if args.inventories.is_empty() {
        vec!["/etc/ansible/hosts".to_owned()]
    } else {
        args.inventories.clone()
    };
    Inventory::load(&sources, options, warnings)
}

fn hosts_command(
    args: &Args,
    options: &LoadOptions,
    warnings: &mut Vec<Warning>,
) -> Result<(i32, String), Error> {
    let inventory = load(args, options, warnings)?;
    let pattern = args.positional.first().map_or("", String::as_str);
    let limit = args.values.get("--limit").map(String::as_str);
    let none = inventory.hosts().count() == 0;
    let is_local = ["localhost", "127.0.0.1", "::1"].contains(&pattern);
    if none && !is_local {
        warnings.push(Warning::new(
            "provided hosts list is empty, only localhost is available. Note that the implicit localhost does not match 'all'",
        ));
    }
    let hosts = inventory.list_hosts(pattern, limit, warnings)?;
    if hosts.is_empty() && !none {
        if limit.is_some() {
            return Err(Error::Pattern(
                "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.".into(),
            ));
        }
        warnings.push(Warning::new("No hosts matched, nothing to do"));
    }
    let mut out = format!("  hosts ({}):\n", hosts.len());
    for host in hosts {
        let _ = writeln!(out, "    {host}");
    }
    Ok((0, out))
}

/// Texts of messages without blanks, lines of source and what depends on the width of the terminal.
fn squeezed(text: &str) -> String {
    let is_source = |line: &str| {
        let bare = line.trim_start();
        let digits = bare.trim_start_matches(|char: char| char.is_ascii_digit());
        bare.starts_with('^')
            || (digits.len() < bare.len() && (digits.starts_with(' ') || digits.is_empty()))
    };
    text.lines()
        .filter(|line| !is_source(line) && !line.contains("Deprecation warnings can be disabled"))
        .filter(|line| !line.contains("(source not shown"))
        .flat_map(|line| line.chars().filter(|char| !char.is_whitespace()))
        .collect()
}

fn told(warnings: &[Warning], folder: &str) -> String {
    let mut seen = Vec::new();
    let mut out = String::new();
    for warning in warnings {
        let lead_in = match warning.severity {
            Severity::Warning => "[WARNING]",
            Severity::Deprecation => "[DEPRECATION WARNING]",
            Severity::Error => "[ERROR]",
        };
        let mut text = format!("{lead_in}: {}", warning.text());
        if text.contains("Failed to parse inventory with 'ini' plugin") {
            // The original does not say the line.
            text = text
                .lines()
                .map(|line| {
                    match line.strip_prefix("Origin: ").and_then(|_| line.rsplit_once(':')) {
                        Some((before, digits)) if digits.parse::<u32>().is_ok() => before,
                        _ => line,
                    }
                })
                .collect::<Vec<_>>()
                .join("\n");
        }
        if !seen.contains(&text) {
            out.push_str(&text);
            out.push('\n');
            seen.push(text);
        }
    }
    out.replace(folder, "$DIR")
}

/// The name that the original gives a nameless place is followed by the text itself.
fn expected_messages(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        out.push_str(line);
        out.push('\n');
        if line == "Origin: <unknown>" {
            lines.next();
            lines.next();
        }
    }
    squeezed(&out)
}

fn check(name: &str, problems: &mut String) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let case = parse(&fs::read_to_string(here.join(format!("cases/{name}.case"))).unwrap());
    let recorded = fs::read_to_string(here.join(format!("recorded/{name}.out"))).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().to_path_buf();
    for (file, mode, text) in &case.files {
        let path = folder.join(file);
        if file.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
            continue;
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    for part in recorded.split("$ ansible").skip(1) {
        let (command, rest) = part.split_once("\n=== code ").unwrap();
        let (code, rest) = rest.split_once("\n=== stderr\n").unwrap();
        let (stderr, stdout) = rest.split_once("=== stdout\n").unwrap();
        run((name, command), &case, &folder, (code, stderr, stdout), problems);
    }
}

fn run(
    (name, command): (&str, &str),
    case: &Case,
    folder: &Path,
    (code, stderr, stdout): (&str, &str, &str),
    problems: &mut String,
) {
    let words = words(&format!("ansible{command}"));
    let args = arguments(&words[1..]);
    let mut options = options(&case.environment, &args, folder);
    options.environment = Arc::new([("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into());
    let mut warnings = Vec::new();
    let result = match words[0].as_str() {
        "ansible-inventory" => inventory_command(&args, &options, folder, &mut warnings),
        _ => hosts_command(&args, &options, &mut warnings),
    };
    let shown = folder.to_string_lossy();
    let mut messages = told(&warnings, &shown);
    let (got_code, got) = result.unwrap_or_else(|error| {
        let _ = writeln!(messages, "[ERROR]: {}", error.to_string().replace(&*shown, "$DIR"));
        (error.exit_code(), String::new())
    });
    let got = got.replace(&*shown, "$DIR");
    if got != stdout {
        let _ = writeln!(
            problems,
            "== {name}: ansible{command}\n-- stdout\n{got}-- expected\n{stdout}"
        );
    }
    if code != got_code.to_string() {
        let _ =
            writeln!(problems, "== {name}: ansible{command}\n-- code {got_code}, expected {code}");
    }
    if squeezed(&messages.replace("Origin: <unknown>", "Origin: <unknown>\n"))
        != expected_messages(stderr)
    {
        let _ = writeln!(
            problems,
            "== {name}: ansible{command}\n-- stderr\n{messages}-- expected\n{stderr}"
        );
    }
}

#[test]
fn everything_prints_what_the_original_prints() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut names: Vec<String> = fs::read_dir(here)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() > 80);
    let mut problems = String::new();
    for name in names.iter().filter(|name| !DIFFERENT.iter().any(|(it, _)| it == name)) {
        check(name, &mut problems);
    }
    assert!(problems.is_empty(), "{problems}");
}
