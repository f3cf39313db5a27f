//! Tokens: from each kind of credentials, kept, fetched again, and what is said where there are none.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use davit_event::Status;
use ring::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::stub::{Asked, Reply, Stub, ok, said};
use super::{call, calls, msg};

/// A key of RSA in PEM, as Google's own library would have it.
fn key() -> String {
    let script = "from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives import serialization as s
key = rsa.generate_private_key(65537, 2048)
print(key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()).decode())";
    let home = PathBuf::from(env::var_os("HOME").unwrap());
    let python = home.join(".cache/davit/gcp/bin/python3");
    let made = Command::new(&python).args(["-c", script]).output();
    let made =
        made.unwrap_or_else(|it| panic!("{}: {it} (cargo xtask setup makes it)", python.display()));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap()
}

/// The claims of a JWT whose signature is that of the key.
fn claims(token: &str, pem: &str) -> (Value, Value) {
    let lines = pem.lines().filter(|it| !it.starts_with('-'));
    let body: String = lines.collect();
    let pair = RsaKeyPair::from_pkcs8(&STANDARD.decode(body).unwrap()).unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    public.verify(signed.as_bytes(), &signature).expect("the signature is the key's");
    let part = |it: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(it).unwrap()).unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    (part(header), part(claims))
}

/// A server that gives tokens, `T-0` and so on, and answers every other call with who calls.
fn google() -> Stub {
    Stub::new(|asked| {
        if asked.path.ends_with("/token") || asked.path.ends_with("/sts") {
            return ok(&json!({"access_token": format!("T-{}", asked.number), "expires_in": 3600}));
        }
        if asked.path.ends_with(":generateAccessToken") {
            return ok(&json!({
                "accessToken": format!("I-{}", asked.number), "expireTime": "2100-01-01T00:00:00Z",
            }));
        }
        if asked.path == "/" {
            return Reply::Whole(200, vec![("metadata-flavor", "Google".to_owned())], Vec::new());
        }
        if asked.path.ends_with("/project-id") {
            return Reply::Whole(200, Vec::new(), b"of-the-machine".to_vec());
        }
        if asked.path == "/subject" {
            return ok(&json!({"mine": {"x": 1}, "word": format!("S-{}", asked.header("x-who"))}));
        }
        ok(&who(asked))
    })
}

fn who(asked: &Asked) -> Value {
    json!({
        "items": [{"name": asked.header("authorization"), "selfLink": asked.path}],
        "id": asked.header("x-goog-user-project"),
    })
}

/// A call that is answered with who calls.
fn list(stub: &Stub, more: Value) -> Value {
    let mut args = json!({
        "api": "compute", "version": "v1", "method": "zones.list", "endpoint_url": stub.url,
        "query": "[items[0].name, items[0].selfLink, id]",
    });
    if let (Some(args), Value::Object(more)) = (args.as_object_mut(), more) {
        args.extend(more);
    }
    args
}

fn written(folder: &TempDir, name: &str, json: &Value) -> String {
    let path = folder.path().join(name);
    fs::write(&path, json.to_string()).unwrap();
    path.display().to_string()
}

fn service_account(stub: &Stub, pem: &str) -> Value {
    json!({
        "type": "service_account", "project_id": "of-the-key", "private_key_id": "k1", "private_key": pem,
        "client_email": "robot@shop.example", "token_uri": format!("{}/token", stub.url),
    })
}

#[test]
fn keys_of_service_accounts_sign_for_a_token_that_is_kept() {
    let (google, pem, folder) = (google(), key(), tempfile::tempdir().unwrap());
    let path = written(&folder, "key.json", &service_account(&google, &pem));
    let one = list(&google, json!({"credentials_file": path}));
    let ends = calls(&[], &[one.clone(), one]);
    for end in &ends {
        let expect = json!(["Bearer T-0", "/compute/v1/projects/of-the-key/zones", ""]);
        assert_eq!((end.status, &end.reply["result"]), (Status::Ok, &expect), "{end:?}");
    }
    assert_eq!(google.count("/token"), 1);
    let asked = &google.asked()[0];
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    assert_eq!(asked.field("grant_type").as_deref(), Some(grant));
    let (header, claims) = claims(&asked.field("assertion").unwrap(), &pem);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "k1"}));
    assert_eq!(claims["iss"], "robot@shop.example");
    assert_eq!(claims["aud"], format!("{}/token", google.url));
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 3600);
    assert_eq!(claims.get("sub"), None);
}

#[test]
fn a_subject_scopes_and_signing_without_asking_are_as_said() {
    let (google, pem, folder) = (google(), key(), tempfile::tempdir().unwrap());
    let path = written(&folder, "key.json", &service_account(&google, &pem));
    let more =
        json!({"credentials_file": path, "subject": "anna@shop.example", "scopes": ["a", "b"]});
    call(&[], &list(&google, more));
    let (_, said) = claims(&google.asked()[0].field("assertion").unwrap(), &pem);
    assert_eq!((&said["sub"], &said["scope"]), (&json!("anna@shop.example"), &json!("a b")));
    let end = call(&[], &list(&google, json!({"credentials_file": path, "self_signed_jwt": true})));
    assert_eq!(google.count("/token"), 1);
    let token = end.reply["result"][0].as_str().unwrap().strip_prefix("Bearer ").unwrap();
    let (_, said) = claims(token, &pem);
    assert_eq!((&said["iss"], &said["sub"]), (&json!("robot@shop.example"), &said["iss"]));
    // Nobody is called as another than who was said.
    let both =
        json!({"credentials_file": path, "subject": "anna@shop.example", "self_signed_jwt": true});
    let end = call(&[], &list(&google, both));
    assert!(msg(&end).contains("leave out self_signed_jwt"), "{end:?}");
}

#[test]
fn users_refresh_their_tokens_and_name_who_pays() {
    let (google, folder) = (google(), tempfile::tempdir().unwrap());
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "s3cr3t", "refresh_token": "r3fr3sh",
        "quota_project_id": "payer", "token_uri": format!("{}/token", google.url),
    });
    // Where gcloud keeps them.
    written(&folder, "application_default_credentials.json", &user);
    let gcloud = folder.path().display().to_string();
    let environment = [("CLOUDSDK_CONFIG", gcloud.as_str()), ("GOOGLE_CLOUD_PROJECT", "shop")];
    let end = call(&environment, &list(&google, json!({})));
    let expect = json!(["Bearer T-0", "/compute/v1/projects/shop/zones", "payer"]);
    assert_eq!(end.reply["result"], expect, "{end:?}");
    let asked = &google.asked()[0];
    for (name, expect) in
        [("grant_type", "refresh_token"), ("client_secret", "s3cr3t"), ("refresh_token", "r3fr3sh")]
    {
        assert_eq!(asked.field(name).as_deref(), Some(expect));
    }
}

#[test]
fn users_of_other_providers_refresh_their_tokens_as_clients() {
    let (google, folder) = (google(), tempfile::tempdir().unwrap());
    let user = json!({
        "type": "external_account_authorized_user", "client_id": "c", "client_secret": "s3cr3t",
        "refresh_token": "r3fr3sh", "token_url": format!("{}/token", google.url),
    });
    let path = written(&folder, "user.json", &user);
    let more = json!({"credentials_file": path, "project": "shop", "quota_project": "payer"});
    let end = call(&[], &list(&google, more));
    let expect = json!(["Bearer T-0", "/compute/v1/projects/shop/zones", "payer"]);
    assert_eq!(end.reply["result"], expect, "{end:?}");
    let asked = &google.asked()[0];
    assert_eq!(asked.header("authorization"), format!("Basic {}", STANDARD.encode("c:s3cr3t")));
    assert_eq!(asked.field("refresh_token").as_deref(), Some("r3fr3sh"));
    assert_eq!(asked.field("client_id"), None);
}

#[test]
fn nobody_is_called_as_where_that_is_asked_for() {
    let google = google();
    let environment = [("CLOUDSDK_AUTH_ACCESS_TOKEN", "a-token-of-mine")];
    let end = call(&environment, &list(&google, json!({"anonymous": true, "project": "shop"})));
    assert_eq!(end.reply["result"][0], "", "{end:?}");
}

#[test]
fn tokens_of_others_are_changed_for_googles() {
    let (google, folder) = (google(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("subject"), "from-a-file\n").unwrap();
    let external = |source: Value| {
        json!({
            "type": "external_account", "audience": "//iam/pool", "token_url": format!("{}/sts", google.url),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source,
            "service_account_impersonation_url": format!("{}/v1/robot:generateAccessToken", google.url),
        })
    };
    let file = external(json!({"file": folder.path().join("subject")}));
    let url = external(json!({
        "url": format!("{}/subject", google.url), "headers": {"x-who": "anna"},
        "format": {"type": "json", "subject_token_field_name": "word"},
    }));
    for (source, subject) in [(file, "from-a-file"), (url, "S-anna")] {
        let path = written(&folder, "external.json", &source);
        let before = google.asked().len();
        let more = json!({"credentials_file": path, "project": "shop"});
        let end = call(&[], &list(&google, more));
        let asked = google.asked().split_off(before);
        let sts = asked.iter().find(|it| it.path == "/sts").unwrap();
        assert_eq!(sts.field("subject_token").as_deref(), Some(subject));
        assert_eq!(sts.field("audience").as_deref(), Some("//iam/pool"));
        let robot = asked.iter().find(|it| it.path.ends_with(":generateAccessToken")).unwrap();
        assert_eq!(robot.header("authorization"), format!("Bearer T-{}", sts.number));
        assert_eq!(robot.json()["lifetime"], "3600s");
        assert_eq!(end.reply["result"][0], format!("Bearer I-{}", robot.number), "{end:?}");
    }
}

#[test]
fn amazons_word_is_changed_for_googles_token() {
    let (google, folder) = (google(), tempfile::tempdir().unwrap());
    let external = json!({
        "type": "external_account", "audience": "//iam/pool", "token_url": format!("{}/sts", google.url),
        "subject_token_type": "urn:ietf:params:aws:token-type:aws4_request",
        "credential_source": {
            "environment_id": "aws1",
            "regional_cred_verification_url": "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15",
        },
    });
    let path = written(&folder, "aws.json", &external);
    let environment = [
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-hidden"),
        ("AWS_SESSION_TOKEN", "session"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let more = json!({"credentials_file": path, "project": "shop"});
    let end = call(&environment, &list(&google, more));
    assert_eq!(end.reply["result"][0], "Bearer T-0", "{end:?}");
    // It is encoded once more than the form is.
    let subject = google.asked()[0].field("subject_token").unwrap();
    let plain = davit_aws::http::Request::of_url("GET", &format!("http://x/?a={subject}")).unwrap();
    let told: Value = serde_json::from_str(&plain.query[0].1).unwrap();
    assert_eq!(told["method"], "POST");
    let url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(told["url"], url);
    let header = |name: &str| {
        let all = told["headers"].as_array().unwrap();
        all.iter().find(|it| it["key"] == name).map(|it| it["value"].as_str().unwrap().to_owned())
    };
    assert_eq!(header("x-goog-cloud-target-resource").as_deref(), Some("//iam/pool"));
    assert_eq!(header("x-amz-security-token").as_deref(), Some("session"));
    assert_eq!(header("host").as_deref(), Some("sts.eu-west-1.amazonaws.com"));
    let authorization = header("authorization").unwrap();
    assert!(authorization.contains("Credential=AKID/"), "{authorization}");
    assert!(authorization.contains("x-goog-cloud-target-resource"), "{authorization}");
}

#[test]
fn the_metadata_server_is_asked_last() {
    let (google, machine) = (google(), google());
    let nothing = tempfile::tempdir().unwrap();
    let home = nothing.path().display().to_string();
    // It is behind no proxy.
    let environment = [
        ("HOME", home.as_str()),
        ("GCE_METADATA_HOST", machine.host()),
        ("http_proxy", "http://127.0.0.1:9"),
        ("no_proxy", "localhost"),
    ];
    let near = google.url.replace("127.0.0.1", "localhost");
    let end = call(&environment, &list(&google, json!({"endpoint_url": near})));
    let result = &end.reply["result"];
    assert!(result[0].as_str().unwrap_or_default().starts_with("Bearer T-"), "{end:?}");
    assert_eq!(result[1], "/compute/v1/projects/of-the-machine/zones");
    let asked = machine.asked();
    let token = asked.iter().find(|it| it.path.ends_with("/default/token")).unwrap();
    assert_eq!(token.header("metadata-flavor"), "Google");
    assert!(token.query("scopes").unwrap().contains("cloud-platform"));
}

#[test]
fn accounts_are_impersonated_by_the_files_that_say_so() {
    let (google, folder) = (google(), tempfile::tempdir().unwrap());
    let impersonated = json!({
        "type": "impersonated_service_account", "delegates": ["projects/-/serviceAccounts/middle"],
        "service_account_impersonation_url": format!("{}/v1/last:generateAccessToken", google.url),
        "source_credentials": {
            "type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r",
            "token_uri": format!("{}/token", google.url),
        },
    });
    let path = written(&folder, "it.json", &impersonated);
    let more = json!({"credentials_file": path, "project": "shop", "scopes": ["x"]});
    let end = call(&[], &list(&google, more));
    assert_eq!(end.reply["result"][0], "Bearer I-1", "{end:?}");
    let body = google.asked()[1].json();
    assert_eq!(body["delegates"], json!(["projects/-/serviceAccounts/middle"]));
    assert_eq!(body["scope"], json!(["x"]));
}

#[test]
fn tokens_that_were_taken_back_are_fetched_once_more() {
    static REFUSED: AtomicUsize = AtomicUsize::new(0);
    let stub = Stub::new(|asked| {
        if asked.path == "/token" {
            return ok(&json!({"access_token": format!("T-{}", asked.number), "expires_in": 3600}));
        }
        if REFUSED.fetch_add(1, Ordering::SeqCst) == 0 {
            let error = json!({"code": 401, "message": "old", "status": "UNAUTHENTICATED"});
            return said(401, &json!({"error": error}));
        }
        ok(&who(asked))
    });
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "key.json", &service_account(&stub, &key()));
    let end = call(&[], &list(&stub, json!({"credentials_file": path})));
    assert_eq!(end.reply["result"][0], "Bearer T-2", "{end:?}");
    // A token that was given cannot be fetched again.
    let stub = Stub::new(|_| said(401, &json!({"error": {"code": 401, "message": "who?"}})));
    let end = call(&[], &list(&stub, json!({"access_token": "given-token", "project": "shop"})));
    assert_eq!((msg(&end), stub.asked().len()), ("zones.list: who? (401)", 1));
    assert_eq!(stub.asked()[0].header("authorization"), "Bearer given-token");
}

#[test]
fn what_is_wrong_with_credentials_is_told_and_secrets_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().display().to_string();
    let args = |file: &str| {
        json!({
            "api": "compute", "method": "zones.list", "parameters": {"project": "shop"},
            "credentials_file": file, "endpoint_url": "http://127.0.0.1:9",
        })
    };
    let nothing =
        json!({"api": "compute", "method": "zones.list", "parameters": {"project": "shop"}});
    let end = call(&[("HOME", &home), ("NO_GCE_CHECK", "true")], &nothing);
    let text = msg(&end);
    for place in [
        "CLOUDSDK_AUTH_ACCESS_TOKEN",
        "GOOGLE_APPLICATION_CREDENTIALS",
        ".config/gcloud/application_default_credentials.json",
        "NO_GCE_CHECK",
    ] {
        assert!(text.contains(place), "{place}: {text}");
    }
    let secret = "-----BEGIN PRIVATE KEY-----\naGlkZGVuIHNlY3JldA==\n-----END PRIVATE KEY-----\n";
    for (json, expect) in [
        (json!({"type": "something"}), "credentials of the type something are not known"),
        (json!({"x": 1}), "it has no type"),
        (json!({"type": "service_account", "client_email": "a"}), "it has no private_key"),
        (
            json!({"type": "service_account", "client_email": "a", "private_key": secret}),
            "private_key: its private key is none of RSA",
        ),
        (
            json!({"type": "external_account", "credential_source": {"executable": {}}}),
            "its credential_source has no file, url",
        ),
    ] {
        let path = written(&folder, "bad.json", &json);
        let end = call(&[], &args(&path));
        assert!(msg(&end).contains(expect), "{end:?}");
        assert!(!format!("{end:?}").contains("aGlkZGVu"), "{end:?}");
    }
    let end = call(&[], &args("/nonexistent.json"));
    assert!(msg(&end).contains("cannot read /nonexistent.json"), "{end:?}");
    let refused = Stub::new(|_| {
        said(
            400,
            &json!({"error": "invalid_grant", "error_description": "Token has been revoked."}),
        )
    });
    let user = json!({
        "type": "authorized_user", "client_id": "c", "client_secret": "hidden", "refresh_token": "r",
        "token_uri": format!("{}/token", refused.url),
    });
    let path = written(&folder, "user.json", &user);
    let end = call(&[], &args(&path));
    assert!(msg(&end).contains("invalid_grant: Token has been revoked."), "{end:?}");
    assert!(msg(&end).contains("user.json (credentials_file) gives no token"), "{end:?}");
    assert!(Path::new(&path).exists());
}
