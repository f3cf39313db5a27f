//! A world for a chain: canned services, metadata services over a socket or canned, a clock.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use davit_aws::{
    config::{Environment, Options, Settings},
    credentials::{
        BoxFuture, Call, CallError, Calls, Chain, Credentials, Http, Mfa, Setup, Surroundings,
        TransportError,
    },
    http::{Request, Response},
    value::{Map, Value},
};
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The services, answering as those of `chain.py` do, and what they were asked.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) log: Mutex<Vec<Json>>,
    /// What each call fails with instead.
    pub(crate) fails: Mutex<Option<CallError>>,
    /// How long credentials are good for; zero stands for an hour.
    pub(crate) seconds: AtomicI64,
    pub(crate) now: AtomicI64,
}

impl Services {
    fn now(&self) -> Timestamp {
        match self.now.load(Ordering::SeqCst) {
            0 => Timestamp::now(),
            now => Timestamp::from_second(now).unwrap(),
        }
    }

    fn answer(&self, call: &Call<'_>) -> Result<Json, CallError> {
        let text = |name: &str| call.parameters[name].as_str().unwrap().to_owned();
        let seconds = match self.seconds.load(Ordering::SeqCst) {
            0 => 3600,
            seconds => seconds,
        };
        let expires = self.now().as_second() + seconds;
        Ok(match call.operation {
            "AssumeRole" | "AssumeRoleWithWebIdentity" => {
                let role = text("RoleArn");
                let with = call.credentials.map_or("", |it| it.access_key_id.as_str());
                let account = role.split(':').nth(4).unwrap();
                json!({
                    "Credentials": {
                        "AccessKeyId": format!("{with}>{}", role.rsplit('/').next().unwrap()),
                        "SecretAccessKey": "secret",
                        "SessionToken": "token",
                        "Expiration": Timestamp::from_second(expires).unwrap().to_string(),
                    },
                    "AssumedRoleUser": { "Arn": format!("arn:aws:sts::{account}:assumed-role/x/y") },
                })
            }
            "GetRoleCredentials" => json!({ "roleCredentials": {
                "accessKeyId": format!("sso>{}", text("roleName")),
                "secretAccessKey": "secret",
                "sessionToken": "token",
                "expiration": expires * 1000,
            }}),
            "CreateToken" if text("refreshToken") == "bad" => {
                let code = Some("InvalidGrantException".to_owned());
                return Err(CallError { code, message: "bad".to_owned(), members: Map::new() });
            }
            "CreateToken" => {
                json!({ "accessToken": "fresh", "expiresIn": 3600, "refreshToken": "next" })
            }
            "CreateOAuth2Token" => {
                let (name, value) = call.sign_address.unwrap()("https://signin.example/v1/token");
                assert_eq!((name.as_str(), value.split('.').count()), ("DPoP", 3));
                json!({ "tokenOutput": {
                    "accessToken": {
                        "accessKeyId": "login>fresh",
                        "secretAccessKey": "secret",
                        "sessionToken": "token",
                    },
                    "expiresIn": 3600,
                    "refreshToken": "next",
                }})
            }
            other => panic!("{other}"),
        })
    }
}

impl Calls for Services {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Map, CallError>> {
        Box::pin(async move {
            // Others run meanwhile, as they would with a real service.
            tokio::task::yield_now().await;
            let parameters = Value::Map(call.parameters.clone()).to_json();
            self.log.lock().unwrap().push(json!([call.operation, parameters]));
            if let Some(error) = self.fails.lock().unwrap().clone() {
                return Err(error);
            }
            match Value::from(self.answer(&call)?) {
                Value::Map(map) => Ok(map),
                other => panic!("{other:?}"),
            }
        })
    }
}

/// HTTP over a socket, as much of it as `chain.py` speaks.
pub(crate) struct Socket;

impl Http for Socket {
    fn send(
        &self,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let error = |timed_out| TransportError { message: "no answer".to_owned(), timed_out };
            match tokio::time::timeout(timeout, talk(&request)).await {
                Ok(answer) => answer.map_err(|_| error(false)),
                Err(_) => Err(error(true)),
            }
        })
    }
}

async fn talk(request: &Request) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect(&request.host).await?;
    let mut text = format!("{} {} HTTP/1.0\r\nHost: x\r\n", request.method, request.path);
    for (name, value) in request.headers.iter() {
        text += &format!("{name}: {value}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Response { status, body: body.to_owned().into(), ..Response::default() })
}

/// A status and a body; nothing is a time-out.
type Answer = Option<(u16, String)>;

/// Canned answers by method and address, used up one by one; the last is given on and on.
#[derive(Default)]
pub(crate) struct Canned {
    answers: Mutex<HashMap<String, Vec<Answer>>>,
    pub(crate) log: Mutex<Vec<String>>,
}

impl Canned {
    pub(crate) fn put(&self, what: &str, answer: Option<(u16, &str)>) {
        let answer = answer.map(|(status, body)| (status, body.to_owned()));
        self.answers.lock().unwrap().entry(what.to_owned()).or_default().push(answer);
    }

    pub(crate) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl Http for Canned {
    fn send(
        &self,
        request: Request,
        _: Duration,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        let what = format!("{} {}", request.method, request.url());
        let mut line = what.clone();
        for name in ["authorization", "x-aws-ec2-metadata-token"] {
            if let Some(value) = request.headers.get(name) {
                line += &format!(" [{value}]");
            }
        }
        self.log.lock().unwrap().push(line);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.get_mut(&what) {
            Some(left) if left.len() > 1 => left.remove(0),
            Some(left) => left[0].clone(),
            None => Some((404, String::new())),
        };
        Box::pin(async move {
            let error = TransportError { message: "timed out".to_owned(), timed_out: true };
            let (status, body) = answer.ok_or(error)?;
            Ok(Response { status, body: body.into(), ..Response::default() })
        })
    }
}

/// Somebody with a device.
struct Person;

impl Mfa for Person {
    fn code<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        Box::pin(async { Some("123456".to_owned()) })
    }
}

/// A home folder with files.
pub(crate) fn home(files: &[(&str, &str)]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    home
}

/// What a chain works with in a home folder.
pub(crate) fn setup(
    home: &Path,
    environment: Environment,
    profile: Option<&str>,
    http: Arc<dyn Http>,
    services: &Arc<Services>,
) -> Result<Setup, String> {
    let options = Options { profile: profile.map(str::to_owned), ..Options::default() };
    let (settings, profiles) =
        Settings::load(&options, &environment, Some(home)).map_err(|it| it.to_string())?;
    let mut surroundings = Surroundings::new(environment, Some(home.to_owned()));
    surroundings.pause = Duration::ZERO;
    let clock = services.clone();
    surroundings.now = Arc::new(move || clock.now());
    Ok(Setup {
        surroundings,
        profiles,
        settings: Arc::new(settings),
        explicit: None,
        http,
        calls: services.clone(),
        mfa: Some(Arc::new(Person)),
    })
}

/// An error with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// What a chain finds, or why it finds nothing.
pub(crate) fn find(chain: &Chain) -> Result<Arc<Credentials>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(chain.credentials()).map_err(|it| told(&it))
}
