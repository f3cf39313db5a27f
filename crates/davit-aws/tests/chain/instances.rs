//! The metadata services of instances and containers: their forms, their tokens, their troubles.

use std::sync::atomic::Ordering;

use davit_aws::credentials::Credentials;
use serde_json::json;

use super::{sources::World, world::find};

const BASE: &str = "http://169.254.169.254";

fn metadata(account: Option<&str>, expires: &str) -> String {
    let mut answer = json!({
        "Code": "Success", "AccessKeyId": "I", "SecretAccessKey": "s", "Token": "t", "Expiration": expires,
        "Unexpected": {"x": 1},
    });
    if let Some(account) = account {
        answer["AccountId"] = account.into();
    }
    answer.to_string()
}

const LATE: &str = "2023-11-15T00:00:00Z";
const EXTENDED: &str = "/latest/meta-data/iam/security-credentials-extended/";
const LEGACY: &str = "/latest/meta-data/iam/security-credentials/";

/// An instance with a token service and canned answers.
fn instance(variables: &[(&'static str, &str)], answers: &[(&str, u16, &str)]) -> World {
    let world = World::new(&[], variables);
    world.http.put(&format!("PUT {BASE}/latest/api/token"), Some((200, "T")));
    for (path, status, body) in answers {
        world.http.put(&format!("GET {BASE}{path}"), Some((*status, body)));
    }
    world
}

#[test]
fn instances_give_the_account_where_they_can() {
    let first = metadata(Some("1"), LATE);
    let second = metadata(Some("2"), LATE);
    let (one, two) = (format!("{EXTENDED}one"), format!("{EXTENDED}two"));
    let world = instance(
        &[],
        &[
            (EXTENDED, 200, "one"),
            (EXTENDED, 200, "two"),
            (&one, 200, &first),
            (&one, 404, ""),
            (&two, 200, &second),
        ],
    );
    let chain = world.chain(None);
    assert_eq!(find(&chain).unwrap().account_id.as_deref(), Some("1"));
    let token = format!("PUT {BASE}/latest/api/token");
    let asked =
        [token.clone(), format!("GET {BASE}{EXTENDED} [T]"), format!("GET {BASE}{one} [T]")];
    assert_eq!(world.http.taken(), asked);
    chain.forget();
    // The role's name is known; it is another one now.
    assert_eq!(find(&chain).unwrap().account_id.as_deref(), Some("2"));
    let asked = [
        token,
        format!("GET {BASE}{one} [T]"),
        format!("GET {BASE}{EXTENDED} [T]"),
        format!("GET {BASE}{two} [T]"),
    ];
    assert_eq!(world.http.taken(), asked);
}

#[test]
fn instances_of_the_old_kind_give_no_account() {
    let path = format!("{LEGACY}one");
    let world = instance(&[], &[(LEGACY, 200, "one\n"), (&path, 200, &metadata(None, LATE))]);
    let chain = world.chain(None);
    let found = find(&chain).unwrap();
    assert_eq!((found.access_key_id.as_str(), found.account_id.as_deref()), ("I", None));
    world.http.taken();
    chain.forget();
    find(&chain).unwrap();
    assert_eq!(world.http.taken().len(), 2, "which kind it is was learnt");
    let given = [("AWS_EC2_INSTANCE_PROFILE_NAME", "one")];
    let world = instance(&given, &[(&path, 200, &metadata(None, LATE))]);
    find(&world.chain(None)).unwrap();
    assert_eq!(world.http.taken().len(), 3);
    let world = instance(&[("AWS_EC2_INSTANCE_PROFILE_NAME", "none")], &[]);
    let expected = "no credentials from instance metadata: http://169.254.169.254: there is no instance profile `none`";
    assert_eq!(world.error(None), expected);
    assert_eq!(world.http.taken().len(), 3);
}

#[test]
fn instances_without_tokens_are_asked_without() {
    let path = format!("{EXTENDED}one");
    let answer = metadata(None, LATE);
    for token in [Some((403, "")), None] {
        let world = World::new(&[], &[]);
        world.http.put(&format!("PUT {BASE}/latest/api/token"), token);
        world.http.put(&format!("GET {BASE}{EXTENDED}"), Some((200, "one")));
        world.http.put(&format!("GET {BASE}{path}"), Some((200, &answer)));
        find(&world.chain(None)).unwrap();
        assert!(world.http.taken().iter().all(|it| !it.contains('[')));
        let mut world = world;
        world.variables.push(("AWS_EC2_METADATA_V1_DISABLED", "true".to_owned()));
        assert!(world.error(None).contains("gave no token, and asking without one is turned off"));
    }
}

#[test]
fn what_has_ended_is_used_on_while_instances_have_trouble() {
    let path = format!("{EXTENDED}one");
    let old = metadata(None, "2020-01-01T00:00:00Z");
    let world = instance(&[], &[(EXTENDED, 200, "one"), (&path, 200, &old), (&path, 500, "")]);
    let chain = world.chain(None);
    let first = find(&chain).unwrap();
    let left = |it: &Credentials| {
        it.expires.unwrap().as_second() - world.services.now.load(Ordering::SeqCst)
    };
    assert!((1020..=1500).contains(&left(&first)), "{}", left(&first));
    world.pass(2000);
    let second = find(&chain).unwrap();
    assert_eq!(second.access_key_id, "I");
    assert!((1020..=1500).contains(&left(&second)), "{}", left(&second));
}

#[test]
fn instances_that_have_trouble_are_asked_again() {
    let path = format!("{EXTENDED}one");
    let answer = metadata(None, LATE);
    let world = World::new(&[], &[]);
    for (what, body) in [
        (format!("PUT {BASE}/latest/api/token"), "T"),
        (format!("GET {BASE}{EXTENDED}"), "one"),
        (format!("GET {BASE}{path}"), &answer),
    ] {
        world.http.put(&what, Some((503, "")));
        world.http.put(&what, Some((200, body)));
    }
    assert_eq!(find(&world.chain(None)).unwrap().access_key_id, "I");
    assert_eq!(world.http.taken().len(), 6);
    // Not for ever.
    let world = instance(&[], &[(EXTENDED, 503, "")]);
    assert!(world.error(None).contains("answers with 503"));
    assert_eq!(world.http.taken().len(), 4);
}

#[test]
fn instances_without_trust_say_so() {
    let path = format!("{EXTENDED}one");
    let answer = r#"{"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume"}"#;
    let world = instance(&[], &[(EXTENDED, 200, "one"), (&path, 200, answer)]);
    let error = world.error(None);
    assert!(
        error.contains("instance metadata (AssumeRoleUnauthorizedAccess: EC2 cannot assume)"),
        "{error}"
    );
}

#[test]
fn containers_are_asked_again_and_their_tokens_read_anew() {
    let url = "http://169.254.170.2/v2/credentials?id=a";
    let variables = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials?id=a")];
    let mut world = World::new(&[("token", "one")], &variables);
    let file = world.home.path().join("token");
    world.variables.push(("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.display().to_string()));
    let what = format!("GET {url}");
    for answer in [None, Some((500, "")), Some((200, &*metadata(Some("1"), LATE)))] {
        world.http.put(&what, answer);
    }
    let chain = world.chain(None);
    assert_eq!(find(&chain).unwrap().account_id.as_deref(), Some("1"));
    let line = format!("{what} [one]");
    assert_eq!(world.http.taken(), [line.clone(), line.clone(), line]);
    std::fs::write(&file, "two").unwrap();
    chain.forget();
    find(&chain).unwrap();
    assert_eq!(world.http.taken(), [format!("{what} [two]")]);
    std::fs::write(&file, "bad\n").unwrap();
    chain.forget();
    let error = find(&chain).unwrap_err();
    assert!(error.contains("gives a token with a line break") && !error.contains("bad"), "{error}");
}
