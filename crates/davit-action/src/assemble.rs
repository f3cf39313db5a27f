//! `ansible.builtin.assemble`: with `remote_src: false`, makes the file out of pieces of the
//! controller's; the module behind `copy` puts it in its place.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use davit_module::{Attachment, Rules};
use davit_pattern::{Flags, Pattern};
use davit_run::{Action, Running, TaskContext};
use davit_value::Map;
use schemars::JsonSchema;

use crate::copy::{Sent, send};
use crate::failure::{Attempt, broken, refused};
use crate::options::{filled, flag, no_raw_params, text, without};
use crate::source;

/// Makes one file out of the pieces in a folder. The module of the same name says what it takes.
#[derive(JsonSchema)]
struct Args {}

pub(crate) const ACTION: Action = Action {
    name: "ansible.builtin.assemble",
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
    no_raw_params(context, &args, "assemble")?;
    let (Some(src), Some(dest)) = (text(&args, "src"), text(&args, "dest")) else {
        return Err(refused(context, "src and dest are required"));
    };
    if flag(&args, "remote_src", true) {
        let reply = TaskContext::reply_of(&args);
        return Ok(context.call_module("ansible.legacy.assemble", reply, BTreeMap::new()).await);
    }
    let Some(folder) = source::find(context, "files", &src) else {
        return Err(broken(context, source::not_found(context, "files", &src)));
    };
    if !folder.is_dir() {
        return Err(refused(context, format!("Source ({}) is not a directory", folder.display())));
    }
    let bytes = assembled(context, &args, &folder)?;
    let (sha1, md5) = source::sums(&mut &bytes[..]).unwrap_or_default();
    let from = Sent { shown: &folder, name: "src".to_owned() };
    let content = Attachment::Bytes(bytes.into());
    let mut outcome = send(context, without(&args, OWN), Some(from), content).await;
    if outcome.is_failed() {
        outcome.result.remove("checksum");
    } else if !outcome.unreachable {
        outcome.result.remove("path");
        if !outcome.result.contains("dest") {
            outcome.result.insert("dest", dest.into());
        }
        // Here the original gives the one diff by itself, not in a list.
        let only = outcome.result.get("diff").and_then(|it| match it.as_list() {
            Some([one]) => Some(one.clone()),
            _ => None,
        });
        if let Some(diff) = only {
            outcome.result.insert("diff", diff);
        }
        outcome.result.insert("checksum", sha1.into());
        outcome.result.insert("md5sum", md5.into());
        outcome.result.insert("src", folder.to_string_lossy().as_ref().into());
    }
    Ok(outcome)
}

const OWN: &[&str] = &["src", "remote_src", "regexp", "delimiter", "ignore_hidden", "decrypt"];

/// All pieces in one.
fn assembled(context: &TaskContext, args: &Map, folder: &Path) -> Attempt<Vec<u8>> {
    let pattern = filled(args, "regexp")
        .map(|it| Pattern::new(&it, Flags::default()))
        .transpose()
        .map_err(|error| broken(context, error.to_string()))?;
    let hidden = !flag(args, "ignore_hidden", false);
    let decrypt = flag(args, "decrypt", true);
    let fail = |error: std::io::Error| {
        broken(context, format!("{}: '{}'", source::system_error(&error), folder.display()))
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        names.push(entry.map_err(fail)?.file_name());
    }
    names.sort();
    let mut pieces = Vec::new();
    for name in names {
        let text = name.to_string_lossy();
        let path = folder.join(&name);
        let fits = pattern.as_ref().is_none_or(|it| it.search(&text).unwrap_or(false));
        if fits && path.is_file() && (hidden || !text.starts_with('.')) {
            let piece = source::read(context, &path, decrypt);
            pieces.push(piece.map_err(|failure| source::locked(context, &path, failure))?);
        }
    }
    let delimiter = filled(args, "delimiter").map(|it| unescaped(&it));
    Ok(joined(&pieces, delimiter.as_deref()))
}

/// The pieces with the delimiter between them, each on lines of its own.
fn joined(pieces: &[Vec<u8>], delimiter: Option<&str>) -> Vec<u8> {
    let mut out = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        if at > 0 {
            if !out.ends_with(b"\n") && pieces.get(at - 1).is_some_and(|it| !it.ends_with(b"\n")) {
                out.push(b'\n');
            }
            if let Some(delimiter) = delimiter {
                out.extend_from_slice(delimiter.as_bytes());
                // The original ends the line even where the delimiter does so itself.
                out.push(b'\n');
            }
        }
        out.extend_from_slice(piece);
    }
    out
}

/// A text in which `\n`, `\t` and the like stand for what they mean.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('0') => out.push('\0'),
            Some(other @ ('\\' | '\'' | '"')) => out.push(other),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stand_on_lines_of_their_own() {
        let check = |pieces: &[&str], delimiter: Option<&str>, expect: &str| {
            let pieces: Vec<Vec<u8>> = pieces.iter().map(|it| it.as_bytes().to_vec()).collect();
            let got = String::from_utf8(joined(&pieces, delimiter)).unwrap();
            assert_eq!(got, expect, "{pieces:?} {delimiter:?}");
        };
        check(&["h", "a\n", "b"], None, "h\na\nb");
        check(&["a\n", "b"], Some("--\n"), "a\n--\n\nb");
        check(&["a", "b"], Some("--"), "a\n--\nb");
        check(&[], Some("--"), "");
    }

    #[test]
    fn escapes_are_read() {
        for (text, expect) in
            [("--\\n", "--\n"), ("a\\tb", "a\tb"), ("\\q\\", "\\q\\"), ("\\\\n", "\\n")]
        {
            assert_eq!(unescaped(text), expect, "{text}");
        }
    }
}
