//! Vaults go both ways between this crate and the original `ansible-vault`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use davit_vault::{Secret, Secrets, decrypt_with, encrypt, load_password};

/// The original, as `cargo xtask setup` installs it.
fn ansible_vault() -> PathBuf {
    let home = std::env::var_os("HOME").expect("HOME is set");
    let program = Path::new(&home).join(".cache/davit/venv/bin/ansible-vault");
    assert!(program.exists(), "{} is missing: run `cargo xtask setup`", program.display());
    program
}

fn run(folder: &Path, args: &[&str]) -> String {
    let output = Command::new(ansible_vault())
        .args(args)
        .current_dir(folder)
        .env_remove("ANSIBLE_CONFIG")
        .output()
        .expect("ansible-vault starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_original_reads_what_we_write_and_we_what_it_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("pw"), " påss wörd \n").expect("written");
    let secret = load_password(&folder.join("pw"), "dev").expect("a password");
    assert_eq!(secret, Secret::new("påss wörd"));

    for (id, plain) in [(None, ""), (Some("dev"), "key: välue\n"), (None, "sixteen bytes..\n")] {
        let text = encrypt(plain.as_bytes(), &secret, id).expect("encrypted");
        fs::write(folder.join("ours"), &text).expect("written");
        if !plain.is_empty() {
            let shown = run(folder, &["view", "--vault-id", "dev@pw", "ours"]);
            assert_eq!(shown.trim_end(), plain.trim_end());
        }
        run(folder, &["decrypt", "--vault-password-file", "pw", "--output", "plain", "ours"]);
        assert_eq!(fs::read_to_string(folder.join("plain")).expect("read"), plain);
    }

    fs::write(folder.join("theirs"), [0, 159, 146, 150, 10]).expect("written");
    run(folder, &["encrypt", "--vault-id", "prod@pw", "theirs"]);
    let text = fs::read_to_string(folder.join("theirs")).expect("read");
    let secrets = Secrets::from_iter([("prod", secret)]);
    assert_eq!(decrypt_with(&text, &secrets), Ok((vec![0, 159, 146, 150, 10], "prod")));
}
