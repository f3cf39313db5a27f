//! One call: its body and answer from and to files, its pages, what is waited for, and how the answer looks.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use davit_aws::Client;
use davit_aws::client::{Call, Waiting};
use davit_aws::command::{Format, Look, Paging, Parsed, Save, Skeleton, render, skeleton};
use davit_aws::connection::{Body, FilePart, Pieces};
use davit_aws::paginate::Paginator;
use davit_aws::session::Session;
use davit_aws::value::{Map, Value};

use super::session::{self, Said};
use super::{codes, report};
use crate::report::{Report, exit, print, warn};

/// Makes a call that was understood.
pub(super) fn run(parsed: Parsed) -> Result<u8, Report> {
    let globals = &parsed.globals;
    if globals.debug {
        let filter = tracing_subscriber::EnvFilter::new("davit_aws=debug,hyper_util=debug");
        let _ =
            tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).try_init();
    }
    if let Some(kind) = parsed.skeleton {
        let operation = parsed.command.operation;
        let (shape, answer) = match kind {
            Skeleton::Input => (operation.input, false),
            Skeleton::Output => (operation.output, true),
        };
        let value = skeleton(parsed.command.service, shape, answer);
        let format = globals.output.unwrap_or_default();
        print(&render(&value, format, look(operation.name, globals.colour)))?;
        return Ok(exit::OK);
    }
    let session = session::make(&Said {
        region: globals.region.clone(),
        profile: globals.profile.clone(),
        endpoint_url: globals.endpoint_url.clone(),
        ca_bundle: globals.ca_bundle.clone(),
        anonymous: globals.anonymous,
        insecure: globals.insecure,
        connect_timeout: globals.connect_timeout,
        read_timeout: globals.read_timeout,
    })?;
    session::until_done(made(&session, parsed))
}

async fn made(session: &Session, parsed: Parsed) -> Result<u8, Report> {
    let client = &session.client;
    let service = parsed.command.service;
    let operation = parsed.command.operation;
    if let Some(waiter) = parsed.command.waiter {
        let waiting = Waiting::default();
        let waited = client.wait(service.name, waiter, parsed.params, waiting).await;
        return waited.map(|_| exit::OK).map_err(|error| report(&error).code(codes::GENERAL));
    }
    let paginator = Paginator::of(service, operation).map_err(|error| report(&error.into()))?;
    let of_pages = paginator.filter(|_| parsed.paging.all && parsed.body.is_none());
    let mut values = if let Some(paginator) = of_pages {
        let of = (service.name, operation.name);
        pages(client, of, &paginator, parsed.params, &parsed.paging).await?
    } else {
        let mut call = Call::new(service.name, operation.name, parsed.params);
        if let Some(body) = &parsed.body {
            call = call.body(open(&body.path)?);
        }
        let mut opened = client.open(call).await.map_err(|error| report(&error))?;
        match (opened.streams(), &parsed.outfile) {
            (Some(_), Some(path)) if parsed.command.stream_member().is_some() => {
                save(&mut opened, path).await?;
                opened.output().values.clone()
            }
            _ => opened.read(1 << 30).await.map_err(|error| report(&error))?.values,
        }
    };
    for part in &parsed.saves {
        put_aside(&mut values, part)?;
    }
    show(session, &parsed.globals, operation.name, Value::Map(values))
}

pub(super) fn look(title: &str, colour: Option<bool>) -> Look<'_> {
    let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
    let colour = colour.unwrap_or_else(|| {
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
    });
    Look { title, width, colour }
}

fn show(
    session: &Session,
    globals: &davit_aws::command::Globals,
    title: &str,
    values: Value,
) -> Result<u8, Report> {
    let configured = session.settings.cli.output.and_then(Format::of);
    let format = globals.output.or(configured).unwrap_or_default();
    let shown = match &globals.query {
        Some(query) => {
            query.search(&values).map_err(|error| Report::of(&error).code(codes::USAGE))?
        }
        None => values,
    };
    print(&render(&shown, format, look(title, globals.colour)))?;
    Ok(exit::OK)
}

/// The pages that are wanted, as one answer; with `NextToken` where more would come.
async fn pages(
    client: &Client,
    (service, operation): (&str, &str),
    paginator: &Paginator,
    mut params: Map,
    paging: &Paging,
) -> Result<Map, Report> {
    let failed = |error: davit_aws::Error| report(&error);
    let mut skipped = 0;
    if let Some(token) = &paging.starting_token {
        let (tokens, shown) = paginator.start(token).map_err(|error| failed(error.into()))?;
        tokens.put(&mut params);
        skipped = shown;
    }
    if let (Some(size), Some(key)) = (paging.page_size, paginator.limit_key) {
        params.insert(key.to_owned(), i64::try_from(size).unwrap_or(i64::MAX).into());
    }
    let mut left = paging.max_items.map(|it| usize::try_from(it).unwrap_or(usize::MAX));
    let mut whole = paginator.whole();
    let token = loop {
        let output = client.call(service, operation, params.clone()).await.map_err(failed)?;
        let mut page = Value::Map(output.values);
        let there = paginator.count(&page).saturating_sub(skipped);
        let next = paginator.next(&page, &params).map_err(|error| failed(error.into()))?;
        if skipped > 0 || left.is_some_and(|left| there > left) {
            paginator.cut(&mut page, skipped, left);
        }
        whole.add(&page);
        if let Some(rest) = left.as_mut() {
            if there > *rest {
                break Some(paginator.resume_token(&params, skipped + *rest));
            }
            *rest -= there;
        }
        skipped = 0;
        let Some(next) = next else { break None };
        next.put(&mut params);
        if left == Some(0) {
            break Some(paginator.resume_token(&params, 0));
        }
    };
    let mut values = whole.end();
    if let Some(token) = token {
        values.insert("NextToken".to_owned(), token.into());
    }
    Ok(values)
}

/// A file, or what comes in by `-`, as a body.
fn open(path: &str) -> Result<Body, Report> {
    if path == "-" {
        return Ok(Body::Stream { pieces: input(), length: None });
    }
    let found = std::fs::metadata(path).map_err(|error| {
        Report::new(format!("{path} cannot be read: {error}")).code(codes::USAGE)
    })?;
    Ok(Body::File(FilePart { path: path.into(), from: 0, length: found.len() }))
}

/// What comes in on standard input.
pub(super) fn input() -> Pieces {
    let input = tokio::io::stdin();
    let pieces = futures_util::stream::unfold(input, |mut input| async move {
        use tokio::io::AsyncReadExt as _;
        let mut bytes = vec![0; 64 << 10];
        match input.read(&mut bytes).await {
            Ok(0) => None,
            Ok(size) => {
                bytes.truncate(size);
                Some((Ok(bytes.into()), input))
            }
            Err(error) => Some((Err(error), input)),
        }
    });
    Pieces::new(pieces)
}

/// Writes a body to a file, which is there when it is whole; to standard output for `-`.
async fn save(opened: &mut davit_aws::client::Opened, path: &str) -> Result<(), Report> {
    let wrong = |error: io::Error| {
        Report::new(format!("{path} cannot be written: {error}")).code(codes::GENERAL)
    };
    if path == "-" || path == "/dev/stdout" {
        let mut out = io::stdout();
        while let Some(chunk) = opened.chunk().await.map_err(|error| report(&error))? {
            out.write_all(&chunk).map_err(wrong)?;
        }
        return out.flush().map_err(wrong);
    }
    let path = Path::new(path);
    // What is no file (a pipe, a device) cannot be swapped for one.
    if std::fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        let mut file = File::create(path).map_err(wrong)?;
        return copy(opened, &mut file).await;
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".davit-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(wrong)?;
    copy(opened, file.as_file_mut()).await?;
    file.persist(path).map(drop).map_err(|error| wrong(error.error))
}

async fn copy(opened: &mut davit_aws::client::Opened, file: &mut File) -> Result<(), Report> {
    while let Some(chunk) = opened.chunk().await.map_err(|error| report(&error))? {
        file.write_all(&chunk).map_err(|error| Report::of(&error).code(codes::GENERAL))?;
    }
    Ok(())
}

/// Puts a part of the answer into a file that only its owner may read, and hides it.
fn put_aside(values: &mut Map, save: &Save) -> Result<(), Report> {
    let mut whole = Value::Map(std::mem::take(values));
    let outcome = match whole.at(&save.part) {
        Some(part) => write_private(&save.path, part),
        None => {
            warn(&format!(
                "the answer has no {}: {} is not written",
                save.part.join("."),
                save.path
            ));
            Ok(())
        }
    };
    for path in &save.conceals {
        conceal(&mut whole, path);
    }
    if let Value::Map(map) = whole {
        *values = map;
    }
    outcome
}

fn write_private(path: &str, part: &Value) -> Result<(), Report> {
    let wrong = |error: io::Error| {
        Report::new(format!("{path} cannot be written: {error}")).code(codes::GENERAL)
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(wrong)?;
    match part {
        Value::String(text) => file.write_all(text.as_bytes()),
        Value::Blob(bytes) => file.write_all(bytes),
        other => file.write_all(other.to_json().to_string().as_bytes()),
    }
    .map_err(wrong)
}

fn conceal(value: &mut Value, path: &[&str]) {
    let [first, rest @ ..] = path else { return };
    let Value::Map(map) = value else { return };
    if rest.is_empty() {
        map.shift_remove(*first);
    } else if let Some(inner) = map.get_mut(*first) {
        conceal(inner, rest);
    }
}

/// Reads the file of `file://` and `fileb://`.
pub(super) fn read(path: &str) -> io::Result<Vec<u8>> {
    if path == "-" || path == "/dev/stdin" {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::stdin(), &mut bytes)?;
        return Ok(bytes);
    }
    let path = match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    };
    std::fs::read(path)
}

/// YAML as JSON.
pub(super) fn yaml(text: &str) -> Result<serde_json::Value, String> {
    let name = std::sync::Arc::from("the input");
    davit_yaml::load(text, &name, &davit_yaml::Convert::default())
        .map(|it| it.to_json())
        .map_err(|error| error.to_string())
}
