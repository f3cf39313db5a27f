//! `ansible.posix.synchronize`: makes a folder the same somewhere else.
//!
//! ```text
//! options.rs   what the user wrote     ends.rs   the controller and the host, or two hosts
//! mod.rs       what differs, and what is told of it     transfer.rs   contents on their way
//! ```
//!
//! What each end does is `davit.host.synchronize`'s affair. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/posix/synchronize_module.html>

mod ends;
mod options;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use davit_host::own::synchronize::{
    self as host, AnyPath, Applied, Compared, Entry, Extra, Folder, Found, Listed, Name, Owners,
    Refusal, Step,
};
use davit_module::Rules;
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::{Map, Value};
use futures_util::{StreamExt, stream};

use self::ends::Ends;
use self::options::{Args, Mode, Wanted};
use self::transfer::Transfer;
use crate::failure::{Attempt, broken, refused};
use crate::source;

pub(crate) const ACTION: Action = Action {
    name: "ansible.posix.synchronize",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: false,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

/// How many entries are compared at a time, and how many of such questions are on their way.
const ASKED: usize = 2000;
const SIDE_BY_SIDE: usize = 3;
/// rsync's exit status where something was not sent.
const PARTIAL: i32 = 23;

async fn run(context: &TaskContext, args: Map) -> Attempt {
    let given = serde_json::Value::Object(TaskContext::reply_of(&args));
    let args: Args =
        serde_json::from_value(given).map_err(|error| broken(context, error.to_string()))?;
    for text in [&args.src, &args.dest] {
        if text.is_empty() {
            return Err(refused(context, "src and dest must not be empty"));
        }
        if text.starts_with("rsync://") || text.contains("::") {
            let why = format!("'{text}': rsync's own servers are not supported");
            return Err(refused(context, why));
        }
    }
    let ends = Ends::of(context, args.mode)?;
    let read = |name: &str| -> Result<String, String> {
        if !ends.from_here {
            return Err("this is not supported together with delegate_to".to_owned());
        }
        let path = context.playbook_folder().join(context.expand(name));
        let text = std::fs::read(path).map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    let wanted = Wanted::of(&args, context.check, &read).map_err(|why| refused(context, why))?;
    if wanted.dry_run && !context.check {
        let why = "rsync_opts: --dry-run is not supported: use check_mode";
        return Err(refused(context, why));
    }
    let (src, dest) = places(context, &args, &ends);
    let command = command(context, &args, &wanted, &ends, (&src, &dest));
    let arrow = if ends.same || args.mode == Mode::Pull { '>' } else { '<' };
    let end = host::End { options: wanted.options, arrow, ..host::End::default() };
    let mut work = Work { context, ends: &ends, end, told: Told::default(), kept: Vec::new() };
    let refusal = work.run(&src, &dest).await?;
    Ok(work.told.outcome(context, refusal, command))
}

/// Source and destination, those of the controller as absolute paths.
fn places(context: &TaskContext, args: &Args, ends: &Ends) -> (String, String) {
    let (mut src, mut dest) = (args.src.clone(), args.dest.clone());
    if !ends.from_here {
        return (src, dest);
    }
    let absolute = |text: &str| {
        let path = context.playbook_folder().join(context.expand(text));
        path.to_string_lossy().into_owned()
    };
    match args.mode {
        Mode::Push => {
            // `folder/.` is what is in the folder, as `folder/` is.
            let plain = src.strip_suffix("/.").map(|it| format!("{it}/")).unwrap_or(src);
            src = match source::find(context, "files", &plain) {
                Some(found) => found.to_string_lossy().into_owned(),
                None => absolute(&plain),
            };
            if ends.same {
                dest = absolute(&dest);
            }
        }
        Mode::Pull => {
            dest = absolute(&dest);
            if ends.same {
                src = absolute(&src);
            }
        }
    }
    (src, dest)
}

/// The command line that does the same with rsync: nothing runs it.
fn command(
    context: &TaskContext,
    args: &Args,
    wanted: &Wanted,
    ends: &Ends,
    (src, dest): (&str, &str),
) -> String {
    let far = |path: &str| {
        if ends.same { path.to_owned() } else { format!("{}:{path}", context.host()) }
    };
    let (src, dest) = match args.mode {
        Mode::Push => (src.to_owned(), far(dest)),
        Mode::Pull => (far(src), dest.to_owned()),
    };
    let mut words = vec!["rsync".to_owned()];
    words.extend(wanted.command.iter().cloned());
    words.extend(["--out-format='<<CHANGED>>%i %n%L'".to_owned(), src, dest]);
    words.join(" ")
}

/// What is told of a transfer.
#[derive(Default)]
struct Told {
    /// Lines of the output.
    lines: Vec<String>,
    errors: Vec<String>,
    changed: bool,
}

impl Told {
    fn outcome(
        mut self,
        context: &TaskContext,
        refusal: Option<Refusal>,
        command: String,
    ) -> Outcome {
        let rc = match refusal {
            Some(refusal) => {
                self.errors.push(refusal.why);
                refusal.rc
            }
            None if self.errors.is_empty() => 0,
            None => PARTIAL,
        };
        let output: String = self.lines.iter().map(|it| format!("{it}\n")).collect();
        if rc != 0 {
            let why = match rc {
                PARTIAL => "some files/attrs were not transferred (see previous errors)",
                3 => "errors selecting input/output files, dirs",
                _ => "error in file IO",
            };
            self.errors.push(format!("rsync error: {why} (code {rc})"));
            let outcome = Outcome::failed(self.errors.join("\n"));
            return outcome.with("changed", self.changed).with("cmd", command).with("rc", rc);
        }
        let lines = self.lines.into_iter().map(Value::from).collect();
        let mut outcome = Outcome::changed(self.changed)
            .with("msg", output.as_str())
            .with("rc", rc)
            .with("cmd", command)
            .with("stdout_lines", Value::list(lines));
        if context.diff {
            let mut diff = Map::new();
            diff.insert("prepared", output.into());
            outcome = outcome.with("diff", diff);
        }
        outcome
    }
}

/// A transfer.
struct Work<'a> {
    context: &'a TaskContext,
    ends: &'a Ends,
    end: host::End,
    told: Told,
    /// What the sender has and does not send.
    kept: Vec<Name>,
}

impl Work<'_> {
    /// Does all of it; a refusal is why nothing could be done.
    async fn run(&mut self, src: &str, dest: &str) -> Attempt<Option<Refusal>> {
        let (root, entries) = self.list(src).await?;
        if entries.is_empty() {
            return Ok(None);
        }
        let read_all = self.told.errors.is_empty();
        if let Err(refusal) = self.find(dest, &entries).await? {
            return Ok(Some(refusal));
        }
        if self.end.found.is_new {
            let shown = dest.trim_end_matches('/');
            self.told.lines.push(format!("created directory {shown}"));
        }
        let (wanted, lines) = self.compare(&entries).await?;
        let is_new = self.end.found.is_new;
        let mut unsent = HashSet::new();
        if !wanted.is_empty() || is_new {
            unsent = self.make(&root, &entries, &wanted).await?;
        }
        for (at, lines) in lines {
            if entries.get(at).is_some_and(|it| !unsent.contains(&it.name)) {
                self.told.changed = true;
                self.told.lines.extend(lines);
            }
        }
        // Rules that have just arrived count as well.
        let options = &self.end.options;
        let extra = if !options.delete {
            Extra::default()
        } else if read_all {
            self.extra(&entries).await?
        } else {
            // What could not be read may well be there.
            let note = "IO error encountered -- skipping file deletion";
            self.told.lines.push(note.to_owned());
            Extra::default()
        };
        self.told.changed |= extra.lines.iter().any(|it| it.starts_with('*'));
        self.told.lines.extend(extra.lines.iter().cloned());
        self.remove(&extra.names).await?;
        if !self.context.check {
            let at = wanted.iter().map(|(at, _)| *at);
            self.finish(&entries, at, &extra.within).await?;
        }
        Ok(None)
    }

    /// All that is to be there.
    async fn list(&mut self, src: &str) -> Attempt<(AnyPath, Vec<Entry>)> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut owners = Owners::default();
        let mut after = None;
        loop {
            let options = self.end.options.clone();
            let step = Step::List { src: src.to_owned(), options, after };
            let page: Listed = self.ends.sender.ask(&step, BTreeMap::new()).await?;
            entries.extend(page.entries);
            owners.users.extend(page.owners.users);
            owners.groups.extend(page.owners.groups);
            self.kept.extend(page.kept);
            self.told.lines.extend(page.notes);
            self.told.errors.extend(page.errors);
            after = page.next;
            if after.is_none() {
                self.end.owners = owners;
                if self.end.options.prune_empty_dirs {
                    prune(&mut entries);
                }
                return Ok((page.root, entries));
            }
        }
    }

    /// Where it goes.
    async fn find(&mut self, dest: &str, entries: &[Entry]) -> Attempt<Result<(), Refusal>> {
        let many = entries.len() > 1;
        let folder = entries.first().is_some_and(Entry::is_dir);
        let mkpath = self.end.options.mkpath;
        let step = Step::Find { dest: dest.to_owned(), many, folder, mkpath };
        let reply = self.ends.receiver.reply(&step, BTreeMap::new()).await?;
        let odd = |error: serde_json::Error| broken(self.context, error.to_string());
        if let Some(refused) = reply.get("refused") {
            let refusal: Refusal = serde_json::from_value(refused.to_json()).map_err(odd)?;
            return Ok(Err(refusal));
        }
        let found = reply.get("answer").map(Value::to_json).unwrap_or_default();
        self.end.found = serde_json::from_value::<Found>(found).map_err(odd)?;
        Ok(Ok(()))
    }

    /// Which entries differ, whether their contents are needed, and what is told of them.
    async fn compare(
        &mut self,
        entries: &[Entry],
    ) -> Attempt<(Vec<(usize, bool)>, Vec<(usize, Vec<String>)>)> {
        let (mut wanted, mut lines) = (Vec::new(), Vec::new());
        let mut asked = Vec::new();
        for batch in entries.chunks(ASKED) {
            asked.push(self.compared(batch));
        }
        let mut answers = stream::iter(asked).buffered(SIDE_BY_SIDE).enumerate();
        let mut errors = Vec::new();
        while let Some((batch, answer)) = answers.next().await {
            let compared = answer?;
            let mut displaced: HashMap<usize, Vec<String>> =
                compared.displaced.into_iter().collect();
            for differs in compared.differs {
                let at = batch * ASKED + differs.at;
                let Some(entry) = entries.get(at) else { continue };
                if !differs.errors.is_empty() {
                    errors.extend(differs.errors);
                    continue;
                }
                wanted.push((at, differs.content));
                if differs.item.is_empty() {
                    continue;
                }
                let mut told = displaced.remove(&differs.at).unwrap_or_default();
                let target = entry.target.as_ref().map(|it| format!(" -> {}", it.0.display()));
                let target = target.unwrap_or_default();
                told.push(format!("{} {}{target}", differs.item, entry.shown()));
                lines.push((at, told));
            }
        }
        drop(answers);
        self.told.errors.extend(errors);
        Ok((wanted, lines))
    }

    async fn compared(&self, batch: &[Entry]) -> Attempt<Compared> {
        let step = Step::Compare { end: self.end.clone(), entries: batch.to_vec() };
        self.ends.receiver.ask(&step, BTreeMap::new()).await
    }

    /// What is too much at the other end.
    async fn extra(&self, entries: &[Entry]) -> Attempt<Extra> {
        let mut folders: Vec<Folder> = Vec::new();
        let mut places: HashMap<Name, usize> = HashMap::new();
        let whole = |entry: &Entry| self.end.options.recursive || entry.name.is_root();
        for entry in entries {
            if let Some(parent) = entry.name.parent()
                && let Some(folder) = places.get(&parent).and_then(|at| folders.get_mut(*at))
            {
                folder.has.push(Name::from(entry.name.last().to_os_string()));
            }
            if entry.is_dir() && whole(entry) {
                places.insert(entry.name.clone(), folders.len());
                folders.push(Folder { name: entry.name.clone(), has: Vec::new() });
            }
        }
        for name in &self.kept {
            if let Some(parent) = name.parent()
                && let Some(folder) = places.get(&parent).and_then(|at| folders.get_mut(*at))
            {
                folder.has.push(Name::from(name.last().to_os_string()));
            }
        }
        let mut all = Extra::default();
        let mut rest = folders.into_iter().peekable();
        while rest.peek().is_some() {
            let (mut batch, mut size) = (Vec::new(), 0);
            while size < 4 * ASKED
                && let Some(folder) = rest.next()
            {
                size += 1 + folder.has.len();
                batch.push(folder);
            }
            let step = Step::Extra { end: self.end.clone(), folders: batch };
            let extra: Extra = self.ends.receiver.ask(&step, BTreeMap::new()).await?;
            all.lines.extend(extra.lines);
            all.names.extend(extra.names);
            all.within.extend(extra.within);
        }
        Ok(all)
    }

    /// Makes what differs; gives the names of files that could not be sent.
    async fn make(
        &mut self,
        root: &AnyPath,
        entries: &[Entry],
        wanted: &[(usize, bool)],
    ) -> Attempt<HashSet<Name>> {
        let check = self.context.check;
        let transfer = Transfer { ends: self.ends, root, end: &self.end, check };
        let wanted: Vec<_> =
            wanted.iter().filter_map(|(at, content)| Some((entries.get(*at)?, *content))).collect();
        let done = transfer.make(&wanted).await?;
        if !check {
            // What a dry run predicts of one batch, another may not see.
            self.told.errors.extend(done.errors);
        }
        Ok(done.unsent.into_iter().collect())
    }

    async fn remove(&mut self, names: &[Name]) -> Attempt<()> {
        for batch in names.chunks(ASKED) {
            let step = Step::Remove { end: self.end.clone(), names: batch.to_vec() };
            let applied: Applied = self.ends.receiver.ask(&step, BTreeMap::new()).await?;
            self.told.errors.extend(applied.errors);
        }
        Ok(())
    }

    /// Gives folders in which something was done the times that they shall have.
    async fn finish(
        &mut self,
        entries: &[Entry],
        done: impl Iterator<Item = usize>,
        within: &[Name],
    ) -> Attempt<()> {
        let mut touched: BTreeSet<Name> = within.iter().cloned().collect();
        for entry in done.filter_map(|at| entries.get(at)) {
            touched.extend(entry.name.parent());
            if entry.is_dir() {
                touched.insert(entry.name.clone());
            }
        }
        let folders: Vec<Entry> = entries
            .iter()
            .filter(|it| it.is_dir() && touched.contains(&it.name))
            .cloned()
            .collect();
        // Those beneath first: what is done to them changes those above.
        for batch in folders.chunks(ASKED).rev() {
            let step = Step::Finish { end: self.end.clone(), entries: batch.to_vec() };
            let applied: Applied = self.ends.receiver.ask(&step, BTreeMap::new()).await?;
            self.told.errors.extend(applied.errors);
        }
        Ok(())
    }
}

/// Leaves out folders in which there is nothing but folders.
fn prune(entries: &mut Vec<Entry>) {
    let mut full: HashSet<Name> = HashSet::new();
    for entry in entries.iter().filter(|it| !it.is_dir()) {
        let mut above = entry.name.parent();
        while let Some(name) = above {
            above = name.parent();
            if !full.insert(name) {
                break;
            }
        }
    }
    entries.retain(|it| !it.is_dir() || it.name.is_root() || full.contains(&it.name));
}
