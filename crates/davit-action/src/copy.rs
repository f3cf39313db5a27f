//! `ansible.builtin.copy`: the controller's half. It finds the files and sends them along; the
//! module of the same name puts each in its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use davit_module::{Attachment, Rules};
use davit_run::{Action, Outcome, Running, TaskContext};
use davit_value::{Args as Given, Map, Value};
use futures_util::{StreamExt, stream};
use schemars::JsonSchema;

use crate::failure::{Attempt, action_failed, as_action, broken, message};
use crate::options::{filled, flag, no_raw_params, text, without};
use crate::source;
use crate::tree::Tree;

/// Copies files of the controller to the host. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.copy",
    schema: || schemars::schema_for!(Args),
    rules: Rules::NONE,
    free_form: None,
    open: true,
    raw: false,
    inline: false,
    run: |context, args| {
        Box::pin(async move { run(context, args).await.unwrap_or_else(|it| it) }) as Running<'_>
    },
};

/// The name by which the module behind several actions is called.
const MODULE: &str = "ansible.legacy.copy";

/// A text is not to be put where a folder is.
const NO_FOLDER: &str = "can not use content with a dir as dest";

async fn run(context: &TaskContext, args: Map) -> Attempt {
    no_raw_params(context, &args, "copy")?;
    for name in ["src", "dest"] {
        if let Some(value @ (Value::List(_) | Value::Map(_))) = args.get(name) {
            return Err(broken(
                context,
                format!("{name} is a path and not a {}", value.type_name()),
            ));
        }
    }
    let src = filled(&args, "src");
    let content = args.get("content").filter(|it| !it.is_null()).cloned();
    let failed = |why: &str| Err(action_failed(context, why));
    if src.is_none() && content.is_none() {
        return failed("src (or content) is required");
    }
    let Some(dest) = filled(&args, "dest") else { return failed("dest is required") };
    if src.is_some() && content.is_some() {
        return failed("src and content are mutually exclusive");
    }
    if content.is_some() && dest.ends_with('/') {
        return failed(NO_FOLDER);
    }
    if let Some(content) = content {
        let bytes = content_text(context, &content)?.into_bytes();
        let mut args = without(&args, OWN);
        preserve(&mut args, || Some("0600".to_owned()));
        return Ok(send(context, args, None, Attachment::Bytes(bytes.into())).await);
    }
    let src = src.unwrap_or_default();
    if flag(&args, "remote_src", false) {
        let args = without(&args, &["content"]);
        return Ok(context
            .call_module(MODULE, TaskContext::reply_of(&args), BTreeMap::new())
            .await);
    }
    let Some(path) = source::find(context, "files", &src) else {
        let why = format!(
            "Unexpected AnsibleActionFail error: {}",
            source::not_found(context, "files", &src)
        );
        return Err(crate::failure::refused(context, why));
    };
    if path.is_dir() {
        return folder(context, &args, &path, &dest).await;
    }
    let decrypt = flag(&args, "decrypt", true);
    let attachment = source::attachment(context, &path, decrypt)?;
    let mut args = without(&args, OWN);
    preserve(&mut args, || source::mode(&path));
    let name = path.file_name().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
    let from = Sent { shown: &path, name };
    Ok(send(context, args, Some(from), attachment).await)
}

/// Arguments that the module does not get as they are.
const OWN: &[&str] = &["src", "content", "decrypt", "remote_src", "local_follow"];

/// What a text for a file is: dictionaries and lists are written as JSON.
fn content_text(context: &TaskContext, content: &Value) -> Attempt<String> {
    if !matches!(content, Value::Map(_) | Value::List(_) | Value::Tuple(_)) {
        return Ok(content.to_str());
    }
    let args = Given { positional: vec![content.clone()], ..Given::default() };
    let json = context.env().call_filter("to_json", args);
    json.map(|it| it.to_str()).map_err(|error| broken(context, error.to_string()))
}

/// `mode: preserve` becomes the mode that the source has.
pub(crate) fn preserve(args: &mut Map, mode: impl FnOnce() -> Option<String>) {
    if text(args, "mode").as_deref() != Some("preserve") {
        return;
    }
    match mode() {
        Some(mode) => args.insert("mode", mode.into()),
        None => args.remove("mode"),
    };
}

/// A file that is sent along: what results call it, and the name that it has in a folder.
pub(crate) struct Sent<'a> {
    pub(crate) shown: &'a Path,
    pub(crate) name: String,
}

/// Has the module put a content in its place.
pub(crate) async fn send(
    context: &TaskContext,
    mut args: Map,
    from: Option<Sent<'_>>,
    content: Attachment,
) -> Outcome {
    if let Some(from) = from {
        args.insert("src", from.shown.to_string_lossy().as_ref().into());
        args.insert("_original_basename", from.name.into());
    }
    let attachments = BTreeMap::from([("src".to_owned(), content.clone())]);
    let outcome = context.call_module(MODULE, TaskContext::reply_of(&args), attachments).await;
    if !outcome.is_failed() {
        return predicted(context, outcome);
    }
    let mut outcome = worded(context, outcome);
    // Arguments are found to be wrong after the content has been looked at.
    if message(&outcome).starts_with("Unsupported parameters") {
        let sums = content.open().and_then(|mut it| source::sums(&mut it));
        if let Ok((sha1, _)) = sums {
            outcome.result.insert("checksum", sha1.into());
        }
    }
    outcome
}

/// In check mode a file that would be written is told as changed, and no more than that.
fn predicted(context: &TaskContext, mut outcome: Outcome) -> Outcome {
    // What only gets other attributes has a `path`, what is written does not.
    let written = is_changed(&outcome) && !outcome.result.contains("path");
    if context.check && written {
        for key in TOLD {
            outcome.result.remove(key);
        }
    }
    outcome
}

/// What the module tells of a file that it has written.
const TOLD: &[&str] = &[
    "dest",
    "src",
    "checksum",
    "md5sum",
    "uid",
    "gid",
    "owner",
    "group",
    "mode",
    "size",
    "state",
    "secontext",
    "backup_file",
];

/// The module's failure in the words of the action, where the action finds it out in the original.
fn worded(context: &TaskContext, mut outcome: Outcome) -> Outcome {
    let msg = message(&outcome);
    for (name, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        if let Some(text) = outcome.result.get(name).and_then(Value::as_str) {
            let list = text.lines().map(Value::from).collect();
            outcome.result.insert(lines, Value::list(list));
        }
    }
    // Check mode does not ask for what tasks before this one would have made.
    if context.check && msg.starts_with("Destination directory ") {
        let mut changed = Outcome::changed(true);
        if let Some(diff) = outcome.result.get("diff").filter(|_| context.diff) {
            changed.result.insert("diff", diff.clone());
        }
        return changed;
    }
    if msg == NO_FOLDER {
        return as_action(context, outcome);
    }
    if msg.starts_with("Task failed: ") {
        outcome.causes = vec![davit_event::Cause {
            message: msg,
            origin: Some(context.origin().to_string()),
            help: None,
        }];
    }
    outcome
}

/// Copies a folder with all that is in it.
async fn folder(context: &TaskContext, args: &Map, path: &Path, dest: &str) -> Attempt {
    let shown = path.to_string_lossy().into_owned();
    let follow = flag(args, "local_follow", true);
    let root = path.to_path_buf();
    let walked = tokio::task::spawn_blocking(move || Tree::of(&root, follow)).await;
    let tree =
        walked.map_err(|error| broken(context, error.to_string()))?.map_err(|(path, error)| {
            let why = source::system_error(&error);
            broken(context, format!("{why}: '{}'", path.display()))
        })?;
    let dest = format!("{}/", dest.trim_end_matches('/'));
    let copying = Folder { context, args, dest: &dest };
    let mut last = Last::default();
    let mut files = Vec::with_capacity(tree.files.len());
    for (path, name) in &tree.files {
        files.push(copying.file(path, name));
    }
    last.take(files).await?;
    let mut folders = Vec::with_capacity(tree.folders.len());
    for name in &tree.folders {
        folders.push(copying.folder(name));
    }
    last.take(folders).await?;
    let mut links = Vec::with_capacity(tree.links.len());
    for (target, name) in &tree.links {
        links.push(copying.link(target, name));
    }
    last.take(links).await?;
    let Last { changed, last } = last;
    // A folder with a single file is told as what was done last.
    match last.filter(|_| tree.files.len() == 1) {
        Some(only) => Ok(only),
        None => Ok(Outcome::changed(changed).with("dest", dest).with("src", shown)),
    }
}

/// How many members of a folder are on their way at the same time.
const SIDE_BY_SIDE: usize = 32;

/// What came of the members of a folder.
#[derive(Default)]
struct Last {
    changed: bool,
    last: Option<Outcome>,
}

impl Last {
    /// Takes in results in the order of the members, and stops at the first failure.
    async fn take(&mut self, members: Vec<impl Future<Output = Attempt>>) -> Attempt<()> {
        let mut results = stream::iter(members).buffered(SIDE_BY_SIDE);
        while let Some(result) = results.next().await {
            let outcome = result?;
            self.changed |= is_changed(&outcome);
            self.last = Some(outcome);
        }
        Ok(())
    }
}

fn is_changed(outcome: &Outcome) -> bool {
    outcome.result.get("changed").is_some_and(|it| it.truthy().unwrap_or(false))
}

/// What the members of one folder have in common.
struct Folder<'a> {
    context: &'a TaskContext,
    args: &'a Map,
    dest: &'a str,
}

impl Folder<'_> {
    async fn file(&self, path: &Path, name: &str) -> Attempt {
        let decrypt = flag(self.args, "decrypt", true);
        let attachment = source::attachment(self.context, path, decrypt)?;
        let mut args = without(self.args, OWN);
        args.insert("dest", self.dest.into());
        preserve(&mut args, || source::mode(path));
        let from = Sent { shown: path, name: name.to_owned() };
        passed(send(self.context, args, Some(from), attachment).await)
    }

    async fn folder(&self, name: &str) -> Attempt {
        let mut args = self.attributes();
        args.remove("mode");
        if let Some(mode) = self.args.get("directory_mode").filter(|it| !it.is_null()) {
            args.insert("mode", mode.clone());
        }
        args.insert("state", "directory".into());
        args.insert("recurse", false.into());
        let mut outcome = self.set(args, name).await?;
        if let Some(path) = outcome.result.get("path").cloned() {
            outcome.result.insert("dest", path);
        }
        Ok(outcome)
    }

    async fn link(&self, target: &Path, name: &str) -> Attempt {
        let mut args = self.attributes();
        preserve(&mut args, || None);
        args.insert("state", "link".into());
        args.insert("src", target.to_string_lossy().as_ref().into());
        args.insert("force", true.into());
        match self.set(args, name).await {
            // The folder of the link is one that this very task would have made.
            Err(outcome)
                if self.context.check && message(&outcome).starts_with("Error while linking") =>
            {
                Ok(Outcome::changed(true))
            }
            other => other,
        }
    }

    /// The arguments that `file` has too.
    fn attributes(&self) -> Map {
        let mut found = Map::new();
        for name in ATTRIBUTES {
            if let Some(value) = self.args.get(name) {
                found.insert(*name, value.clone());
            }
        }
        found
    }

    async fn set(&self, mut args: Map, name: &str) -> Attempt {
        let path: PathBuf = Path::new(self.dest).join(name);
        args.insert("path", path.to_string_lossy().as_ref().into());
        let reply = TaskContext::reply_of(&args);
        passed(self.context.call_module("ansible.legacy.file", reply, BTreeMap::new()).await)
    }
}

const ATTRIBUTES: &[&str] = &[
    "mode",
    "owner",
    "group",
    "seuser",
    "serole",
    "setype",
    "selevel",
    "attributes",
    "attr",
    "unsafe_writes",
    "follow",
];

fn passed(outcome: Outcome) -> Attempt {
    if outcome.is_failed() || outcome.unreachable { Err(outcome) } else { Ok(outcome) }
}
