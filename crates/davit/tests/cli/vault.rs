//! Vault files: made, read, changed, and what is wrong with them.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Place;

fn place() -> Place {
    Place::new(&[("pw", "one\n"), ("new", "two\n"), ("f.yml", "x: 1\n")])
}

#[test]
fn a_file_goes_there_and_back() {
    let place = place();
    place.run("davit vault encrypt f.yml --vault-id dev@pw").check(0, "", "");
    assert!(place.read("f.yml").starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n"));
    let mode = fs::metadata(place.path().join("f.yml")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    place.run("ansible-vault view f.yml --vault-password-file pw").check(0, "x: 1\n", "");
    place.run("ansible-vault encrypt f.yml --vault-password-file pw").check(
        1,
        "",
        "[ERROR]: input is already encrypted\n",
    );
    place
        .run("ansible-vault rekey f.yml --vault-password-file pw --new-vault-password-file new")
        .check(0, "", "Rekey successful\n");
    place.run("ansible-vault view f.yml --vault-password-file pw").check(
        1,
        "",
        "[ERROR]: Decryption failed (no vault secrets were found that could decrypt). for f.yml\n",
    );
    place.run("ansible-vault decrypt f.yml --vault-password-file new").check(0, "", "");
    assert_eq!(place.read("f.yml"), "x: 1\n");
}

#[test]
fn the_editor_changes_what_is_encrypted() {
    let place = place();
    let editor = [("EDITOR", "sh -c 'echo y: 2 >> $1' x")];
    place
        .run_with("davit vault create n.yml --skip-tty-check --vault-id dev@pw", &editor, "")
        .check(0, "", "");
    place.run_with("davit vault edit n.yml --vault-id dev@pw", &editor, "").check(0, "", "");
    assert!(place.read("n.yml").starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n"));
    place.run("davit vault view n.yml --vault-id dev@pw").check(0, "y: 2\ny: 2\n", "");
    let again =
        place.run_with("davit vault create n.yml --skip-tty-check --vault-id dev@pw", &editor, "");
    again.check(1, "", "[ERROR]: {here}/n.yml exists, please use 'edit' instead\n");
    place.run("ansible-vault create m.yml --vault-id dev@pw").check(
        5,
        "",
        "[ERROR]: not a tty, editor cannot be opened\n",
    );
}

#[test]
fn texts_are_encrypted_for_variables() {
    let place = place();
    let ran = place.run("ansible-vault encrypt_string secret --name n --vault-id dev@pw");
    assert!(
        ran.out.starts_with("n: !vault |\n          $ANSIBLE_VAULT;1.2;AES256;dev\n          "),
        "{}",
        ran.out
    );
    let piped = place.run_with(
        "davit vault encrypt-string --stdin-name s --vault-password-file pw",
        &[],
        "secret",
    );
    assert!(
        piped.out.starts_with("s: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n"),
        "{}",
        piped.out
    );
    let several = place.run("ansible-vault encrypt_string x --vault-id dev@pw --vault-id b@new");
    assert_eq!(several.code, 5);
    assert!(
        several.err.contains("The vault-ids dev,b are available to encrypt."),
        "{}",
        several.err
    );
}

#[test]
fn what_is_not_there_is_told() {
    let place = place();
    place.run("ansible-vault view nothere --vault-password-file pw").check(
        1,
        "",
        "[ERROR]: Unable to read source file ({here}/nothere): [Errno 2] No such file or directory: '{here}/nothere'\n",
    );
    place.run("ansible-vault view f.yml --vault-password-file gone").check(
        1,
        "",
        "[WARNING]: Error getting vault password file (default): The vault password file {here}/gone was not found\n\
         [ERROR]: The vault password file {here}/gone was not found\n",
    );
    let through = place.run_with("ansible-vault encrypt --vault-password-file pw", &[], "text");
    let back = place.run_with("ansible-vault decrypt --vault-password-file pw", &[], &through.out);
    back.check(0, "text", "");
}
