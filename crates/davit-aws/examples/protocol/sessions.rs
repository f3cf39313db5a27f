//! Whole sessions: credentials looked for in a home folder that the request describes, and calls made
//! with them, all answered by what was recorded.

use std::{
    path::{Component, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use davit_aws::{
    Error,
    client::Call,
    config::{Environment, Options},
    connection::Transport,
    credentials::{Attempt, Credentials, CredentialsError, Mfa},
    session::{Parts, Session},
    time,
};
use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal, Style},
    models::Models,
    recording::Recording,
    wire,
};

/// The clock of the request that is answered, in microseconds; zero stands for the machine's.
static NOW: AtomicI64 = AtomicI64::new(0);

fn now() -> Timestamp {
    match NOW.load(Ordering::Relaxed) {
        0 => Timestamp::now(),
        micros => Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// How long before the first of its credentials end a recording was made, where nobody says.
const RECORDED_BEFORE: SignedDuration = SignedDuration::from_hours(1);

/// What the clock shows; nothing for the machine's.
fn clock(asked: Asked<'_>, recording: &Recording) -> Option<Timestamp> {
    match asked.any(&["now", "timestamp"]) {
        Some(Json::String(text)) => time::parse(text),
        Some(Json::Number(seconds)) => seconds.as_f64().and_then(time::from_seconds),
        // A recording that is old by now was not then.
        _ => {
            let ends = recording.ends().filter(|it| *it <= Timestamp::now())?;
            ends.checked_sub(RECORDED_BEFORE).ok()
        }
    }
}

/// A session as a request describes it.
struct World {
    session: Session,
    recording: Arc<Recording>,
    home: tempfile::TempDir,
    files: Vec<String>,
    runtime: tokio::runtime::Runtime,
}

/// Somebody who knows the code of the device.
struct Person(String);

impl Mfa for Person {
    fn code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async { Some(self.0.clone()) })
    }
}

impl World {
    fn new(asked: Asked<'_>) -> Result<Self, Refusal> {
        let failed = |it: std::io::Error| Refusal::of("request", &it);
        let recording = Arc::new(Recording::read(asked)?);
        NOW.store(clock(asked, &recording).map_or(0, Timestamp::as_microsecond), Ordering::Relaxed);
        let root = tempfile::tempdir().map_err(failed)?;
        let variables = asked.texts("env").into_iter().chain(asked.texts("environment"));
        let variables: Vec<(String, String)> = variables.collect();
        let home = variables.iter().find(|(name, _)| name == "HOME").map(|(_, it)| it.clone());
        let home = home.unwrap_or_else(|| asked.text("home").unwrap_or("/home").to_owned());
        let files: Vec<(String, String)> = asked.texts("files");
        let names = files.iter().flat_map(|(name, _)| [absolute(name, &home), name.clone()]);
        let names: Vec<String> = names.filter(|it| !it.starts_with('~')).collect();
        let texts = Moved { root: root.path(), names: &names };
        for (name, text) in &files {
            let path = texts.path(&absolute(name, &home));
            let folder = path.parent().unwrap_or(root.path());
            std::fs::create_dir_all(folder).map_err(failed)?;
            std::fs::write(&path, texts.text(text)).map_err(failed)?;
        }
        let variables = variables.into_iter().map(|(name, value)| (name, texts.text(&value)));
        let variables: Vec<(String, String)> = variables.collect();
        let home = texts.path(&home);
        let mut options = Options { profile: asked.owned(&["profile"]), ..Options::default() };
        for (name, value) in asked.texts("options") {
            options = options.with(&name, value);
        }
        let mfa = asked.text("mfa_code").map(|it| Arc::new(Person(it.to_owned())) as Arc<dyn Mfa>);
        let session = Session::new(Parts {
            options,
            environment: variables.into_iter().collect::<Environment>(),
            home: Some(home),
            anonymous: asked.flag(&["anonymous"]).unwrap_or(false),
            mfa,
            transport: Some(Arc::clone(&recording) as Arc<dyn Transport>),
            now: Some(now),
            ..Parts::default()
        });
        let session = session.map_err(|it| Refusal::of("settings", &it))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        Ok(Self { session, recording, home: root, files: names, runtime })
    }

    /// What was asked over the network, and how many answers nobody asked for.
    fn tell(&self, mut answer: Json) -> Json {
        let (requests, left) = self.recording.told();
        let into = if answer.get("error").is_some() { &mut answer["error"] } else { &mut answer };
        into["requests"] = requests;
        into["unused"] = left.into();
        // Files are told by the names that the request gave them.
        let text = self.moved().back(&answer.to_string());
        serde_json::from_str(&text).unwrap_or(answer)
    }

    fn moved(&self) -> Moved<'_> {
        Moved { root: self.home.path(), names: &self.files }
    }

    /// The files as they are now, new ones included.
    fn files(&self) -> Json {
        let mut files = JsonMap::new();
        let mut folders = vec![self.home.path().to_owned()];
        let texts = self.moved();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if let (Ok(text), Ok(inner)) =
                    (std::fs::read_to_string(&path), path.strip_prefix(self.home.path()))
                {
                    files.insert(format!("/{}", inner.display()), texts.back(&text).into());
                }
            }
        }
        Json::Object(files)
    }
}

/// The whole name of a file, as suites have it in the folder that stands for `/`, or in the home folder.
fn absolute(name: &str, home: &str) -> String {
    match name.strip_prefix("~/") {
        Some(rest) => format!("{home}/{rest}"),
        None => format!("/{}", name.trim_start_matches('/')),
    }
}

/// Files that are not where the request says: all of them are in a folder of their own.
struct Moved<'a> {
    root: &'a Path,
    names: &'a [String],
}

impl Moved<'_> {
    fn path(&self, name: &str) -> PathBuf {
        if Path::new(name).starts_with(self.root) {
            return name.into();
        }
        // No name leads out of the folder.
        let inner = Path::new(name).components();
        let inner = inner.filter(|it| matches!(it, Component::Normal(_)));
        self.root.join(inner.collect::<PathBuf>())
    }

    /// A text in which the names of files are those of the files.
    fn text(&self, text: &str) -> String {
        if self.names.iter().any(|it| it == text) {
            return self.path(text).display().to_string();
        }
        let absolute = self.names.iter().filter(|it| it.starts_with('/'));
        let mut longest: Vec<&String> = absolute.collect();
        longest.sort_by_key(|it| std::cmp::Reverse(it.len()));
        let mut moved = text.to_owned();
        for name in longest {
            // What was moved already has the folder in front.
            let to = self.path(name).display().to_string();
            moved = moved.replace(&to, "\0").replace(name.as_str(), "\0").replace('\0', &to);
        }
        moved
    }

    fn back(&self, text: &str) -> String {
        text.replace(&self.root.display().to_string(), "")
    }
}

pub(crate) fn credentials(asked: Asked<'_>, _: &mut Models) -> Answer {
    let world = World::new(asked)?;
    let session = &world.session;
    let found = world.runtime.block_on(session.chain.credentials());
    let tried: Json = session.chain.explain().iter().map(attempt).collect();
    let answer = match found {
        Ok(found) => {
            let method = session.chain.place().map(davit_aws::credentials::Place::method);
            json!({ "credentials": told(&found), "provider": method })
        }
        Err(error) => {
            let method = match &error {
                CredentialsError::Failed { place, .. } => Some(place.method()),
                CredentialsError::Nowhere { .. } => None,
            };
            let refusal = Refusal::of("credentials", &error);
            refusal.with("provider", json!(method)).with("tried", tried).into_json()
        }
    };
    let mut answer = world.tell(answer);
    if asked.flag(&["show_files"]) == Some(true) {
        answer["files"] = world.files();
    }
    Ok(answer)
}

fn attempt(attempt: &Attempt) -> Json {
    json!({"provider": attempt.place.method(), "result": attempt.result})
}

fn told(credentials: &Credentials) -> Json {
    json!({
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "session_token": credentials.session_token,
        "account_id": credentials.account_id,
        "expiry": credentials.expires.map(Timestamp::as_second),
        "source": credentials.source,
    })
}

pub(crate) fn token(asked: Asked<'_>, _: &mut Models) -> Answer {
    let world = World::new(asked)?;
    let name = asked.text("signing_name").unwrap_or_default();
    let token = world.runtime.block_on(world.session.chain.token(name));
    let answer = match token {
        Ok(Some(token)) => json!({ "token": token }),
        Ok(None) => {
            Refusal::new("credentials", "no variable and no profile gives a token").into_json()
        }
        Err(error) => Refusal::of("credentials", &error).into_json(),
    };
    let mut answer = world.tell(answer);
    if asked.flag(&["show_files"]) == Some(true) {
        answer["files"] = world.files();
    }
    Ok(answer)
}

pub(crate) fn presign(asked: Asked<'_>, models: &mut Models) -> Answer {
    let world = World::new(asked)?;
    let (service, operation) = models.operation(asked)?;
    let params = wire::params(asked, service, operation, "params")?;
    let call = Call::new(service.name, operation.name, params);
    let expires = Duration::from_secs(asked.number(&["expires", "expires_in"]).unwrap_or(3600));
    let url = world.runtime.block_on(world.session.client.presign(call, expires));
    let answer = match url {
        Ok(url) => json!({ "url": url }),
        Err(error) => Refusal::of("call", &error).into_json(),
    };
    Ok(world.tell(answer))
}

pub(crate) fn call(asked: Asked<'_>, models: &mut Models) -> Answer {
    let world = World::new(asked)?;
    let (service, operation) = models.operation(asked)?;
    let params = wire::params(asked, service, operation, "params")?;
    let style = Style::of(asked);
    let client = &world.session.client;
    let outcome = world.runtime.block_on(client.call(service.name, operation.name, params));
    let answer = match outcome {
        Ok(output) => json!({
            "result": style.map(output.values),
            "metadata": style.json(&output.metadata.to_value()),
            "attempts": output.attempts,
        }),
        Err(Error::Service(error)) => wire::service_error(&error, style).into_json(),
        Err(error) => Refusal::of("call", &error).into_json(),
    };
    Ok(world.tell(answer))
}
