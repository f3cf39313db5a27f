//! What a run has changed on a host beyond ssh is put back there, by whom it was changed.

use std::fs;
use std::os::unix::fs::MetadataExt;

use davit_ground::{Rights, User};

use super::Scene;

#[test]
fn changes_of_several_users_are_undone_in_turn() {
    let user = User::with(Rights::Free).expect("a user");
    let scene = Scene::new();
    scene.with_key(user.name, &[]);
    let folder = format!("/tmp/davit-undo-{}", std::process::id());
    let site = "\
- hosts: a
  gather_facts: false
  tasks:
    - file: {path: FOLDER, state: directory, mode: '0777'}
    - copy: {content: first, dest: FOLDER/file, mode: '0640'}
    - copy: {content: roots, dest: FOLDER/roots, mode: '0600'}
      become: true
    - file: {path: FOLDER/file, owner: root}
      become: true
";
    scene.place.write("site.yml", &site.replace("FOLDER", &folder));
    let ran = scene.place.run("davit run -i hosts.yml site.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let second = "\
- hosts: a
  gather_facts: false
  become: true
  tasks:
    - copy: {content: second, dest: FOLDER/file}
    - file: {path: FOLDER/roots, state: absent}
    - file: {path: FOLDER/file, mode: '0600', owner: NAME}
    - command: 'false'
";
    let second = second.replace("FOLDER", &folder).replace("NAME", user.name);
    scene.place.write("second.yml", &second);
    let ran = scene.place.run("davit run -i hosts.yml second.yml --on-failure undo");
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    let file = fs::metadata(format!("{folder}/file")).expect("it is there");
    assert_eq!((file.uid(), file.mode() & 0o7777), (0, 0o640), "{}", ran.err);
    assert_eq!(fs::read(format!("{folder}/file")).expect("it is there"), b"first", "{}", ran.err);
    assert_eq!(fs::read(format!("{folder}/roots")).expect("it is there"), b"roots", "{}", ran.err);

    let id = scene.place.run("davit runs --json --limit 3").out;
    let id = id.lines().nth(2).expect("three runs")[7..15].to_owned();
    let undone = scene.place.run(&format!("davit undo {id}"));
    assert_eq!(undone.code, 0, "{}{}", undone.out, undone.err);
    assert!(!fs::exists(&folder).expect("it can be told"), "{}", undone.out);
}
