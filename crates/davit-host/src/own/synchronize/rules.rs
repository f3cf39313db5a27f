//! Which names are left out: rules as rsync's `--filter` takes them, and files with rules in the
//! folders of the transfer. The first rule that fits decides.
//!
//! It reads files with rules and changes nothing. Source:
//! <https://download.samba.org/pub/rsync/rsync.1> ("FILTER RULES")

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use davit_module::{Host, ModuleError};

use super::entry::Name;
use super::pattern::{Token, matches, tokens};

/// Which side of the transfer asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What is sent.
    Sender,
    /// What is kept from being removed.
    Receiver,
}

/// A rule that names what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    include: bool,
    /// Everything but what fits.
    negated: bool,
    sender: bool,
    receiver: bool,
    /// It fits folders only.
    folders: bool,
    /// The pattern begins where the rule's folder is.
    anchored: bool,
    /// The folder that the rule belongs to; `None` = the root of the transfer.
    base: Option<PathBuf>,
    pattern: Vec<Token>,
    /// The pattern has no `/`: it is about the last part of a name.
    last_part: bool,
}

/// A file with rules that is looked for in each folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Merge {
    file: String,
    /// Folders above the transfer are looked through as well.
    above: bool,
    /// Rules count in their own folder only.
    alone: bool,
    /// The file itself is left out.
    hides_itself: bool,
    /// Lines are patterns, and these are what they do.
    plain: Option<bool>,
    sender: bool,
    receiver: bool,
}

#[derive(Clone, Debug)]
enum Item {
    Rule(Rule),
    Merge(Arc<Merge>, Vec<Arc<Vec<Rule>>>),
}

/// Rules in order, with those of the folder that one stands in.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    items: Vec<Item>,
    delete_excluded: bool,
}

impl Rules {
    /// Reads rules as `--filter` takes them.
    ///
    /// # Errors
    /// The rule that makes no sense or is not supported, in a sentence.
    pub(super) fn parse(texts: &[String], delete_excluded: bool) -> Result<Self, String> {
        let mut rules = Self { items: Vec::new(), delete_excluded };
        for text in texts {
            match parse(text, None)? {
                Parsed::Clear => rules.items.clear(),
                Parsed::Rule(rule) => rules.items.push(Item::Rule(rule)),
                Parsed::Merge(merge) => {
                    if merge.hides_itself {
                        let own = parse(&format!("- {}", merge.file), None)?;
                        if let Parsed::Rule(rule) = own {
                            rules.items.push(Item::Rule(rule));
                        }
                    }
                    rules.items.push(Item::Merge(Arc::new(merge), Vec::new()));
                }
                Parsed::Nothing => {}
            }
        }
        Ok(rules)
    }

    /// The rules at the root of a transfer: those of the folders above it are read where a rule
    /// asks for them.
    ///
    /// # Errors
    /// A file with rules that makes no sense.
    pub(super) fn at_root(&self, host: &Host<'_>, root: &Path) -> Result<Self, String> {
        let mut rules = self.clone();
        let above: Vec<&Path> = root.ancestors().skip(1).collect();
        for item in &mut rules.items {
            let Item::Merge(merge, found) = item else { continue };
            if merge.above && !merge.alone {
                for folder in above.iter().rev() {
                    found.extend(read(host, merge, folder)?);
                }
            }
        }
        Ok(rules)
    }

    /// The rules in a folder, given those of the folder above it.
    ///
    /// # Errors
    /// A file with rules that makes no sense.
    pub(super) fn inside(&self, host: &Host<'_>, folder: &Path) -> Result<Self, String> {
        let merges = self.items.iter().any(|it| matches!(it, Item::Merge(..)));
        let mut rules = self.clone();
        if !merges {
            return Ok(rules);
        }
        for item in &mut rules.items {
            let Item::Merge(merge, found) = item else { continue };
            if merge.alone {
                found.clear();
            }
            found.extend(read(host, merge, folder)?);
        }
        Ok(rules)
    }

    /// Whether a name is left out of what this side deals with.
    #[must_use]
    pub(super) fn leave_out(&self, side: Side, root: &Path, name: &Name, folder: bool) -> bool {
        let wants = |rule: &Rule| match side {
            Side::Sender => rule.sender,
            Side::Receiver => {
                // What is left out of the sending is removed as well.
                rule.receiver && !(self.delete_excluded && rule.sender)
            }
        };
        let fits = |rule: &&Rule| wants(rule) && rule.fits(root, name, folder);
        for item in &self.items {
            let found = match item {
                Item::Rule(rule) => Some(rule).filter(fits),
                // The nearest folder's rules come first.
                Item::Merge(_, files) => files.iter().rev().flat_map(|it| it.iter()).find(fits),
            };
            if let Some(rule) = found {
                return !rule.include;
            }
        }
        false
    }
}

/// The rules of a file, where it is there.
fn read(host: &Host<'_>, merge: &Merge, folder: &Path) -> Result<Option<Arc<Vec<Rule>>>, String> {
    let path = folder.join(&merge.file);
    if !host.is_file(&path) {
        return Ok(None);
    }
    let text = match host.read(&path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        // What a dry run does not know has no rules.
        Err(ModuleError::Unpredicted { .. }) => return Ok(None),
        Err(error) => return Err(error.message()),
    };
    let mut rules = Vec::new();
    for line in text.lines().filter(|it| !it.is_empty() && !it.starts_with(['#', ';'])) {
        let line = match merge.plain {
            Some(_) if line.starts_with("+ ") || line.starts_with("- ") || line == "!" => {
                line.to_owned()
            }
            Some(true) => format!("+ {line}"),
            Some(false) => format!("- {line}"),
            None => line.to_owned(),
        };
        match parse(&line, Some(folder)).map_err(|why| format!("{}: {why}", path.display()))? {
            Parsed::Clear => rules.clear(),
            Parsed::Rule(rule) => rules.push(Rule {
                sender: rule.sender && merge.sender,
                receiver: rule.receiver && merge.receiver,
                ..rule
            }),
            Parsed::Merge(_) => {
                let path = path.display();
                return Err(format!("{path}: rules within rules are not supported: {line}"));
            }
            Parsed::Nothing => {}
        }
    }
    Ok(Some(Arc::new(rules)))
}

enum Parsed {
    Rule(Rule),
    Merge(Merge),
    Clear,
    Nothing,
}

/// Long names of rules, and their short ones.
const LONG: &[(&str, char)] = &[
    ("exclude", '-'),
    ("include", '+'),
    ("dir-merge", ':'),
    ("merge", '.'),
    ("hide", 'H'),
    ("show", 'S'),
    ("protect", 'P'),
    ("risk", 'R'),
    ("clear", '!'),
];

fn parse(text: &str, base: Option<&Path>) -> Result<Parsed, String> {
    if text.trim().is_empty() {
        return Ok(Parsed::Nothing);
    }
    let unknown = || format!("unknown filter rule: '{text}'");
    let long = LONG.iter().find(|(name, _)| {
        text.strip_prefix(name)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '_', ',']))
    });
    let (kind, rest) = match long {
        Some((name, kind)) => (*kind, &text[name.len()..]),
        None => {
            let kind = text.chars().next().unwrap_or_default();
            (kind, &text[kind.len_utf8()..])
        }
    };
    if kind == '!' {
        return Ok(Parsed::Clear);
    }
    if !LONG.iter().any(|(_, it)| *it == kind) {
        return Err(unknown());
    }
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    let end = rest.find([' ', '_']).ok_or_else(unknown)?;
    let (modifiers, pattern) = (&rest[..end], &rest[end + 1..]);
    if pattern.is_empty() {
        return Err(unknown());
    }
    let has = |it: char| modifiers.contains(it);
    let known = if kind == ':' { "-+nesr" } else { "!sr" };
    if let Some(odd) = modifiers.chars().find(|it| !known.contains(*it)) {
        return Err(format!("the modifier '{odd}' of the filter rule '{text}' is not supported"));
    }
    if kind == '.' {
        return Err(format!(
            "'merge' is not supported: '{text}'; use --exclude-from or --include-from"
        ));
    }
    let both = has('s') == has('r');
    let (sender, receiver) = (both || has('s'), both || has('r'));
    if kind == ':' {
        let file = pattern.trim_start_matches('/');
        return Ok(Parsed::Merge(Merge {
            file: file.to_owned(),
            above: pattern.starts_with('/'),
            alone: has('n'),
            hides_itself: has('e'),
            plain: has('+').then_some(true).or(has('-').then_some(false)),
            sender,
            receiver,
        }));
    }
    let (include, sender, receiver) = match kind {
        '+' => (true, sender, receiver),
        'H' => (false, true, false),
        'S' => (true, true, false),
        'P' => (false, false, true),
        'R' => (true, false, true),
        _ => (false, sender, receiver),
    };
    let rule = Rule { include, negated: has('!'), sender, receiver, ..Rule::of(pattern, base) };
    Ok(Parsed::Rule(rule))
}

impl Rule {
    fn of(pattern: &str, base: Option<&Path>) -> Self {
        let anchored = pattern.starts_with('/');
        let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
        let folders = pattern.ends_with('/');
        let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
        let last_part = !pattern.contains('/') && !pattern.contains("**");
        Self {
            include: false,
            negated: false,
            sender: true,
            receiver: true,
            folders,
            anchored,
            base: base.map(Path::to_path_buf),
            pattern: tokens(pattern.as_bytes()),
            last_part,
        }
    }

    fn fits(&self, root: &Path, name: &Name, folder: bool) -> bool {
        if self.folders && !folder {
            return false;
        }
        self.fits_name(root, name) != self.negated
    }

    fn fits_name(&self, root: &Path, name: &Name) -> bool {
        if self.anchored {
            let Some(base) = &self.base else { return matches(&self.pattern, name.bytes()) };
            let full = name.at(root);
            return full
                .strip_prefix(base)
                .is_ok_and(|it| matches(&self.pattern, it.as_os_str().as_bytes()));
        }
        if self.last_part {
            return matches(&self.pattern, name.last().as_bytes());
        }
        let bytes = name.bytes();
        let starts = bytes.iter().enumerate().filter(|(_, it)| **it == b'/').map(|(at, _)| at + 1);
        std::iter::once(0).chain(starts).any(|at| matches(&self.pattern, &bytes[at..]))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;

    use davit_module::{Call, Session};

    use super::*;

    fn name(text: &str) -> Name {
        text.split('/').fold(Name::default(), |name, part| name.child(OsStr::new(part)))
    }

    #[test]
    fn patterns_fit_as_rsync_says() {
        let check = |pattern: &str, path: &str, expect: bool| {
            let rule = Rule::of(pattern, None);
            assert_eq!(rule.fits(Path::new("/r"), &name(path), true), expect, "{pattern} {path}");
        };
        for (pattern, path, expect) in [
            ("*.o", "a.o", true),
            ("*.o", "d/a.o", true),
            ("*.o", "d.o/a", false),
            ("/foo", "foo", true),
            ("/foo", "d/foo", false),
            ("foo/bar", "foo/bar", true),
            ("foo/bar", "d/foo/bar", true),
            ("foo/bar", "xfoo/bar", false),
            ("/foo/*/bar", "foo/a/bar", true),
            ("/foo/*/bar", "foo/a/b/bar", false),
            ("/foo/**/bar", "foo/a/b/bar", true),
            ("foo/***", "foo", true),
            ("foo/***", "d/foo/a/b", true),
            ("foo/***", "food", false),
            ("fo?", "foo", true),
            ("fo?", "fo/", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[[:digit:]]*", "1abc", true),
            ("**/x", "a/b/x", true),
            ("a\\*b", "a*b", true),
            ("a\\b", "a\\b", true),
            ("dir/", "dir", true),
        ] {
            check(pattern, path, expect);
        }
        assert!(!Rule::of("dir/", None).fits(Path::new("/r"), &name("dir"), false));
        // As long as both together: stars upon stars end in time.
        check(&"*a".repeat(200), &"a".repeat(4000), true);
        check(&"*a".repeat(200), &"b".repeat(4000), false);
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let texts: Vec<String> =
            ["+ keep.o", "- *.o", "P saved", "H secret"].map(str::to_owned).to_vec();
        let rules = Rules::parse(&texts, false).unwrap();
        let root = Path::new("/r");
        let check = |side, path: &str, expect: bool| {
            assert_eq!(rules.leave_out(side, root, &name(path), false), expect, "{path}");
        };
        check(Side::Sender, "keep.o", false);
        check(Side::Sender, "x/a.o", true);
        check(Side::Receiver, "x/a.o", true);
        check(Side::Sender, "saved", false);
        check(Side::Receiver, "saved", true);
        check(Side::Sender, "secret", true);
        check(Side::Receiver, "secret", false);
        let all = Rules::parse(&texts, true).unwrap();
        assert!(!all.leave_out(Side::Receiver, root, &name("a.o"), false));
        assert!(all.leave_out(Side::Receiver, root, &name("saved"), false));
    }

    #[test]
    fn rules_of_folders_come_before_those_above() {
        let top = tempfile::tempdir().unwrap();
        let root = top.path().join("root");
        fs::create_dir_all(root.join("d")).unwrap();
        fs::write(top.path().join(".rules"), "- above\n- /root/here\n").unwrap();
        fs::write(root.join(".rules"), "# a comment\n- *.o\n- /top\n").unwrap();
        fs::write(root.join("d/.rules"), "+ x.o\n").unwrap();
        let rules = Rules::parse(&[": /.rules".to_owned()], false).unwrap();
        let (session, call) = (Session::default(), Call::default());
        let host = Host::new(&session, &call);
        let rules = rules.at_root(&host, &root).unwrap().inside(&host, &root).unwrap();
        let out =
            |rules: &Rules, path: &str| rules.leave_out(Side::Sender, &root, &name(path), false);
        assert!(out(&rules, "x.o") && out(&rules, "top") && out(&rules, "above"));
        assert!(out(&rules, "here"));
        let deeper = rules.inside(&host, &root.join("d")).unwrap();
        assert!(!out(&deeper, "d/x.o") && out(&deeper, "d/y.o") && !out(&deeper, "d/top"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for bad in ["x foo", "-", "- ", "merge other", "-C foo", "-x foo"] {
            let texts = [bad.to_owned()];
            assert!(Rules::parse(&texts, false).is_err(), "{bad}");
        }
        let texts = ["- a".to_owned(), "!".to_owned()];
        let rules = Rules::parse(&texts, false).unwrap();
        assert!(!rules.leave_out(Side::Sender, Path::new("/"), &name("a"), false));
    }
}
