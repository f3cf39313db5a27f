//! `examples/aws-backup`: what it keeps, that a second run changes nothing, and that nothing is lost.

use std::fs;
use std::path::Path;

use davit_event::{End, Status};
use davit_ground::Moto;
use serde_json::{Value, json};

use crate::play::Play;

/// What was there before: a bucket with an object.
const SOURCE: &str = "
- hosts: localhost
  gather_facts: false
  tasks:
  - amazon.aws.s3_bucket: {name: site-of-mine, region: eu-west-1}
  - amazon.aws.s3_object: {bucket: site-of-mine, object: index.html, content: hello, mode: put, region: eu-west-1}
";

/// What there is afterwards.
const LOOK: &str = "
- hosts: localhost
  gather_facts: false
  module_defaults: {davit.aws.call: {service: s3, region: eu-west-1}}
  tasks:
  - davit.aws.call:
      {operation: list_objects_v2, parameters: {Bucket: backup-of-mine}, query: 'Contents[].[Key, StorageClass]'}
  - davit.aws.call:
      {operation: list_object_versions, parameters: {Bucket: backup-of-mine}, query: 'length(Versions)'}
  - davit.aws.call:
      {operation: get_public_access_block, parameters: {Bucket: backup-of-mine}, query: 'PublicAccessBlockConfiguration.*'}
  - davit.aws.call:
      operation: get_bucket_encryption
      parameters: {Bucket: backup-of-mine}
      query: ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm
  - davit.aws.call:
      {operation: get_bucket_lifecycle_configuration, parameters: {Bucket: backup-of-mine}, query: 'Rules[].ID'}
";

/// Bucket, look at its life cycle, life cycle, folder, other bucket, word.
type Statuses = [Status; 6];

#[test]
fn the_example_backs_up_what_is_new_and_keeps_what_was() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/aws-backup/backup.yml");
    let moto = Moto::start().unwrap();
    let play = |check| Play { check, environment: moto.environment(), ..Play::new() };
    let folder = tempfile::tempdir().unwrap();
    let example = fs::read_to_string(path).unwrap();
    assert!(example.contains("/srv/data"));
    let example = example.replace("/srv/data", folder.path().to_str().unwrap());
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("one.txt", "one");
    write("two.txt", "two");
    write("scratch.tmp", "nothing");
    assert!(play(false).run(SOURCE).iter().all(|it| it.status == Status::Changed));

    let run = |check: bool, wanted: Statuses| {
        let ends = play(check).run(&example);
        let statuses: Vec<Status> = ends.iter().map(|it| it.status).collect();
        assert_eq!(statuses, wanted, "check: {check}: {ends:#?}");
        ends.last().unwrap().reply["msg"].clone()
    };
    let (ok, changed, skipped) = (Status::Ok, Status::Changed, Status::Skipped);
    let said = run(false, [changed, ok, changed, changed, changed, ok]);
    assert!(said.as_str().unwrap().starts_with("2 files uploaded, 0 removed. "), "{said}");
    for check in [true, false] {
        run(check, [ok, ok, skipped, ok, ok, ok]);
    }
    let first = [("folder/one.txt", "STANDARD_IA"), ("folder/two.txt", "STANDARD_IA")];
    look(&play(false).run(LOOK), &first, 3);

    write("one.txt", "one, and more");
    fs::remove_file(folder.path().join("two.txt")).unwrap();
    for check in [true, false] {
        let said = run(check, [ok, ok, skipped, changed, ok, ok]);
        assert!(said.as_str().unwrap().starts_with("1 files uploaded, 1 removed. "), "{said}");
    }
    run(false, [ok, ok, skipped, ok, ok, ok]);
    // Both versions of the one, and the other that was removed.
    look(&play(false).run(LOOK), &first[..1], 4);
}

fn look(ends: &[End], files: &[(&str, &str)], versions: u64) {
    let found: Vec<&Value> = ends.iter().map(|it| &it.reply["result"]).collect();
    let [objects, all, access, encryption, lifecycle] = found[..] else { panic!("{ends:?}") };
    let mut wanted: Vec<(&str, &str)> = files.to_vec();
    wanted.push(("index.html", "STANDARD"));
    assert_eq!(*objects, json!(wanted));
    assert_eq!(*all, json!(versions));
    assert_eq!(*access, json!([true, true, true, true]));
    assert_eq!(*encryption, "AES256");
    assert_eq!(*lifecycle, json!(["old-versions"]));
}
