//! Every way to a token, and what is told where there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use davit_event::{End, Status};
use serde_json::{Value, json};

use super::world::{Azure, PEM, SECRET, SUBSCRIPTION, TENANT};
use crate::play::Play;

/// Asks for a group with what the environment and the arguments say; the world was asked by the way named last.
fn ask(azure: &Azure, environment: &[(&str, &str)], more: &Value) -> (End, Vec<String>) {
    let mut args = json!({
        "endpoint_url": azure.server.url, "subscription_id": SUBSCRIPTION, "resource_group": "none",
    });
    for (name, value) in more.as_object().unwrap() {
        args[name] = value.clone();
    }
    let mut all = vec![("AZURE_AUTHORITY_HOST".to_owned(), azure.server.url.clone())];
    all.extend(environment.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned())));
    let play = Play { environment: all, ..Play::new() };
    let task = json!({"davit.azure.resource_info": args});
    let playbook = json!([{"hosts": "localhost", "gather_facts": false, "tasks": [task, task]}]);
    let mut ends = play.run(&playbook.to_string());
    let seen = play.seen();
    assert!(!seen.contains(SECRET), "a secret is shown: {seen}");
    let given = std::mem::take(&mut azure.world.lock().unwrap().given);
    (ends.pop().unwrap(), given)
}

#[test]
fn every_way_gives_a_token_and_it_is_kept() {
    let azure = Azure::start();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let pem = file("app.pem", PEM);
    let federated = file("token", b"federated-token-of-somebody\n");
    let credentials = format!(
        "[default]\nclient_id=x\n[shop]\nclient_id=app\ntenant={TENANT}\nsecret={SECRET}\nsubscription_id=s\n"
    );
    file(".azure/credentials", credentials.as_bytes());
    let home = folder.path().to_string_lossy().into_owned();
    let url = azure.server.url.clone();
    let identity = format!("{url}/msi/token");
    let ids = [("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", TENANT)];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        ids.iter().chain(more).map(|(name, it)| (*name, (*it).to_owned())).collect()
    };
    let alone = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        more.iter().map(|(name, it)| (*name, (*it).to_owned())).collect()
    };
    let app = [("IDENTITY_ENDPOINT", identity.as_str()), ("IDENTITY_HEADER", "header-of-the-app")];
    for (environment, args, expected) in [
        (with(&[("AZURE_CLIENT_SECRET", SECRET)]), json!({}), "secret"),
        (with(&[]), json!({"secret": SECRET}), "secret"),
        (
            alone(&[]),
            json!({"client_id": "app", "tenant": TENANT, "client_secret": SECRET}),
            "secret",
        ),
        (with(&[("AZURE_CLIENT_CERTIFICATE_PATH", &pem)]), json!({}), "certificate"),
        (
            alone(&[]),
            json!({"client_id": "app", "tenant": TENANT, "x509_certificate_path": pem}),
            "certificate",
        ),
        (with(&[("AZURE_FEDERATED_TOKEN_FILE", &federated)]), json!({}), "federated"),
        (alone(&[("HOME", &home)]), json!({"profile": "shop"}), "secret"),
        (alone(&[("HOME", &home), ("AZURE_PROFILE", "shop")]), json!({}), "secret"),
        (alone(&app), json!({}), "app service "),
        (alone(&app), json!({"auth_source": "msi", "client_id": "c"}), "app service client_id=c"),
        (
            alone(&app),
            json!({"auth_source": "msi", "identity_resource_id": "/r"}),
            "app service mi_res_id=/r",
        ),
        (
            alone(&[
                ("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url),
                ("ANSIBLE_AZURE_AUTH_SOURCE", "msi"),
            ]),
            json!({"identity_object_id": "o"}),
            "machine object_id=o",
        ),
        (alone(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]), json!({}), "machine "),
        (
            alone(&[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &url)]),
            json!({"auth_source": "msi", "client_id": "renewed"}),
            "machine client_id=renewed",
        ),
    ] {
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, it)| (*name, it.as_str())).collect();
        let (end, given) = ask(&azure, &environment, &args);
        assert_eq!(end.status, Status::Ok, "{expected}: {:?}", end.reply);
        assert_eq!(given, [expected]);
    }
    let (end, given) = ask(&azure, &[], &json!({"access_token": "token-of-the-task"}));
    assert_eq!((end.status, given.len()), (Status::Ok, 0), "{:?}", end.reply);
}

#[test]
fn the_azure_cli_is_asked_as_a_program() {
    let azure = Azure::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_string_lossy().into_owned();
    let program = |text: &str| {
        let file = folder.path().join("az");
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let search = format!("{path}:/usr/bin:/bin");
    let environment = [("PATH", search.as_str())];
    program(
        "[ \"$*\" = \"account get-access-token --output json --resource https://management.azure.com --subscription 11111111-2222-3333-4444-555555555555\" ] || exit 9
         echo '{\"accessToken\": \"token-of-the-task\", \"expires_on\": 4102444800, \"subscription\": \"s\"}'",
    );
    let (end, _) = ask(&azure, &environment, &json!({}));
    assert_eq!(end.status, Status::Ok, "{:?}", end.reply);
    program("echo 'ERROR: Please run az login' >&2; exit 1");
    let (end, _) = ask(&azure, &environment, &json!({"auth_source": "cli"}));
    let told = end.reply["msg"].as_str().unwrap();
    assert!(
        told.contains("the Azure CLI: az fails (exit status: 1): ERROR: Please run az login"),
        "{told}"
    );
}

#[test]
fn whoever_has_no_credentials_is_told_where_they_were_looked_for() {
    let azure = Azure::start();
    // Nobody listens at the first port.
    let environment =
        [("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1"), ("HOME", "/nonexistent")];
    let (end, _) = ask(&azure, &environment, &json!({"auth_source": "credential_file"}));
    let told = end.reply["msg"].as_str().unwrap();
    assert!(
        told.contains("~/.azure/credentials: /nonexistent/.azure/credentials cannot be read"),
        "{told}"
    );
    let (end, _) = ask(&azure, &[("PATH", "/nonexistent")], &json!({"auth_source": "auto"}));
    let told = end.reply["msg"].as_str().unwrap();
    for expected in [
        "no credentials for Azure. Looked at:",
        "- the task and the environment: neither access_token, secret (AZURE_SECRET",
        "- ~/.azure/credentials: HOME is not set",
        "- the Azure CLI: there is no program az",
        "- the managed identity: ",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn what_is_not_taken_is_told_without_a_secret() {
    let azure = Azure::start();
    let ids = [("AZURE_CLIENT_ID", "app"), ("AZURE_TENANT_ID", TENANT)];
    let wrong = "another~secret.of-somebody";
    let (end, _) = ask(&azure, &ids, &json!({"secret": wrong}));
    let told = json!(end.reply).to_string();
    assert!(told.contains("no token from the task and the environment: invalid_client: AADSTS7000215: Invalid client secret provided."), "{told}");
    assert!(!told.contains(wrong), "{told}");
    let (end, _) =
        ask(&azure, &ids, &json!({"secret": wrong, "authority_host": "http://login.example.com"}));
    let told = end.reply["msg"].as_str().unwrap();
    assert!(told.contains("login.example.com is called without TLS"), "{told}");
    let (end, _) = ask(&azure, &[], &json!({"access_token": "token-of-another"}));
    let told = end.reply["msg"].as_str().unwrap();
    assert!(told.contains("AuthenticationFailed: Authentication failed."), "{told}");
}
