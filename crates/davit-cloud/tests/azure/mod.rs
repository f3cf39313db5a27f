//! Modules for Azure, through the table and the engine as a playbook reaches them: blobs against Azurite,
//! which verifies signatures, all else against a stand-in of our own.
//!
//! `cases/TOPIC/NAME.yml` is as those of AWS are. Tasks find the address of the stand-in as `azure`, and that of
//! the emulator as `account`.

mod server;
mod tokens;
mod transfers;
mod vaults;
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use davit_event::Status;
use davit_ground::Azurite;
use serde_json::{Map, Value, json};

use self::world::Azure;
use crate::aws;
use crate::play::Play;

/// A file of a folder that lies beside the crates.
fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Runs all cases of a topic, each in a world of its own. `CASE=NAME` runs one of them.
fn topic(name: &str, run: impl Fn(&Path, &mut Vec<String>) -> usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/azure/cases").join(name);
    let only = std::env::var("CASE").ok();
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    let (mut wrong, mut steps) = (Vec::new(), 0);
    for file in files {
        let case = file.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_none_or(|it| *it == case) {
            steps += run(&file, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(steps > 0, "no case was run");
}

fn against_the_stand_in(file: &Path, wrong: &mut Vec<String>) -> usize {
    let azure = Azure::start();
    let vars = Map::from_iter([
        ("azure".to_owned(), azure.server.url.clone().into()),
        ("subscription".to_owned(), world::SUBSCRIPTION.into()),
    ]);
    aws::run(&azure.environment(), file, vars, wrong)
}

#[test]
fn resource() {
    topic("resource", against_the_stand_in);
}

#[test]
fn vault() {
    topic("vault", against_the_stand_in);
}

#[test]
fn blob() {
    topic("blob", |file, wrong| {
        let azurite = Azurite::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("page.html"), "<p>one").unwrap();
        fs::write(folder.path().join("large.bin"), pattern(300_000)).unwrap();
        let vars = Map::from_iter([
            ("account".to_owned(), azurite.url().into()),
            ("key".to_owned(), azurite.key().into()),
            ("folder".to_owned(), folder.path().to_string_lossy().into_owned().into()),
        ]);
        aws::run(&azurite.environment(), file, vars, wrong)
    });
}

/// Bytes that no piece of has twice.
fn pattern(size: u32) -> Vec<u8> {
    (0..size)
        .flat_map(|it| (it.wrapping_mul(2_654_435_761)).to_le_bytes())
        .take(size as usize)
        .collect()
}

fn statuses(play: &Play, playbook: &str) -> Vec<Status> {
    play.run(playbook).iter().map(|it| it.status).collect()
}

#[test]
fn the_example_with_storage_uploads_once() {
    let azurite = Azurite::start().unwrap();
    let playbook = fs::read_to_string(example("azure-storage/site.yml")).unwrap();
    let play = Play { environment: azurite.environment(), ..Play::new() };
    for file in ["site/index.html", "site/style.css", "backup.yml"] {
        let to = play.folder.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(example("azure-storage").join(file), to).unwrap();
    }
    let first = statuses(&play, &playbook);
    assert!(first.contains(&Status::Changed), "{}", play.seen());
    assert!(!first.contains(&Status::Failed), "{}", play.seen());
    let again = statuses(&play, &playbook);
    assert!(again.iter().all(|it| *it == Status::Ok), "{}", play.seen());
}

#[test]
fn the_example_with_resources_makes_them_once() {
    let azure = Azure::start();
    let playbook = fs::read_to_string(example("azure-resources/site.yml")).unwrap();
    let mut environment = azure.environment();
    environment.push(("SHOP_ENDPOINT".to_owned(), azure.server.url.clone()));
    let check = Play { check: true, environment: environment.clone(), ..Play::new() };
    let predicted = statuses(&check, &playbook);
    assert!(predicted.contains(&Status::Changed), "{}", check.seen());
    let play = Play { environment, ..Play::new() };
    let first = statuses(&play, &playbook);
    assert_eq!(first[..3], [Status::Changed; 3], "{}", play.seen());
    let ends = play.run(&playbook);
    assert!(ends.iter().all(|it| it.status == Status::Ok), "{}", play.seen());
    let last: &Value = &ends.last().unwrap().reply["msg"];
    assert_eq!(*last, json!(["shop-net"]));
}

#[test]
fn secrets_are_covered_and_still_there_for_the_next_task() {
    let azure = Azure::start();
    let play = Play { environment: azure.environment(), ..Play::new() };
    let thing = json!({
        "endpoint_url": azure.server.url, "resource_group": "shop", "resource_type": "Microsoft.Test/things",
        "resource_name": "db", "body": {"properties": {"userPassword": "hunter2-of-the-db", "x": 1}},
    });
    let action = json!({
        "endpoint_url": azure.server.url, "resource_group": "shop", "resource_type": "Microsoft.Test/things",
        "resource_name": "db", "action": "listKeys",
    });
    let vault = json!({"vault_url": azure.server.url, "name": "db"});
    let secret = json!({"vault_url": azure.server.url, "name": "db", "value": "value-of-the-db"});
    let playbook = json!([{"hosts": "localhost", "gather_facts": false, "diff": true, "tasks": [
        {"davit.azure.resource": thing},
        {"davit.azure.call": action, "register": "keys"},
        {"davit.azure.keyvault_secret": secret},
        {"davit.azure.keyvault_secret_info": vault, "register": "read"},
        {"assert": {"that": [
            "keys.result['keys'][0].value == 'key-that-nobody' ~ '-sees'",
            "read.secrets[0].value == 'value-of' ~ '-the-db'",
        ]}},
    ]}]);
    let ends = play.run(&playbook.to_string());
    assert_eq!(ends.last().unwrap().status, Status::Ok, "{ends:?}");
    let seen = play.seen();
    for secret in [
        "hunter2-of-the-db",
        "key-that-nobody-sees",
        "value-of-the-db",
        world::SECRET,
        "token-0-for",
    ] {
        assert!(!seen.contains(secret), "{secret} is shown: {seen}");
    }
    assert!(ends[0].reply["diff"].to_string().contains("userPassword"), "{seen}");
}

#[test]
fn what_is_slow_or_throttled_costs_no_second_token() {
    let azure = Azure::start();
    let play = Play { environment: azure.environment(), ..Play::new() };
    let task = |name: &str| {
        json!({"davit.azure.resource": {
            "endpoint_url": azure.server.url, "resource_group": "shop", "resource_type": "Microsoft.Test/things",
            "resource_name": name, "body": {"location": "x"},
        }})
    };
    let tasks = json!([task("throttled"), task("tired"), task("plain"), task("expired")]);
    let playbook = json!([{"hosts": "localhost", "gather_facts": false, "tasks": tasks}]);
    let changed = statuses(&play, &playbook.to_string());
    assert_eq!(changed, [Status::Changed; 4], "{}", play.seen());
    let world = azure.world.lock().unwrap();
    // The second is for the token that was no longer taken.
    assert_eq!(world.given, ["secret", "secret"]);
    // The versions of the provider are asked for once, and the newest that is no preview is used.
    let asked = |what: &str| world.calls.iter().filter(|it| it.starts_with(what)).count();
    assert_eq!(asked("GET microsoft.test 2021-04-01"), 1, "{:?}", world.calls);
    assert_eq!(asked("PUT plain 2024-03-01"), 1, "{:?}", world.calls);
    assert_eq!(asked("PUT throttled"), 2, "{:?}", world.calls);
}
