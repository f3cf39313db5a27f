//! `ansible.builtin.template`: the controller's half. It renders the file; the module behind `copy`
//! puts the text in its place.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use davit_module::{Attachment, Rules};
use davit_run::{Action, Running, TaskContext};
use davit_template::{FileOptions, Overlay};
use davit_value::{Map, Value};
use jiff::{Timestamp, Zoned};
use nix::unistd::{Uid, User};
use schemars::JsonSchema;

use crate::copy::{Sent, preserve, send};
use crate::encode::encode;
use crate::failure::{Attempt, broken, refused, template_failed};
use crate::options::{filled, flag, no_raw_params, text, without};
use crate::source;

/// Renders a file of the controller for the host. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.template",
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

async fn run(context: &TaskContext, args: Map) -> Attempt {
    no_raw_params(context, &args, "template")?;
    for name in ["src", "dest"] {
        if let Some(value @ (Value::List(_) | Value::Map(_))) = args.get(name) {
            return Err(broken(
                context,
                format!("Invalid value provided for 'string': {}", value.repr()),
            ));
        }
    }
    if args.get("state").is_some_and(|it| !it.is_null()) {
        return Err(refused(context, "'state' cannot be specified on a template"));
    }
    let (Some(src), Some(dest)) = (text(&args, "src"), text(&args, "dest")) else {
        return Err(refused(context, "src and dest are required"));
    };
    let options = options(context, &args)?;
    let Some(path) = source::find(context, "templates", &src) else {
        return Err(refused(context, source::not_found(context, "templates", &src)));
    };
    let written = source::read(context, &path, true)?;
    let written = crate::encode::decode(&written);
    let about = about(&path, &src, &dest);
    let rendered = {
        let env = context.env();
        let mut about = about;
        if env.scope.get("ansible_managed").is_some() {
            about.remove("ansible_managed");
        }
        let scope = Overlay { top: &about, below: env.scope };
        let rendering = env.with_scope(&scope);
        rendering
            .render_file(&written, &path, &options)
            .map_err(|error| template_failed(context, &error))?
    };
    let encoding = filled(&args, "output_encoding").unwrap_or_else(|| "utf-8".to_owned());
    let bytes = encode(&rendered, &encoding).map_err(|why| broken(context, why))?;
    let mut args = without(&args, OWN);
    preserve(&mut args, || source::mode(&path));
    let name = Path::new(&src).file_name().map(|it| it.to_string_lossy().into_owned());
    let from = Sent { shown: &path, name: name.unwrap_or_default() };
    Ok(send(context, args, Some(from), Attachment::Bytes(bytes.into())).await)
}

/// Arguments that are about the rendering.
const OWN: &[&str] = &[
    "src",
    "newline_sequence",
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "trim_blocks",
    "lstrip_blocks",
    "output_encoding",
];

fn options(context: &TaskContext, args: &Map) -> Attempt<FileOptions> {
    let mut options = FileOptions::default();
    if let Some(newline) = text(args, "newline_sequence") {
        options.newline_sequence = newline_of(&newline)
            .ok_or_else(|| refused(context, "newline_sequence needs to be one of: \n, \r or"))?;
    }
    for (name, slot) in [
        ("block_start_string", &mut options.block_start_string),
        ("block_end_string", &mut options.block_end_string),
        ("variable_start_string", &mut options.variable_start_string),
        ("variable_end_string", &mut options.variable_end_string),
        ("comment_start_string", &mut options.comment_start_string),
        ("comment_end_string", &mut options.comment_end_string),
    ] {
        if let Some(given) = text(args, name) {
            *slot = given;
        }
    }
    options.trim_blocks = flag(args, "trim_blocks", true);
    options.lstrip_blocks = flag(args, "lstrip_blocks", false);
    Ok(options)
}

/// The line end that a user means, written out or as it is.
fn newline_of(text: &str) -> Option<String> {
    let newline = match text {
        "\\n" | "\n" => "\n",
        "\\r" | "\r" => "\r",
        "\\r\\n" | "\r\n" => "\r\n",
        _ => return None,
    };
    Some(newline.to_owned())
}

/// What a template may say about itself.
fn about(path: &Path, src: &str, dest: &str) -> Map {
    let mut vars = Map::new();
    let host = nix::sys::utsname::uname().ok();
    let host = host.map(|it| it.nodename().to_string_lossy().into_owned()).unwrap_or_default();
    vars.insert("ansible_managed", "Ansible managed".into());
    vars.insert("template_host", host.into());
    vars.insert("template_path", src.into());
    vars.insert("template_fullpath", path.to_string_lossy().as_ref().into());
    vars.insert("template_destpath", dest.into());
    let now = Zoned::now();
    vars.insert("template_run_date", Value::DateTime(now.datetime(), None));
    let Ok(found) = path.metadata() else { return vars };
    let owner = match User::from_uid(Uid::from_raw(found.uid())) {
        Ok(Some(user)) => Value::from(user.name),
        _ => i128::from(found.uid()).into(),
    };
    vars.insert("template_uid", owner);
    if let Some(at) = found.modified().ok().and_then(|at| Timestamp::try_from(at).ok()) {
        let at = at.to_zoned(now.time_zone().clone());
        vars.insert("template_mtime", Value::DateTime(at.datetime(), None));
    }
    vars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_named_in_two_ways() {
        for (text, expect) in [
            ("\\n", Some("\n")),
            ("\n", Some("\n")),
            ("\\r\\n", Some("\r\n")),
            ("\r", Some("\r")),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(newline_of(text).as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn a_template_knows_itself() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let vars = about(file.path(), "a.j2", "/etc/a");
        assert_eq!(vars.get("template_path").unwrap().to_str(), "a.j2");
        assert_eq!(vars.get("template_destpath").unwrap().to_str(), "/etc/a");
        for name in ["template_host", "template_uid", "template_mtime", "template_run_date"] {
            assert!(vars.contains(name), "{name}");
        }
    }
}
