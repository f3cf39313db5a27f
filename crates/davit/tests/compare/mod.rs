//! The oracle: the same tree run by `ansible-playbook` and by davit, and what differs.
//!
//! ```text
//! case ─▶ original (cached) ─▶ Recording ─┐
//!      └▶ davit ─────────────▶ Recording ─┴▶ differences
//! ```
//!
//! It knows nothing of how either side works: only command lines, events, files and exit codes.

mod case;
mod differ;
mod normal;
mod record;
mod side;
mod way;

use std::{collections::BTreeMap, env, fs, path::PathBuf};

pub(crate) use case::topics;
pub(crate) use way::Kind;

use case::Case;
use way::Way;

/// Runs every case of a topic on both sides.
///
/// # Panics
/// When a case differs in a way that it does not list, with the differences.
pub(crate) fn topic(topic: &str, kind: Kind) {
    let only = env::var("DAVIT_ORACLE").unwrap_or_default();
    let mut agree = 0;
    let mut failed = BTreeMap::new();
    let mut way = None;
    for mut case in Case::of_topic(topic) {
        case.away = kind != Kind::Here;
        if !only.is_empty() && case.name != only && topic != only {
            continue;
        }
        if kind != Kind::Here && case.settings.here.is_some() {
            continue;
        }
        let way = way.get_or_insert_with(|| Way::open(kind, &side::cache()));
        match way.as_ref().map_err(String::clone).and_then(|way| one(&case, way)) {
            Ok(differences) if differences.is_empty() => agree += 1,
            Ok(differences) => {
                failed.insert(case.name.clone(), differences);
            }
            Err(error) => {
                failed.insert(case.name.clone(), vec![error]);
            }
        }
    }
    summarise(&format!("{topic}{}", suffix(kind)), agree, failed.len());
    if failed.is_empty() {
        return;
    }
    let mut text = format!("{topic}: {agree} cases agree, {} differ\n", failed.len());
    for (name, differences) in &failed {
        text.push_str(&format!("\n== {name}: {} differences\n", differences.len()));
        for difference in differences.iter().take(12) {
            text.push_str(&format!("  {difference}\n"));
        }
    }
    panic!("{text}");
}

fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Here => "",
        Kind::Ssh => " over ssh",
        Kind::Become => " over ssh with become",
        Kind::Container => " in a container",
    }
}

fn one(case: &Case, way: &Way) -> Result<Vec<String>, String> {
    let expected = side::original(case, way)?;
    // To fill the cache, where there is no davit yet that could be compared.
    if env::var_os("DAVIT_ORACLE_RECORD").is_some() {
        return Ok(Vec::new());
    }
    // Against itself: shows what is not comparable, because the original itself differs.
    let itself = env::var_os("DAVIT_ORACLE_SELF").is_some();
    let got = if itself { side::record(case, way)? } else { side::davit(case, way)? };
    Ok(differ::differences(case, &expected, &got))
}

/// Leaves the count where `cargo xtask test` adds them up, and prints it.
#[expect(clippy::print_stdout, reason = "the summary of a test")]
fn summarise(topic: &str, agree: usize, differ: usize) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("oracle");
    fs::create_dir_all(&folder).expect("the target folder takes files");
    fs::write(folder.join(topic), format!("{agree} {differ}\n")).expect("a count is written");
    println!("{topic}: {agree} cases agree, {differ} differ");
}
