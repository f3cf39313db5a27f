//! Log-in with a key, with a password, with a wrong one, at a host that is not known.

use davit_ground::{Rights, User};

use super::Scene;

#[test]
fn a_command_with_a_key() {
    let scene = Scene::new();
    scene.with_key("davit-t3", &[]);
    User::with(Rights::Free).expect("a user");
    let ran = scene.place.run("davit exec -i hosts.yml a -- id -un");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("davit-t3"), "{}", ran.out);
}

#[test]
fn a_command_that_fails_says_so() {
    let scene = Scene::new();
    scene.with_key("davit-t3", &[]);
    User::with(Rights::Free).expect("a user");
    let ran = scene.place.run("davit exec -i hosts.yml a -- false");
    assert_ne!(ran.code, 0, "{}{}", ran.out, ran.err);
    let ran = scene.place.run("davit exec -i hosts.yml a -- cat /nowhere/at/all");
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("No such file") && ran.out.contains("rc=1"), "{}", ran.out);
}

#[test]
fn a_password_from_a_file() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    scene.password(&user);
    let line = format!(
        "davit exec -i hosts.yml a -u {} --connection-password-file password -- id -un",
        user.name
    );
    let ran = scene.place.run(&line);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(user.name), "{}", ran.out);
}

#[test]
fn a_password_from_the_inventory() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    for name in ["ansible_password", "ansible_ssh_password", "ansible_ssh_pass"] {
        scene.inventory(&[
            ("ansible_user", user.name),
            (name, &user.password),
            ("ansible_ssh_common_args", &scene.known()),
        ]);
        let ran = scene.place.run("davit exec -i hosts.yml a -- id -un");
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
        assert!(!ran.out.contains(&user.password) && !ran.err.contains(&user.password));
    }
}

#[test]
fn a_wrong_password() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    scene.place.write("password", "wrong-one\n");
    let line = format!(
        "davit exec -i hosts.yml a -u {} --connection-password-file password -- id -un",
        user.name
    );
    let ran = scene.place.run(&line);
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let said = ran.out + &ran.err;
    assert!(said.contains("UNREACHABLE") && said.contains("password"), "{said}");
    assert!(!said.contains("wrong-one"), "{said}");
}

#[test]
fn no_key_and_no_password() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    let ran = scene.place.run(&format!("davit exec -i hosts.yml a -u {} -- id -un", user.name));
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("UNREACHABLE"), "{}", ran.out);
}

#[test]
fn a_host_whose_key_is_not_known() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    let key = scene.sshd.hosts.key.path.display().to_string();
    scene.place.write("empty", "");
    let known = format!("-o UserKnownHostsFile={}", scene.place.path().join("empty").display());
    let mut variables = vec![
        ("ansible_user", user.name),
        ("ansible_ssh_private_key_file", key.as_str()),
        ("ansible_ssh_common_args", known.as_str()),
    ];
    scene.inventory(&variables);
    let ran = scene.place.run("davit exec -i hosts.yml a -- id -un");
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let said = ran.out + &ran.err;
    assert!(
        said.contains("host key") && said.contains("not known")
            || said.contains("ssh-keyscan")
            || said.contains("known_hosts"),
        "it does not say why, and what to do: {said}"
    );
    assert_eq!(scene.place.read("empty"), "", "an unknown key was taken");
    variables.push(("ansible_host_key_checking", "false"));
    scene.inventory(&variables);
    let ran = scene.place.run("davit exec -i hosts.yml a -- id -un");
    assert_eq!(ran.code, 0, "asked not to check, it does not: {}{}", ran.out, ran.err);
}

#[test]
fn a_host_whose_key_has_changed() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJwMRPZh+wqBBH1F3ZDxyGnLVBpsLXGP0kSxIdYfRWiU";
    let hosts = &scene.sshd.hosts;
    scene.place.write("known", &format!("[{}]:{} {other}\n", hosts.addresses[0], hosts.port));
    let known = format!("-o UserKnownHostsFile={}", scene.place.path().join("known").display());
    let key = hosts.key.path.display().to_string();
    scene.inventory(&[
        ("ansible_user", user.name),
        ("ansible_ssh_private_key_file", &key),
        ("ansible_ssh_common_args", &known),
    ]);
    let ran = scene.place.run("davit exec -i hosts.yml a -- id -un");
    assert_eq!(ran.code, 4, "{}{}", ran.out, ran.err);
    let said = ran.out + &ran.err;
    assert!(
        said.to_lowercase().contains("changed"),
        "it does not say that the key has changed: {said}"
    );
}

#[test]
fn raw_needs_no_agent() {
    let scene = Scene::new();
    let user = User::with(Rights::None).expect("a user");
    scene.with_key(user.name, &[]);
    let ran = scene.place.run("davit exec -i hosts.yml a -m raw -a id");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(user.name), "{}", ran.out);
}
