//! The tests of the actions, as playbooks reach them: over the engine and the modules.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod play;
mod ways;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use davit_event::{End, Status};
use serde_json::json;

use crate::play::{encrypted, tasks};

/// A folder with the files that the tests use.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("files/one.txt", "one\n");
    put("files/tree/f1", "f1\n");
    put("files/tree/d/f2", "f2\n");
    put("files/s.sh", "#!/bin/sh\necho \"args: $*\"; exit ${RC:-0}\n");
    put("files/parts/a", "a\n");
    put("files/parts/b", "b");
    put("files/parts/.c", "c\n");
    put("files/secret.txt", &encrypted("secret\n"));
    put(
        "templates/t.j2",
        "{{ inventory_hostname }} {{ template_path }}\n{% include 'sub/inc.j2' %}\n",
    );
    put("templates/sub/inc.j2", "{{ 1 + 1 }}\n{% if true %}\nend\n{% endif %}\n");
    put("templates/bad.j2", "a\nb {{ nosuch }}\n");
    put("templates/delimiters.j2", "[% if true %]\né {{ x }}\n[% endif %]\n");
    fs::create_dir(folder.path().join("files/tree/empty")).unwrap();
    symlink("f1", folder.path().join("files/tree/link")).unwrap();
    symlink("nowhere", folder.path().join("files/tree/broken")).unwrap();
    fs::set_permissions(folder.path().join("files/s.sh"), fs::Permissions::from_mode(0o750))
        .unwrap();
    folder
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join("out").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn msg(end: &End) -> &str {
    end.reply.get("msg").and_then(|it| it.as_str()).unwrap_or_default()
}

/// Runs tasks that are one line each, and holds each against its status and its message.
#[track_caller]
fn check(folder: &Path, rows: &[(&str, Status, &str)]) {
    let text: String = rows.iter().map(|row| format!("  - {}\n", row.0)).collect();
    let ends = tasks(folder, &text);
    assert_eq!(ends.len(), rows.len());
    for (end, (task, status, expect)) in ends.iter().zip(rows) {
        assert_eq!((end.status, msg(end)), (*status, *expect), "{task}: {:?}", end.reply);
    }
}

#[test]
fn files_and_texts_are_copied() {
    let folder = folder();
    check(
        folder.path(),
        &[
            ("copy: {src: one.txt, dest: '{{ out }}/'}", Status::Changed, ""),
            ("copy: {src: one.txt, dest: '{{ out }}/one.txt'}", Status::Ok, ""),
            ("copy: {src: s.sh, dest: '{{ out }}/new/dir/', mode: preserve}", Status::Changed, ""),
            ("copy: {content: {a: [1, é]}, dest: '{{ out }}/json'}", Status::Changed, ""),
            ("copy: {src: secret.txt, dest: '{{ out }}/secret'}", Status::Changed, ""),
            (
                "copy: {src: secret.txt, dest: '{{ out }}/vault', decrypt: false}",
                Status::Changed,
                "",
            ),
        ],
    );
    let folder = folder.path();
    assert_eq!(read(folder, "json"), br#"{"a": [1, "\u00e9"]}"#);
    assert_eq!(read(folder, "secret"), b"secret\n");
    assert!(read(folder, "vault").starts_with(b"$ANSIBLE_VAULT"));
    let mode = fs::metadata(folder.join("out/new/dir/s.sh")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
}

#[test]
fn copies_that_cannot_be_are_refused_in_known_words() {
    let folder = folder();
    let missing = format!(
        "Unexpected AnsibleActionFail error: Could not find or access 'no'\nSearched in:{tried}{tried} on the Ansible Controller.\nIf you are using a module and expect the file to exist on the remote, see the remote_src option",
        tried = format_args!("\n\t{0}/files/no\n\t{0}/no", folder.path().display()),
    );
    check(
        folder.path(),
        &[
            ("copy: {src: one.txt}", Status::Failed, "dest is required"),
            ("copy: {dest: '{{ out }}/x'}", Status::Failed, "src (or content) is required"),
            (
                "copy: {src: a, content: b, dest: c}",
                Status::Failed,
                "src and content are mutually exclusive",
            ),
            (
                "copy: {content: b, dest: '{{ out }}'}",
                Status::Failed,
                "can not use content with a dir as dest",
            ),
            ("copy: {src: 'no', dest: '{{ out }}/x'}", Status::Failed, &missing),
            (
                "copy: text",
                Status::Failed,
                "Task failed: Action 'ansible.builtin.copy' does not support raw params.",
            ),
        ],
    );
}

#[test]
fn folders_are_copied_with_what_is_in_them() {
    let folder = folder();
    let ends = tasks(
        folder.path(),
        "
  - copy: {src: tree, dest: '{{ out }}/a'}
  - copy: {src: tree/, dest: '{{ out }}/b', local_follow: false, directory_mode: '0700', mode: '0640'}
  - copy: {src: tree/, dest: '{{ out }}/b', local_follow: false, directory_mode: '0700', mode: '0640'}
  - copy: {src: tree/, dest: '{{ out }}/c'}
    check_mode: true
",
    );
    let statuses: Vec<Status> = ends.iter().map(|it| it.status).collect();
    assert_eq!(
        statuses,
        [Status::Changed, Status::Changed, Status::Ok, Status::Changed],
        "{ends:?}"
    );
    let out = folder.path().join("out");
    assert_eq!(ends[0].reply["dest"], format!("{}/a/", out.display()));
    assert_eq!(read(folder.path(), "a/tree/link"), b"f1\n");
    assert_eq!(read(folder.path(), "a/tree/d/f2"), b"f2\n");
    assert!(out.join("a/tree/empty").is_dir());
    assert_eq!(fs::read_link(out.join("a/tree/broken")).unwrap(), Path::new("nowhere"));
    assert_eq!(fs::read_link(out.join("b/link")).unwrap(), Path::new("f1"));
    let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("b"), mode("b/d"), mode("b/f1")), (0o700, 0o700, 0o640));
    assert!(!out.join("c").exists());
}

#[test]
fn check_mode_says_that_a_file_would_change_and_no_more() {
    let folder = folder();
    let ends = tasks(
        folder.path(),
        "
  - copy: {content: x, dest: '{{ out }}/nosuch/x'}
    check_mode: true
    diff: true
  - template: {src: t.j2, dest: '{{ out }}/t'}
    check_mode: true
",
    );
    for end in &ends {
        let mut keys: Vec<&str> = end.reply.keys().map(String::as_str).collect();
        keys.retain(|it| !matches!(*it, "invocation" | "diff" | "failed"));
        assert_eq!((end.status, &*keys), (Status::Changed, &["changed"][..]), "{:?}", end.reply);
    }
}

#[test]
fn templates_are_rendered() {
    let folder = folder();
    check(
        folder.path(),
        &[
            ("template: {src: t.j2, dest: '{{ out }}/t'}", Status::Changed, ""),
            ("template: {src: t.j2, dest: '{{ out }}/t'}", Status::Ok, ""),
            (
                "template: {src: delimiters.j2, dest: '{{ out }}/d', block_start_string: '[%', block_end_string: '%]', variable_start_string: '<<', variable_end_string: '>>', output_encoding: latin-1, newline_sequence: '\\r\\n'}",
                Status::Changed,
                "",
            ),
            ("template: {src: t.j2}", Status::Failed, "src and dest are required"),
            (
                "template: {src: t.j2, dest: x, state: a}",
                Status::Failed,
                "'state' cannot be specified on a template",
            ),
            (
                "template: {src: t.j2, dest: x, output_encoding: nosuch}",
                Status::Failed,
                "Task failed: unknown encoding: nosuch",
            ),
        ],
    );
    assert_eq!(read(folder.path(), "t"), b"localhost t.j2\n2\nend\n");
    assert_eq!(read(folder.path(), "d"), b"\xe9 {{ x }}\r\n");
}

#[test]
fn a_template_that_fails_says_where() {
    let folder = folder();
    let ends = tasks(folder.path(), "  - template: {src: bad.j2, dest: '{{ out }}/x'}\n");
    assert_eq!(msg(&ends[0]), "Task failed: 'nosuch' is undefined");
    let place = ends[0].causes[1].origin.clone().unwrap();
    assert!(place.contains("templates/bad.j2:2:"), "{place}");
}

#[test]
fn files_are_fetched() {
    let folder = folder();
    let big = vec![b'x'; 9_000_000];
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/big"), &big).unwrap();
    let missing = "the remote file does not exist, not transferring, ignored";
    check(
        folder.path(),
        &[
            ("fetch: {src: '{{ out }}/big', dest: here}", Status::Changed, ""),
            ("fetch: {src: '{{ out }}/big', dest: here}", Status::Ok, ""),
            ("fetch: {src: '{{ out }}/big', dest: flat/, flat: true}", Status::Changed, ""),
            ("fetch: {src: '{{ out }}/no', dest: here}", Status::Failed, missing),
            (
                "fetch: {src: '{{ out }}/no', dest: here, fail_on_missing: false}",
                Status::Ok,
                missing,
            ),
            (
                "fetch: {src: '{{ out }}', dest: here}",
                Status::Failed,
                "remote file is a directory, fetch cannot work on directories",
            ),
            ("fetch: {src: a}", Status::Failed, "src and dest are required"),
        ],
    );
    let out = folder.path().join("out");
    let fetched = format!("{}/here/localhost{}/big", folder.path().display(), out.display());
    assert!(fs::read(fetched).unwrap() == big);
    assert!(fs::read(folder.path().join("flat/big")).unwrap() == big);
}

#[test]
fn scripts_run_where_the_host_is() {
    let folder = folder();
    let ends = tasks(
        folder.path(),
        "
  - script: s.sh a 'b c'
  - script: s.sh
    environment: {RC: '3'}
  - script: {cmd: nosuch.sh, creates: '{{ out }}'}
  - script: nosuch.sh
",
    );
    assert_eq!(ends[0].reply["stdout"], json!("args: a b c\n"));
    assert_eq!((ends[1].status, &ends[1].reply["rc"]), (Status::Failed, &json!(3)));
    assert_eq!(ends[1].causes[0].message, "Task failed: Action failed: non-zero return code");
    assert_eq!(ends[2].status, Status::Skipped);
    assert!(
        msg(&ends[3]).starts_with("Could not find or access 'nosuch.sh'\nSearched in:"),
        "{}",
        msg(&ends[3])
    );
}

#[test]
fn pieces_of_the_controller_are_assembled() {
    let folder = folder();
    check(
        folder.path(),
        &[
            ("assemble: {src: parts, dest: '{{ out }}/a', remote_src: false}", Status::Changed, ""),
            ("assemble: {src: parts, dest: '{{ out }}/a', remote_src: false}", Status::Ok, ""),
            (
                "assemble: {src: parts, dest: '{{ out }}/b', remote_src: false, ignore_hidden: true, delimiter: '--'}",
                Status::Changed,
                "",
            ),
            ("assemble: {src: parts}", Status::Failed, "src and dest are required"),
        ],
    );
    assert_eq!(read(folder.path(), "a"), b"c\na\nb");
    assert_eq!(read(folder.path(), "b"), b"a\n--\nb");
}

#[test]
fn archives_are_found_and_their_absence_told() {
    let folder = folder();
    let both = "parameters are mutually exclusive: ('copy', 'remote_src')";
    let skipped = format!("skipped, since {}/out exists", folder.path().display());
    check(
        folder.path(),
        &[
            ("unarchive: {src: a.tgz}", Status::Failed, "src (or content) and dest are required"),
            (
                "unarchive: {src: a.tgz, dest: x, copy: false, remote_src: true}",
                Status::Failed,
                both,
            ),
            (
                "unarchive: {src: a.tgz, dest: '{{ out }}', creates: '{{ out }}'}",
                Status::Skipped,
                &skipped,
            ),
        ],
    );
}

#[test]
fn facts_are_gathered() {
    let folder = folder();
    let ends = tasks(
        folder.path(),
        "
  - gather_facts: {gather_subset: ['!all', '!min', pkg_mgr]}
  - gather_facts: {bogus: 1}
",
    );
    assert!(ends[0].reply["ansible_facts"].get("ansible_pkg_mgr").is_some(), "{:?}", ends[0].reply);
    assert_eq!(msg(&ends[1]), "The following modules failed to execute: ansible.legacy.setup.");
}
