//! Random files and variables: botocore and the chain find the same keys at the same place, ask
//! services the same and leave files of the same names.

use std::{collections::BTreeSet, fmt::Write as _, path::Path, sync::Arc};

use davit_aws::credentials::{Chain, CredentialsError};
use serde_json::{Value as Json, json};

use crate::python::Python;

use super::{
    Dice,
    world::{Services, Socket, find, home, setup},
};

const PROFILES: [&str; 4] = ["default", "a", "b", "c"];

#[derive(Default)]
struct Case {
    files: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    profile: Option<&'static str>,
}

fn keys(dice: &Dice, name: &str, text: &mut String) {
    let (id, secret) = (!dice.hits(4), !dice.hits(4));
    if id {
        writeln!(text, "aws_access_key_id = {name}").unwrap();
    }
    if secret {
        writeln!(text, "aws_secret_access_key = secret-{name}").unwrap();
    }
    if dice.hits(30) {
        writeln!(text, "aws_session_token = token-{name}").unwrap();
    }
    if dice.hits(20) {
        writeln!(text, "aws_account_id = 222222222222").unwrap();
    }
}

/// Everything that a profile may have.
fn profile(dice: &Dice, name: &str, token_file: &Path, text: &mut String) {
    if dice.hits(35) {
        writeln!(text, "role_arn = arn:aws:iam::111111111111:role/path/{name}-role").unwrap();
        if dice.hits(75) {
            let source = dice.pick(&[
                "default", "a", "b", "c", "a", "b", "c", "a", "b", "c", "a", "b", "c", "none",
            ]);
            writeln!(text, "source_profile = {source}").unwrap();
        } else if dice.hits(95) {
            let sources = [
                "Environment",
                "Environment",
                "EcsContainer",
                "Ec2InstanceMetadata",
                "EcsContainer",
                "Ec2InstanceMetadata",
                "Moon",
            ];
            writeln!(text, "credential_source = {}", dice.pick(&sources)).unwrap();
        }
        for (line, percent) in [
            ("external_id = ex id", 20),
            ("role_session_name = my-session", 20),
            ("duration_seconds = 3600", 20),
            ("mfa_serial = arn:aws:iam::1:mfa/me", 15),
        ] {
            if dice.hits(percent) {
                writeln!(text, "{line}").unwrap();
            }
        }
    }
    if dice.hits(12) {
        writeln!(text, "web_identity_token_file = {}", token_file.display()).unwrap();
    }
    if dice.hits(25) {
        keys(dice, &format!("config-{name}"), text);
    }
    if dice.hits(20) {
        let version = if dice.hits(10) { 2 } else { 1 };
        let json = format!(
            r#"{{"Version": {version}, "AccessKeyId": "process-{name}", "SecretAccessKey": "s"}}"#
        );
        writeln!(text, "credential_process = echo '{json}'").unwrap();
    }
    if dice.hits(20) {
        text.push_str(dice.pick(&[
            "sso_session = s\n",
            "sso_session = none\n",
            "sso_session = s\n",
            "",
        ]));
        for line in [
            "sso_account_id = 333333333333",
            "sso_role_name = ssorole",
            "sso_region = eu-west-1",
            "sso_start_url = https://start",
        ] {
            if dice.hits(97) {
                writeln!(text, "{line}").unwrap();
            }
        }
    }
    if dice.hits(15) {
        writeln!(text, "login_session = arn:aws:sts::444444444444:assumed-role/x/{name}").unwrap();
    }
}

/// The files of tokens: good for long, for a while, or not any more.
fn tokens(dice: &Dice, case: &mut Case) {
    let now = jiff::Timestamp::now().as_second();
    let at = |seconds: i64| {
        let at = jiff::Timestamp::from_second(now + seconds).unwrap();
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let left = [3600, 3600, 400, -400][dice.below(4)];
    // The names are made of the session and of the address.
    for name in
        ["a0f1490a20d0211c997b44bc357e1972deab8ae3", "6ad0e7e61d1f47e491ea32c2031add41ef92e07d"]
    {
        if dice.hits(90) {
            let mut token = json!({
                "accessToken": "kept", "expiresAt": at(left), "startUrl": "https://start", "region": "eu-west-1",
            });
            if dice.hits(70) {
                token["clientId"] = "id".into();
                token["clientSecret"] = "hidden".into();
                token["refreshToken"] = dice.pick(&["good", "good", "bad"]).into();
                token["registrationExpiresAt"] = at(if dice.hits(80) { 9999 } else { -9 }).into();
            }
            case.files.push((format!(".aws/sso/cache/{name}.json"), token.to_string()));
        }
    }
}

/// What `aws login` leaves.
fn logins(dice: &Dice, case: &mut Case, pem: &str) {
    let now = jiff::Timestamp::now().as_second();
    for name in PROFILES.iter().filter(|_| dice.hits(85)) {
        let session = format!("arn:aws:sts::444444444444:assumed-role/x/{name}");
        let left = [3000, 3000, 100, -100][dice.below(4)];
        let expires = jiff::Timestamp::from_second(now + left).unwrap();
        let mut token = json!({
            "accessToken": {
                "accessKeyId": format!("login-{name}"),
                "secretAccessKey": "secret",
                "sessionToken": "token",
                "accountId": "444444444444",
                "expiresAt": expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            },
            "clientId": "arn:aws:signin:::devtools/same-device",
            "refreshToken": "good",
            "dpopKey": pem,
        });
        if dice.hits(15) {
            let missing = dice.pick(&["accessToken", "clientId", "refreshToken", "dpopKey"]);
            token.as_object_mut().unwrap().remove(missing);
        }
        let digest = ring::digest::digest(&ring::digest::SHA256, session.as_bytes());
        let name: String = digest.as_ref().iter().map(|it| format!("{it:02x}")).collect();
        case.files.push((format!(".aws/login/cache/{name}.json"), token.to_string()));
    }
}

fn case(dice: &Dice, token_file: &Path, port: u64, pem: &str) -> Case {
    let mut case = Case::default();
    let mut config =
        String::from("[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://start\n");
    let mut credentials = String::new();
    for name in PROFILES {
        if dice.hits(95) {
            let prefix = if name == "default" { "" } else { "profile " };
            writeln!(config, "[{prefix}{name}]").unwrap();
            profile(dice, name, token_file, &mut config);
        }
        if dice.hits(30) {
            writeln!(credentials, "[{name}]").unwrap();
            if dice.hits(80) {
                keys(dice, &format!("file-{name}"), &mut credentials);
            }
        }
    }
    case.files.push((".aws/config".to_owned(), config));
    case.files.push((".aws/credentials".to_owned(), credentials));
    tokens(dice, &mut case);
    logins(dice, &mut case, pem);
    let url = format!("http://127.0.0.1:{port}");
    let mut set = |percent: usize, variables: &[(&str, &str)]| {
        if dice.hits(percent) {
            let own = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned());
            case.variables.extend(variables.iter().map(own));
        }
    };
    set(
        100,
        &[
            ("AWS_ENDPOINT_URL", &url),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("PATH", "/usr/bin:/bin"),
        ],
    );
    set(100, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    set(20, &[("AWS_ACCESS_KEY_ID", "env")]);
    set(80, &[("AWS_SECRET_ACCESS_KEY", "secret-env"), ("AWS_ACCOUNT_ID", "555555555555")]);
    set(20, &[("AWS_SESSION_TOKEN", "token-env")]);
    set(5, &[("AWS_SECURITY_TOKEN", "security-env")]);
    set(40, &[("AWS_PROFILE", dice.pick(&["a", "b", "c"]))]);
    set(10, &[("AWS_WEB_IDENTITY_TOKEN_FILE", &token_file.to_string_lossy())]);
    set(50, &[("AWS_ROLE_ARN", "arn:aws:iam::666666666666:role/env-role")]);
    set(5, &[("AWS_ROLE_SESSION_NAME", "env-session")]);
    let full = format!("{url}/container");
    set(
        15,
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &full),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token"),
        ],
    );
    set(60, &[("AWS_EC2_METADATA_DISABLED", "true")]);
    if dice.hits(30) {
        case.profile = Some(PROFILES[dice.below(4)]);
    }
    case
}

/// Names that each makes for itself are not compared.
fn plain(log: &Json) -> Json {
    let calls = log.as_array().unwrap().iter().cloned().map(|mut call| {
        let generated = |it: &Json| {
            let name = it.as_str().unwrap_or_default();
            name.starts_with("botocore-session-") || name.starts_with("davit-session-")
        };
        for (_, value) in call[1].as_object_mut().unwrap() {
            if generated(value) {
                *value = "generated".into();
            } else if let Some(number) = value.as_i64() {
                *value = number.to_string().into();
            }
        }
        call
    });
    calls.collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|it| it.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// What the chain finds, as `chain.py` gives it.
fn own(chain: &Chain, services: &Services) -> Json {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found = runtime.block_on(chain.credentials());
    let log = plain(&services.log.lock().unwrap().clone().into());
    match found {
        Ok(found) => json!({
            "method": chain.place().unwrap().method(),
            "key": found.access_key_id,
            "secret": found.secret_access_key,
            "token": found.session_token,
            "account": found.account_id,
            "log": log,
        }),
        Err(CredentialsError::Nowhere { .. }) => json!({ "nothing": true, "log": log }),
        Err(error) => json!({ "error": super::world::told(&error) }),
    }
}

#[test]
fn credentials_are_those_of_botocore() {
    let mut botocore = Python::start("chain.py");
    let port = botocore.ask(&json!({"ask": "port"})).as_u64().unwrap();
    let pem = botocore.ask(&json!({"ask": "key"}));
    let shared = home(&[("token", "identity")]);
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for seed in 0..250 {
        let case =
            case(&Dice::new(seed), &shared.path().join("token"), port, pem.as_str().unwrap());
        let files: Vec<_> =
            case.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let (theirs, ours) = (home(&files), home(&files));
        let about = format!(
            "{seed}: {:?} {:?}\n{}\n{}",
            case.profile, case.variables, files[0].1, files[1].1
        );
        let variables: serde_json::Map<_, _> = case
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let question = json!({
            "ask": "credentials", "home": theirs.path(), "env": variables, "profile": case.profile,
        });
        let mut expected = botocore.ask(&question);
        let services = Arc::new(Services::default());
        let environment = case.variables.iter().cloned().collect();
        let setup = setup(ours.path(), environment, case.profile, Arc::new(Socket), &services);
        let own = match setup {
            Ok(setup) => own(&Chain::new(setup), &services),
            Err(error) => json!({ "error": error }),
        };
        let error = expected.get("error").and_then(Json::as_str);
        // botocore makes no client at all for a profile whose session of SSO is wrong, even where
        // its credentials come from elsewhere.
        if error.is_some_and(|it| it.contains("SSO token provider")) {
            continue;
        }
        if error.is_some() {
            assert!(own.get("error").is_some(), "{expected}\n{own}\n{about}");
            *outcomes.entry("error".to_owned()).or_default() += 1;
            continue;
        }
        expected["log"] = plain(&expected["log"]);
        // The paths that botocore asks instances for do not give the account.
        if own["key"].as_str().is_some_and(|it| it == "instance") {
            expected["account"] = own["account"].clone();
        }
        assert_eq!(own, expected, "{about}");
        let cache = ".aws/cli/cache";
        assert_eq!(names(&ours.path().join(cache)), names(&theirs.path().join(cache)), "{about}");
        let method = own["method"].as_str().unwrap_or("nothing").to_owned();
        *outcomes.entry(method).or_default() += 1;
        read_theirs(&case, theirs.path(), &own, &about);
    }
    for method in [
        "env",
        "assume-role",
        "assume-role-with-web-identity",
        "sso",
        "login",
        "custom-process",
        "error",
    ] {
        assert!(outcomes.get(method).is_some_and(|it| *it > 3), "{outcomes:?}");
    }
}

/// Files that botocore left are used: no service is asked again.
fn read_theirs(case: &Case, home: &Path, own: &Json, about: &str) {
    if own["log"].as_array().is_none_or(Vec::is_empty) {
        return;
    }
    let services = Arc::new(Services::default());
    let environment = case.variables.iter().cloned().collect();
    let setup = setup(home, environment, case.profile, Arc::new(Socket), &services).unwrap();
    let found = find(&Chain::new(setup)).unwrap();
    assert_eq!(own["key"], found.access_key_id, "{about}");
    assert_eq!(own["account"], json!(found.account_id), "{about}");
    assert!(services.log.lock().unwrap().is_empty(), "{about}");
}
