//! What botocore is not asked about: how errors read, when credentials are refreshed,
//! what a chain of profiles is.

use std::sync::{Arc, atomic::Ordering};

use davit_aws::{
    config::Profiles,
    credentials::{CallError, Chain, Credentials, Place, Step, plan},
    value::{Map, Value},
};
use serde_json::json;

use super::world::{Canned, Services, find, home, setup};

const NOW: i64 = 1_700_000_000;

pub(super) struct World {
    pub(super) home: tempfile::TempDir,
    pub(super) services: Arc<Services>,
    pub(super) http: Arc<Canned>,
    pub(super) variables: Vec<(&'static str, String)>,
}

impl World {
    pub(super) fn new(files: &[(&str, &str)], variables: &[(&'static str, &str)]) -> Self {
        let services = Arc::new(Services::default());
        services.now.store(NOW, Ordering::SeqCst);
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let http = Arc::new(Canned::default());
        Self { home: home(files), services, http, variables: variables.collect() }
    }

    pub(super) fn chain(&self, profile: Option<&str>) -> Chain {
        let environment = self.variables.iter().cloned().collect();
        let setup =
            setup(self.home.path(), environment, profile, self.http.clone(), &self.services);
        Chain::new(setup.unwrap())
    }

    /// The error, with `~` for the home folder.
    pub(super) fn error(&self, profile: Option<&str>) -> String {
        let error = find(&self.chain(profile)).unwrap_err();
        error.replace(&*self.home.path().to_string_lossy(), "~")
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.services.now.fetch_add(seconds, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.services.log.lock().unwrap().len()
    }
}

#[test]
fn who_finds_nothing_says_where_it_looked() {
    let off = [("AWS_EC2_METADATA_DISABLED", "true")];
    assert_eq!(
        World::new(&[], &off).error(None),
        "no credentials: looked in the environment (AWS_ACCESS_KEY_ID is not set), assumed role (there is no profile `default`), \
         web identity (AWS_WEB_IDENTITY_TOKEN_FILE is not set and there is no profile `default`), SSO (there is no profile `default`), \
         credentials file (there is no ~/.aws/credentials), login session (there is no profile `default`), \
         credential process (there is no profile `default`), configuration file (there is no ~/.aws/config), \
         container (neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set), \
         instance metadata (AWS_EC2_METADATA_DISABLED is set); \
         set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `davit aws configure` or `davit aws sso login`"
    );
    let world = World::new(&[(".aws/config", "[profile dev]")], &[]);
    let chain = world.chain(Some("dev"));
    let error = find(&chain).unwrap_err();
    assert!(
        error.contains("the environment (not looked at: profile `dev` was asked for)"),
        "{error}"
    );
    assert!(error.contains("assumed role (profile `dev` has no `role_arn`)"), "{error}");
    assert!(error.contains("instance metadata (the instance has no role)"), "{error}");
    assert_eq!(chain.explain().len(), 10);
    assert_eq!(chain.place(), None);
}

#[test]
fn the_first_place_that_has_some_wins_and_is_told() {
    let files =
        [(".aws/credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = hidden")];
    let world = World::new(&files, &[]);
    let chain = world.chain(None);
    let found = find(&chain).unwrap();
    assert_eq!((found.access_key_id.as_str(), chain.place()), ("A", Some(Place::SharedFile)));
    let path = world.home.path().join(".aws/credentials");
    assert_eq!(found.source, format!("profile default of {}", path.display()));
    assert_eq!(chain.explain().last().unwrap().result, "found");
    assert!(!format!("{found:?} {chain:?}").contains("hidden"));
    let environment = world.variables.iter().cloned().collect();
    let mut given =
        setup(world.home.path(), environment, None, world.http.clone(), &world.services).unwrap();
    given.explicit =
        Some(Credentials { access_key_id: "B".to_owned(), ..Credentials::clone(&found) });
    let chain = Chain::new(given);
    assert_eq!(find(&chain).unwrap().access_key_id, "B");
    assert_eq!(chain.place(), Some(Place::Explicit));
}

/// A configuration file, variables, what is said.
type Told = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const PROBLEMS: &[Told] = &[
    (
        "",
        &[("AWS_ACCESS_KEY_ID", "A")],
        "no credentials from the environment: AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
    ),
    (
        "",
        &[
            ("AWS_ACCESS_KEY_ID", "A"),
            ("AWS_SECRET_ACCESS_KEY", "S"),
            ("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z"),
        ],
        "no credentials from the environment: what environment gives has ended at 2020-01-01T00:00:00Z",
    ),
    (
        "",
        &[
            ("AWS_ACCESS_KEY_ID", "A"),
            ("AWS_SECRET_ACCESS_KEY", "S"),
            ("AWS_CREDENTIAL_EXPIRATION", "soon"),
        ],
        "no credentials from the environment: variable AWS_CREDENTIAL_EXPIRATION is `soon`, which is no time such as 2026-01-02T03:04:05Z",
    ),
    (
        "[default]\nrole_arn = r",
        &[],
        "no credentials from assumed role: profile `default`: has a `role_arn` and nothing to assume it with: add `source_profile` or `credential_source`",
    ),
    (
        "[default]\nrole_arn = r\nsource_profile = a\n[profile a]\nrole_arn = r\nsource_profile = b\n[profile b]\nrole_arn = r\nsource_profile = a",
        &[],
        "no credentials from assumed role: profiles assume roles in a circle: default -> a -> b -> a",
    ),
    (
        "[default]\nrole_arn = r\nsource_profile = a",
        &[],
        "no credentials from assumed role: profile `default`: its `source_profile` `a` is not in ~/.aws/config or ~/.aws/credentials",
    ),
    (
        "[default]\nrole_arn = r\ncredential_source = Environment",
        &[],
        "no credentials from assumed role: profile `default`: its `credential_source` Environment gives nothing: AWS_ACCESS_KEY_ID is not set",
    ),
    (
        "[default]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = u",
        &[],
        "no credentials from SSO: the session of `s` was never begun: run `aws sso login --sso-session s`",
    ),
    (
        "[default]\nsso_account_id = 1",
        &[],
        "no credentials from SSO: profile `default`: is one of SSO and lacks `sso_role_name`, `sso_start_url`, `sso_region`: run `aws configure sso`",
    ),
    (
        "[default]\nlogin_session = arn",
        &[],
        "no credentials from login session: the session of `arn` was never begun: run `aws login`",
    ),
    (
        "[default]\ncredential_process = /none/there x",
        &[],
        "no credentials from credential process: `/none/there` cannot be run: No such file or directory (os error 2)",
    ),
    (
        "[default]\ncredential_process = /bin/sh -c 'echo no >&2; exit 3'",
        &[],
        "no credentials from credential process: `/bin/sh` failed (exit status: 3): no",
    ),
    (
        "[default]\ncredential_process = /bin/echo '{\"Version\": 1, \"SecretAccessKey\": \"hidden\"}'",
        &[],
        "no credentials from credential process: `/bin/echo` printed no `AccessKeyId`",
    ),
    (
        "",
        &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/")],
        "no credentials from container: variable AWS_CONTAINER_CREDENTIALS_FULL_URI has the host `example.com`: \
             without TLS only this machine and 169.254.170.2, 169.254.170.23, fd00:ec2::23, localhost are asked",
    ),
];

#[test]
fn problems_say_what_to_do() {
    for (config, variables, expected) in PROBLEMS {
        assert_eq!(World::new(&[(".aws/config", *config)], variables).error(None), *expected);
    }
}

#[test]
fn errors_of_services_are_passed_on() {
    let config = "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = b\n[profile b]\naws_access_key_id = A\naws_secret_access_key = S";
    let world = World::new(&[(".aws/config", config)], &[]);
    let fail = |code: &str, members: Map| {
        let error = CallError { code: Some(code.to_owned()), message: "no".to_owned(), members };
        *world.services.fails.lock().unwrap() = Some(error);
    };
    fail("AccessDenied", Map::new());
    assert_eq!(
        world.error(None),
        "no credentials from assumed role: AssumeRole failed: AccessDenied: no"
    );
    let config = "[default]\nsso_account_id = 1\nsso_role_name = r\nsso_region = eu-west-1\nsso_start_url = u";
    let token = r#"{"accessToken": "t", "expiresAt": "2099-01-01T00:00:00UTC"}"#;
    let world = World::new(
        &[
            (".aws/config", config),
            (".aws/sso/cache/51e69892ab49df85c6230ccc57f8e1d1606caccc.json", token),
        ],
        &[],
    );
    let error = CallError {
        code: Some("UnauthorizedException".to_owned()),
        message: "no".to_owned(),
        members: Map::from_iter([("x".to_owned(), Value::Null)]),
    };
    *world.services.fails.lock().unwrap() = Some(error);
    assert_eq!(
        world.error(None),
        "no credentials from SSO: the session of `default` has expired or was ended: run `aws sso login --profile default`"
    );
}

#[test]
fn tokens_are_those_of_variables_or_of_the_session() {
    let config =
        "[default]\nsso_session = s\n[sso-session s]\nsso_region = eu-west-1\nsso_start_url = u";
    let token = json!({
        "accessToken": "kept", "expiresAt": "2023-11-14T22:20:00Z", "clientId": "id", "clientSecret": "hidden",
        "refreshToken": "good", "registrationExpiresAt": "2099-01-01T00:00:00Z",
    });
    let path = ".aws/sso/cache/a0f1490a20d0211c997b44bc357e1972deab8ae3.json";
    let world = World::new(
        &[(".aws/config", config), (path, &token.to_string())],
        &[("AWS_BEARER_TOKEN_BEDROCK_X", "given")],
    );
    let chain = world.chain(None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let token = |name: &str| runtime.block_on(chain.token(name));
    assert_eq!(token("bedrock-x").unwrap().as_deref(), Some("given"));
    assert_eq!(token("codecatalyst").unwrap().as_deref(), Some("fresh"));
    assert_eq!(token("codecatalyst").unwrap().as_deref(), Some("fresh"));
    assert_eq!(world.calls(), 1, "the fresh one was kept");
    let kept = std::fs::read_to_string(world.home.path().join(path)).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept["refreshToken"], "next");
    assert_eq!(kept["expiresAt"], "2023-11-14T23:13:20Z");
    assert_eq!(kept["clientId"], "id");
    let config = "[default]\nsso_session = s";
    let chain = World::new(&[(".aws/config", config)], &[]).chain(None);
    assert!(runtime.block_on(chain.token("x")).is_err());
    let chain = World::new(&[], &[]).chain(None);
    assert_eq!(runtime.block_on(chain.token("x")).unwrap(), None);
}

/// A profile with a role whose credentials are good for a while.
fn role(seconds: i64) -> World {
    let config = "[default]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = b\n[profile b]\naws_access_key_id = A\naws_secret_access_key = S";
    let world = World::new(&[(".aws/config", config)], &[]);
    world.services.seconds.store(seconds, Ordering::SeqCst);
    world
}

#[test]
fn credentials_are_refreshed_before_they_end() {
    let world = role(3600);
    let chain = world.chain(None);
    let calls_after = |seconds: i64| {
        world.pass(seconds);
        find(&chain).unwrap();
        world.calls()
    };
    assert_eq!(calls_after(0), 1);
    assert_eq!(calls_after(2690), 1, "fifteen minutes are left");
    assert_eq!(calls_after(20), 2);
    // A service that is away does no harm as long as there are credentials; it is not asked all the time.
    let error = CallError { code: None, message: "away".to_owned(), members: Map::new() };
    *world.services.fails.lock().unwrap() = Some(error);
    assert_eq!(calls_after(2710), 3);
    assert_eq!(calls_after(30), 3);
    assert_eq!(calls_after(40), 4);
    assert_eq!(calls_after(500), 5, "all wait now");
    world.pass(3600);
    assert_eq!(
        find(&chain).unwrap_err(),
        "no credentials from assumed role: AssumeRole failed: away"
    );
    *world.services.fails.lock().unwrap() = None;
    find(&chain).unwrap();
    let calls = world.calls();
    chain.forget();
    find(&chain).unwrap();
    assert_eq!(world.calls(), calls, "the file of the role is good still");
}

#[test]
fn one_caller_refreshes_for_all() {
    let world = role(3600);
    let chain = Arc::new(world.chain(None));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let both = |chain: &Arc<Chain>| {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let chain = chain.clone();
                runtime.spawn(async move { chain.credentials().await.is_ok() })
            })
            .collect();
        for task in tasks {
            assert!(runtime.block_on(task).unwrap());
        }
    };
    both(&chain);
    assert_eq!(world.calls(), 1);
    for (left, calls) in [(800, 2), (500, 3), (-10, 4)] {
        world.pass(3600 - left);
        both(&chain);
        assert_eq!(world.calls(), calls, "{left}");
    }
}

#[test]
fn files_of_credentials_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = role(3600);
    find(&world.chain(None)).unwrap();
    let folder = world.home.path().join(".aws/cli/cache");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // Another program uses what this one left.
    find(&world.chain(None)).unwrap();
    assert_eq!(world.calls(), 1);
}

#[test]
fn processes_are_ended_when_they_take_too_long() {
    let config = "[default]\ncredential_process = /bin/sleep 60";
    let world = World::new(&[(".aws/config", config)], &[]);
    let environment = world.variables.iter().cloned().collect();
    let mut setup =
        setup(world.home.path(), environment, None, world.http.clone(), &world.services).unwrap();
    setup.surroundings.process_timeout = std::time::Duration::from_millis(50);
    let error = find(&Chain::new(setup)).unwrap_err();
    assert_eq!(error, "no credentials from credential process: `/bin/sleep` took longer than 0 s");
    let answer = r#"{"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "s", "Expiration": "2099-01-01T00:00:00Z"}"#;
    let config = "[default]\ncredential_process = cat $HOME/answer | cat\naws_account_id = 7";
    let mut world =
        World::new(&[(".aws/config", config), ("answer", answer)], &[("PATH", "/usr/bin:/bin")]);
    world.variables.push(("HOME", world.home.path().display().to_string()));
    let found = find(&world.chain(None)).unwrap();
    assert_eq!((found.access_key_id.as_str(), found.account_id.as_deref()), ("P", Some("7")));
}

/// The way to a profile's credentials, in short.
fn way(config: &str) -> Result<Vec<String>, String> {
    let profiles = Profiles::from_text(config, "").unwrap();
    let steps = plan(&profiles, "A").map_err(|it| it.to_string())?;
    let short = |step: Step| match step {
        Step::Keys(keys) => keys.access_key_id,
        Step::Role(role) => [Some(role.role_arn), role.session_name, role.external_id]
            .into_iter()
            .flatten()
            .collect(),
        Step::WebIdentity { role_arn, token_file, session_name } => {
            format!("{role_arn} {token_file} {session_name:?}")
        }
        other => format!("{other:?}"),
    };
    Ok(steps.into_iter().map(short).collect())
}

#[test]
fn profiles_lead_to_profiles() {
    let keys = |name: &str| format!("aws_access_key_id = {name}\naws_secret_access_key = s\n");
    let (b, c) = (keys("b"), keys("c"));
    for (config, expected) in [
        (format!("[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]\n{b}"), &["b", "r"][..]),
        (format!("[profile A]\nrole_arn = r\nsource_profile = A\n{b}"), &["b", "r"]),
        (format!("[profile A]\nrole_arn = r\nsource_profile = B\n{c}[profile B]\n{b}"), &["b", "r"]),
        (
            format!("[profile A]\nrole_arn = r\nsource_profile = B\nrole_session_name = n\nexternal_id = x\n[profile B]\n{b}"),
            &["b", "rnx"],
        ),
        (
            format!("[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]\nrole_arn = q\nsource_profile = C\n[profile C]\n{c}"),
            &["c", "q", "r"],
        ),
        (
            format!("[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]\nrole_arn = q\nsource_profile = C\n{b}[profile C]\n{c}"),
            &["b", "r"],
        ),
        (
            "[profile A]\nrole_arn = r\ncredential_source = Ec2InstanceMetadata".to_owned(),
            &["Source(Ec2InstanceMetadata)", "r"],
        ),
        (
            "[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]\nrole_arn = q\nweb_identity_token_file = /t".to_owned(),
            &["q /t None", "r"],
        ),
    ] {
        assert_eq!(way(&config).unwrap(), expected, "{config}");
    }
    for config in [
        "".to_owned(),
        "[profile A]".to_owned(),
        "[profile A]\nweb_identity_token_file = /t".to_owned(),
        "[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]".to_owned(),
        "[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]\naws_access_key_id = b"
            .to_owned(),
        "[profile A]\nrole_arn = r\nsource_profile = B\n[profile B]\naws_secret_access_key = b"
            .to_owned(),
        format!(
            "[profile A]\nrole_arn = r\nsource_profile = B\n{c}[profile B]\nrole_arn = q\nsource_profile = A"
        ),
        format!(
            "[profile A]\nrole_arn = r\nsource_profile = B\ncredential_source = Environment\n[profile B]\n{b}"
        ),
    ] {
        assert!(way(&config).is_err(), "{config}");
    }
}
