//! `davit undo`, and what a run does where it fails and is to be undone.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use super::{HOSTS, Place};

const PLAYBOOK: &str = "\
- hosts: a
  gather_facts: false
  tasks:
    - name: a folder
      file: path={{ playbook_dir }}/srv state=directory
    - name: something in it
      copy: content=hello dest={{ playbook_dir }}/srv/hello
    - name: a line
      lineinfile: path={{ playbook_dir }}/motd line=two
    - name: another line
      lineinfile: path={{ playbook_dir }}/motd line=three mode=0600
    - name: nobody needs it
      file: path={{ playbook_dir }}/old state=absent
    - name: a link
      file: src=motd dest={{ playbook_dir }}/link state=link
";

fn place() -> Place {
    let place = Place::new(&[
        HOSTS,
        ("site.yml", PLAYBOOK),
        ("motd", "one\n"),
        ("old/deep/file", "precious"),
    ]);
    chmod(&place, "motd", 0o644);
    chmod(&place, "old/deep", 0o750);
    place
}

fn chmod(place: &Place, name: &str, mode: u32) {
    fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(mode))
        .expect("the mode is set");
}

fn mode(place: &Place, name: &str) -> u32 {
    fs::metadata(place.path().join(name)).expect("it is there").mode() & 0o7777
}

fn is_as_before(place: &Place) {
    assert_eq!(place.read("motd"), "one\n");
    assert_eq!(mode(place, "motd"), 0o644);
    assert_eq!(place.read("old/deep/file"), "precious");
    assert_eq!(mode(place, "old/deep"), 0o750);
    assert!(!place.path().join("srv").exists());
    assert!(fs::symlink_metadata(place.path().join("link")).is_err());
}

#[test]
fn a_run_is_undone_once_and_can_be_done_again() {
    let place = place();
    let ran = place.run("davit run -i hosts site.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(place.read("motd"), "one\ntwo\nthree\n");

    let foretold = place.run("davit undo last --check --diff");
    assert_eq!(foretold.code, 0, "{}{}", foretold.out, foretold.err);
    assert!(foretold.out.contains("-two\n-three\n"), "{}", foretold.out);
    assert!(foretold.out.contains("would undo  {here}/old: put back"), "{}", foretold.out);
    assert_eq!(place.read("motd"), "one\ntwo\nthree\n");

    let undone = place.run("davit undo last");
    undone.check(
        0,
        "\
a
  undone      {here}/link: removed
  undone      {here}/old: put back
  undone      {here}/motd: put back
  undone      {here}/srv/hello: removed
  undone      {here}/srv: removed
  5 undone
",
        &undone.err,
    );
    assert!(undone.err.contains("undoing run "), "{}", undone.err);
    is_as_before(&place);

    let again = place.run("davit undo last");
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(again.out, "a\n  nothing is left to undo\n");

    let runs = place.run("davit runs --json");
    let ids: Vec<String> = runs.out.lines().map(|it| it[7..15].to_owned()).collect();
    assert_eq!(ids.len(), 4, "{}", runs.out);
    let redone = place.run(&format!("davit undo {}", ids[1]));
    assert_eq!(redone.code, 0, "{}{}", redone.out, redone.err);
    assert_eq!(place.read("motd"), "one\ntwo\nthree\n");
    assert_eq!(mode(&place, "motd"), 0o600);
    assert_eq!(place.read("srv/hello"), "hello");
    assert!(!place.path().join("old").exists());
    assert_eq!(place.run("davit show last").code, 0);
}

#[test]
fn what_was_changed_since_stays_and_is_named() {
    let place = place();
    place.write(
        "site.yml",
        &format!("{PLAYBOOK}    - name: who knows\n      command: touch {{{{ playbook_dir }}}}/new\n    - command: 'true'\n      changed_when: false\n"),
    );
    assert_eq!(place.run("davit run -i hosts site.yml").code, 0);
    place.write("motd", "mine");
    place.write("srv/theirs", "x");
    let undone = place.run("davit undo last --json");
    assert_eq!(undone.code, 2, "{}", undone.err);
    let report: serde_json::Value = serde_json::from_str(&undone.out).expect("it is JSON");
    let lines = report["hosts"]["a"]["changes"].as_array().expect("a list");
    let of = |path: &str| {
        let line = lines.iter().find(|it| it["path"] == path).unwrap_or_else(|| panic!("{path}"));
        format!("{} {} {}", line["did"], line["how"], line["tasks"])
    };
    assert_eq!(
        of("{here}/motd"),
        r#""skipped" "changed since: its content is another one" ["another line","a line"]"#
    );
    assert_eq!(of("{here}/srv"), r#""skipped" "it is not empty" ["a folder"]"#);
    assert_eq!(
        of("touch"),
        r#""impossible" "a program was run: what it did is not known" ["who knows"]"#
    );
    assert!(!lines.iter().any(|it| it["path"] == "true"), "{lines:?}");
    assert_eq!(place.read("motd"), "mine");
    assert_eq!(place.read("old/deep/file"), "precious");
}

#[test]
fn hosts_that_fail_are_undone_where_that_is_wanted() {
    let playbook = "\
- hosts: all
  gather_facts: false
  tasks:
    - copy: content=new dest={{ playbook_dir }}/{{ inventory_hostname }}
    - fail: msg=no
      when: inventory_hostname == 'a'
";
    let place = Place::new(&[HOSTS, ("site.yml", playbook), ("a", "old"), ("b", "old")]);
    let ran = place.run("davit run -i hosts site.yml --on-failure undo --output json");
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    assert_eq!((place.read("a"), place.read("b")), ("old".into(), "new".into()));
    assert!(serde_json::from_str::<serde_json::Value>(&ran.out).is_ok(), "{}", ran.out);
    assert!(ran.err.contains("undoing what the run has changed on a\n"), "{}", ran.err);
    assert!(ran.err.contains("undone      {here}/a: put back"), "{}", ran.err);
    let rest = place.run("davit undo last");
    assert_eq!(rest.code, 0, "{}{}", rest.out, rest.err);
    assert_eq!(place.read("b"), "old");
}

#[test]
fn what_cannot_be_undone_is_said() {
    let place = place();
    assert_eq!(place.run("davit run -i hosts site.yml --check").code, 0);
    let last = place.run("davit undo last");
    assert_eq!(last.code, 1);
    assert!(last.err.contains("no run that could be undone"), "{}", last.err);
    let id = place.run("davit runs --json").out[7..15].to_owned();
    let dry = place.run(&format!("davit undo {id}"));
    assert!(dry.err.contains("was a dry run: it changed nothing"), "{}", dry.err);

    place.write("site.yml", "- hosts: a\n  gather_facts: false\n  tasks:\n    - ping:\n");
    assert_eq!(place.run("davit run -i hosts site.yml").code, 0);
    let nothing = place.run("davit undo last");
    assert_eq!((nothing.code, nothing.out.as_str()), (0, ""));
    assert!(nothing.err.contains("changed nothing that is known of"), "{}", nothing.err);

    place.write("site.yml", PLAYBOOK);
    let unkept = [("DAVIT_UNDO_KEEP", "false")];
    assert_eq!(place.run_with("davit run -i hosts site.yml", &unkept, "").code, 0);
    let undone = place.run("davit undo last");
    assert_eq!(undone.code, 2);
    assert!(
        undone.out.contains(
            "impossible  {here}/old: no copy was kept: the run kept no copies (task 'nobody needs it')"
        ),
        "{}",
        undone.out
    );
    assert!(!place.path().join("link").exists());

    let limited = place.run("davit undo last --limit b");
    assert!(limited.err.contains("changed nothing on 'b'"), "{}", limited.err);
    place.write("hosts", "b ansible_connection=local\n");
    let gone = place.run("davit undo last");
    assert_eq!(gone.code, 4, "{}", gone.err);
    assert_eq!(gone.out, "a\n  unreachable: it is not in the inventory any more\n");
}

#[test]
fn what_goes_on_by_itself_is_undone_and_what_was_stopped_is_named() {
    let playbook = "\
- hosts: a
  gather_facts: false
  tasks:
    - file: path={{ playbook_dir }}/new state=touch mode=0644
      async: 60
      poll: 1
    - name: too slow
      command: sleep 60
      timeout: 1
      ignore_errors: true
";
    let place = Place::new(&[HOSTS, ("site.yml", playbook)]);
    let ran = place.run("davit run -i hosts site.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(!ran.out.contains("davit_changes"), "{}", ran.out);
    let undone = place.run("davit undo last");
    undone.check(
        2,
        "\
a
  undone      {here}/new: removed
  impossible  task 'too slow': what it did is not known
  1 undone, 1 impossible
",
        &undone.err,
    );
    assert!(!place.path().join("new").exists());
}

#[test]
fn a_run_that_goes_on_is_not_undone() {
    let playbook = "- hosts: a\n  gather_facts: false\n  tasks:\n    - command: sleep 60\n";
    let place = Place::new(&[HOSTS, ("site.yml", playbook)]);
    let mut child = place
        .command("davit run -i hosts site.yml --output default")
        .stdout(Stdio::piped())
        .spawn()
        .expect("davit starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it has one")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("TASK [command]"))));
    let undone = place.run("davit undo last");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert_eq!(undone.code, 1);
    assert!(undone.err.contains("is still going on"), "{}", undone.err);
}
