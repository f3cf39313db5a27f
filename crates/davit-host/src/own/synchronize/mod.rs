//! `davit.host.synchronize`: what each end of `ansible.posix.synchronize` does. The same module is
//! asked on both ends, in steps:
//!
//! ```text
//! sender:    list ─▶ entries       read ─▶ small contents, packed     sums ─▶ checksums
//! receiver:  compare ─▶ what differs   extra ─▶ what is too much
//!            apply (with contents)     remove     finish (times of folders)
//! ```
//!
//! It does not know which options a user wrote, nor how contents get from one end to the other.

mod dest;
mod entry;
mod extra;
mod pattern;
mod place;
mod rules;
mod walk;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use davit_module::{Content, Host, Module, ModuleError, Outcome, expand_path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::dest::{Found, Refusal};
pub use self::entry::{AnyPath, Differs, Entry, Name, Options, Owners, Source};
pub use self::extra::{Extra, Folder};
pub use self::walk::Listed;

/// The module's full name.
pub const NAME: &str = "davit.host.synchronize";

/// The most that is read of small files at a time.
const PACK: u64 = 8 << 20;

/// What one end is asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// What there is to be sent: [`Listed`].
    List {
        /// A file, or a folder; with a slash at its end what is in it.
        src: String,
        /// The user's options.
        options: Options,
        /// Where to go on.
        after: Option<(Name, bool)>,
    },
    /// What these files hold, one after another: [`Packed`].
    Read {
        /// The folder that names begin in.
        root: AnyPath,
        /// Which.
        names: Vec<Name>,
    },
    /// The SHA-1 of each of these files: a list.
    Sums {
        /// The folder that names begin in.
        root: AnyPath,
        /// Which.
        names: Vec<Name>,
    },
    /// What a destination means: [`Found`], or [`Refusal`].
    Find {
        /// As the user wrote it.
        dest: String,
        /// There is more than one entry.
        many: bool,
        /// The only one is a folder.
        folder: bool,
        /// Folders above may be made.
        mkpath: bool,
    },
    /// What differs: [`Compared`].
    Compare {
        /// Where and how.
        end: End,
        /// What there shall be.
        entries: Vec<Entry>,
    },
    /// What is to be removed: [`Extra`].
    Extra {
        /// Where and how.
        end: End,
        /// Folders with what they shall have.
        folders: Vec<Folder>,
    },
    /// Makes it so: [`Applied`].
    Apply {
        /// Where and how.
        end: End,
        /// What there shall be, with its content.
        work: Vec<(Entry, Source)>,
    },
    /// Removes things: [`Applied`].
    Remove {
        /// Where and how.
        end: End,
        /// What.
        names: Vec<Name>,
    },
    /// Gives folders the times that they shall have in the end: [`Applied`].
    Finish {
        /// Where and how.
        end: End,
        /// The folders, those above first.
        entries: Vec<Entry>,
    },
}

/// The receiving end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct End {
    /// Where.
    pub found: Found,
    /// How.
    pub options: Options,
    /// Whose it is.
    pub owners: Owners,
    /// The letter for contents: `<` or `>`.
    pub arrow: char,
}

/// What differs, and what goes to make place for it, by the index of the entry.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Compared {
    /// What differs.
    pub differs: Vec<Differs>,
    /// Lines of what goes with a folder that is replaced.
    pub displaced: Vec<(usize, Vec<String>)>,
}

/// What several files hold.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Packed {
    /// All of it, in Base64.
    pub content: String,
    /// How much of it each file has; `None` for those that could not be read.
    pub sizes: Vec<Option<u64>>,
    /// What could not be read, and why.
    pub errors: Vec<String>,
}

/// What could not be done.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Applied {
    /// A sentence each.
    pub errors: Vec<String>,
}

/// One step.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// What is asked.
    #[schemars(extend("x-type" = "raw"))]
    step: Value,
}

/// `davit.host.synchronize`.
pub(crate) struct Synchronize;

impl Module for Synchronize {
    const NAME: &'static str = NAME;
    type Args = Args;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let step: Step = serde_json::from_value(args.step)
            .map_err(|err| ModuleError::failed(format!("a step cannot be read: {err}")))?;
        match step {
            Step::List { src, options, after } => {
                let src = written(host, &src);
                answer(walk::list(host, &src, &options, after.as_ref())?)
            }
            Step::Read { root, names } => answer(read(host, &root, &names)?),
            Step::Sums { root, names } => {
                let sums: Result<Vec<String>, ModuleError> =
                    names.iter().map(|it| host.sha1(&it.at(&root.0))).collect();
                answer(sums?)
            }
            Step::Find { dest, many, folder, mkpath } => {
                let dest = written(host, &dest);
                match dest::find(host, &dest, many, folder, mkpath) {
                    Ok(found) => answer(found),
                    Err(refusal) => Ok(Outcome::new().changed(false).with("refused", refusal)),
                }
            }
            Step::Compare { end, entries } => answer(compare(host, end, &entries)?),
            Step::Extra { end, folders } => {
                answer(extra::find(host, &end.found, &end.options, &folders)?)
            }
            Step::Apply { end, work } => apply(host, end, work),
            Step::Remove { end, names } => remove(host, &end, &names),
            Step::Finish { end, entries } => finish(host, end, &entries),
        }
    }
}

fn answer(answer: impl Serialize) -> Result<Outcome, ModuleError> {
    Ok(Outcome::new().changed(false).without_path_keys().with("answer", answer))
}

/// A path as a user wrote it: what is relative begins in the user's home, as with rsync.
fn written(host: &Host<'_>, text: &str) -> PathBuf {
    let variable = |name: &str| host.variable(name);
    if text.starts_with('~') {
        return expand_path(text, &variable).into();
    }
    let path = PathBuf::from(text);
    if path.is_absolute() || !host.folder().as_os_str().is_empty() {
        return host.folder().join(path);
    }
    match variable("HOME") {
        Some(home) => PathBuf::from(home).join(path),
        None => host.at(&path),
    }
}

fn read(host: &Host<'_>, root: &AnyPath, names: &[Name]) -> Result<Packed, ModuleError> {
    let mut packed = Packed::default();
    let mut all = Vec::new();
    for name in names {
        let path = name.at(&root.0);
        let before = all.len();
        let left = PACK.saturating_sub(before as u64);
        let done = host.open(&path).and_then(|it| {
            let copied = it.take(left).read_to_end(&mut all);
            copied.map_err(|err| ModuleError::io("read", &path, err))
        });
        match done {
            Ok(count) => packed.sizes.push(Some(count as u64)),
            Err(error @ ModuleError::Unpredicted { .. }) => return Err(error),
            Err(error) => {
                all.truncate(before);
                let why = match &error {
                    ModuleError::Io { source, .. } => walk::told(source),
                    other => other.message(),
                };
                let path = path.display();
                let text = format!("rsync: [sender] send_files failed to open \"{path}\": {why}");
                packed.errors.push(text);
                packed.sizes.push(None);
            }
        }
    }
    packed.content = STANDARD.encode(all);
    Ok(packed)
}

fn compare(host: &mut Host<'_>, end: End, entries: &[Entry]) -> Result<Compared, ModuleError> {
    let found = end.found.clone();
    let mut place = place::Place::new(host, end.found, end.options, end.owners, end.arrow)?;
    let differs = place.compare(entries)?;
    let mut displaced = Vec::new();
    for differs in differs.iter().filter(|it| it.instead == Some(true) && it.errors.is_empty()) {
        if let Some(entry) = entries.get(differs.at) {
            displaced.push((differs.at, extra::displaced(host, &found, entry)?));
        }
    }
    Ok(Compared { differs, displaced })
}

/// A reader that several parts share, one after another.
#[derive(Clone)]
struct Shared(Rc<RefCell<Box<dyn Read>>>);

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

/// What is left of a part, wherever its reader is.
struct Counted(Rc<RefCell<place::Part<Shared>>>);

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

fn apply(
    host: &mut Host<'_>,
    end: End,
    work: Vec<(Entry, Source)>,
) -> Result<Outcome, ModuleError> {
    let pack = match host.attachment("pack") {
        Some(pack) => {
            let opened = pack.open();
            let opened = opened.map_err(|err| ModuleError::io("receive", "a pack", err))?;
            Some(Shared(Rc::new(RefCell::new(opened))))
        }
        None => None,
    };
    let mut files: BTreeMap<String, Content> = work
        .iter()
        .filter_map(|(_, source)| match source {
            Source::File(name) => Some((name.clone(), host.attachment(name)?.into())),
            _ => None,
        })
        .collect();
    let (cancel, is_check) = (host.cancel().clone(), host.is_check());
    let mut place = place::Place::new(host, end.found, end.options, end.owners, end.arrow)?;
    let mut applied = Applied::default();
    place.begin()?;
    for (entry, source) in work {
        if cancel.is_cancelled() {
            return Err(ModuleError::Cancelled);
        }
        let mut part = None;
        let content = match source {
            Source::None => None,
            Source::Here(path) => Some(Content::File(path.0)),
            Source::File(name) => files.remove(&name),
            // In a dry run these are files with rules: they have to be known.
            Source::Pack(left) if is_check => match pack.clone() {
                Some(from) => {
                    let mut bytes = Vec::new();
                    let copied = place::Part { from, left }.read_to_end(&mut bytes);
                    copied.map_err(|err| ModuleError::io("receive", "a pack", err))?;
                    Some(Content::from(bytes))
                }
                None => None,
            },
            Source::Pack(left) => pack.clone().map(|from| {
                let shared = Rc::new(RefCell::new(place::Part { from, left }));
                part = Some(Rc::clone(&shared));
                Content::Reader(Box::new(Counted(shared)))
            }),
        };
        if let Err(error) = place.apply(&entry, content) {
            applied.errors.push(format!("rsync: [receiver] {}", error.message()));
        }
        if let Some(part) = part {
            let rest = io::copy(&mut *part.borrow_mut(), &mut io::sink());
            rest.map_err(|err| ModuleError::io("receive", "a pack", err))?;
        }
    }
    Ok(Outcome::new().without_path_keys().with("answer", applied))
}

fn remove(host: &mut Host<'_>, end: &End, names: &[Name]) -> Result<Outcome, ModuleError> {
    let base = match &end.found.only {
        Some(only) => only.at(&end.found.base.0),
        None => end.found.base.0.clone(),
    };
    let mut applied = Applied::default();
    for name in names {
        if host.cancel().is_cancelled() {
            return Err(ModuleError::Cancelled);
        }
        let path = name.at(&base);
        if let Err(error) = host.remove(&path) {
            let why = walk::told(&error);
            applied
                .errors
                .push(format!("rsync: [generator] delete_file: unlink({name}) failed: {why}"));
        }
    }
    Ok(Outcome::new().without_path_keys().with("answer", applied))
}

fn finish(host: &mut Host<'_>, end: End, entries: &[Entry]) -> Result<Outcome, ModuleError> {
    let mut place = place::Place::new(host, end.found, end.options, end.owners, end.arrow)?;
    let mut applied = Applied::default();
    for entry in entries.iter().rev() {
        if let Err(error) = place.finish(entry) {
            applied.errors.push(format!("rsync: [generator] {}", error.message()));
        }
    }
    Ok(Outcome::new().without_path_keys().with("answer", applied))
}
