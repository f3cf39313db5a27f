//! While davit runs with secrets of all kinds, they are looked for in every place that others could read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use davit_ground::{Rights, wait_until};

use super::Scene;

/// Where a secret was seen.
struct Search {
    secrets: Vec<(&'static str, String)>,
    found: Vec<String>,
}

impl Search {
    fn look(&mut self, at: &str, bytes: &[u8]) {
        for (name, secret) in &self.secrets {
            if bytes.windows(secret.len()).any(|it| it == secret.as_bytes()) {
                let line = format!("{name} in {at}");
                if !self.found.contains(&line) {
                    self.found.push(line);
                }
            }
        }
    }

    /// The command lines and environments of all processes, but for the test's own.
    fn processes(&mut self) {
        let own = std::process::id().to_string();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == own || !name.bytes().all(|it| it.is_ascii_digit()) {
                continue;
            }
            let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let line = read("cmdline");
            let shown = String::from_utf8_lossy(&line).replace('\0', " ");
            self.look(&format!("the command line of {shown}"), &line);
            self.look(&format!("the environment of {shown}"), &read("environ"));
        }
    }

    /// Files that others may read, or all.
    fn files(&mut self, folder: &Path, all: bool) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.path().symlink_metadata() else { continue };
            if kind.is_dir() {
                self.files(&entry.path(), all);
            } else if kind.is_file()
                && kind.len() < 64 << 20
                && (all || kind.permissions().mode() & 0o044 != 0)
            {
                let text = fs::read(entry.path()).unwrap_or_default();
                self.look(&entry.path().display().to_string(), &text);
            }
        }
    }
}

#[test]
fn nothing_secret_is_seen_while_it_runs_or_afterwards() {
    let scene = Scene::new(Rights::Password, "");
    let vaulted = "v-6f1c0a9be2d44c55";
    let quiet = "n-81d24e0f6ab94d17";
    let secrets = vec![
        ("the password", scene.user.password.clone()),
        ("a vault's text", vaulted.to_owned()),
        ("an argument under no_log", quiet.to_owned()),
        ("the vault's password", "w-0c5be9718a6f4d23".to_owned()),
    ];
    scene.place.write("pw", "w-0c5be9718a6f4d23");
    let place = scene.place.path();
    fs::set_permissions(place.join("pw"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let encrypted = scene.place.run(&format!(
        "davit vault encrypt-string --vault-password-file pw {vaulted} --name secret"
    ));
    let encrypted = if encrypted.code == 0 {
        encrypted
    } else {
        scene.place.run(&format!(
            "ansible-vault encrypt_string --vault-password-file pw {vaulted} --name secret"
        ))
    };
    assert_eq!(encrypted.code, 0, "{}", encrypted.err);
    scene.place.write("group_vars/all.yml", &encrypted.out);
    let playbook = format!(
        "- hosts: all\n  become: true\n  gather_facts: false\n  tasks:\n    \
         - command: id -un\n      register: who\n    \
         - copy: {{content: \"{{{{ secret }}}}\", dest: /root-only, mode: '0600'}}\n      diff: true\n    \
         - command: cat /root-only\n    \
         - shell: sleep 1; cat > /dev/null\n      args: {{stdin: \"{quiet}\"}}\n      no_log: true\n    \
         - copy: {{content: \"{quiet}\", dest: /root-only-2, mode: '0600'}}\n      no_log: true\n    \
         - command: sleep 1\n    \
         - fail: {{msg: \"it was {{{{ secret }}}}\"}}\n      ignore_errors: true\n    \
         - file: {{path: \"{{{{ item }}}}\", state: absent}}\n      loop: [/root-only, /root-only-2]\n    \
         - assert: {{that: who.stdout == 'root'}}\n"
    );
    scene.place.write("site.yml", &playbook);
    // The password comes in files that only the owner reads, as from a terminal it would come unseen.
    scene.place.write("login", &scene.user.password);
    fs::set_permissions(place.join("login"), fs::Permissions::from_mode(0o600)).expect("a mode");
    let mut search = Search { secrets, found: Vec::new() };
    let output = fs::File::create(place.join("stdout")).expect("a file");
    let errors = fs::File::create(place.join("stderr")).expect("a file");
    let mut child = scene
        .place
        .command(
            "davit run -i hosts site.yml --diff -vvv --output default --vault-password-file pw \
             --connection-password-file login --become-password-file login",
        )
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .expect("davit starts");
    let mut looks = 0;
    let ended = wait_until(Duration::from_secs(150), || {
        search.processes();
        looks += 1;
        matches!(child.try_wait(), Ok(Some(_)) | Err(_))
    });
    let said = scene.place.read("stdout") + &scene.place.read("stderr");
    assert!(ended && looks > 5, "{looks} looks\n{said}");
    assert_eq!(child.wait().expect("it has ended").code(), Some(0), "{said}");
    search.look("what it printed", said.as_bytes());
    // What davit keeps, the history in the first place, whoever may read it.
    for folder in [".local", ".cache", ".config", "state", ".davit"] {
        search.files(&place.join(folder), true);
    }
    // What is left on the host: with the agent, in its folders for temporary files.
    let keeps = scene.machine.run(&[
        "grep",
        "-rlE",
        "v-6f1c0a9b|n-81d24e0f|w-0c5be971",
        "/home",
        "/var/tmp",
        "/dev/shm",
    ]);
    assert!(keeps.is_err(), "secrets are left on the host: {keeps:?}");
    assert!(search.found.is_empty(), "{:#?}\n{said}", search.found);
    assert!(said.contains("********"), "nothing was masked, so nothing was tested:\n{said}");
}

#[test]
fn what_davit_leaves_on_a_host_is_for_its_user_only() {
    let scene = Scene::new(Rights::Free, "").with_key();
    let ran = scene.place.run("davit exec -i hosts all -m ping");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let find = "find /home/davit-t3 /var/tmp /dev/shm /tmp -user davit-t3 -path '*davit*'";
    let all = scene.machine.run(&["sh", "-c", find]).expect("it can be listed");
    assert!(all.contains("/davit/agent-") || all.contains("/davit-"), "{all}");
    let open = scene.machine.run(&["sh", "-c", &format!("{find} -perm /077 ! -type l")]);
    assert_eq!(open.expect("it can be listed"), "", "others may read or change it");
}
