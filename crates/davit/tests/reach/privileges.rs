//! become: every method, with and without a password, to root and to others.

use davit_ground::{Rights, User};

use super::Scene;

/// Logs in as the user and becomes the other; the answer of `id -un` there.
fn become_other(user: &User, method: &str, to: &str, password: Option<&str>) -> (i32, String) {
    let scene = Scene::new();
    let mut variables = vec![("ansible_become_method", method), ("ansible_become_user", to)];
    if let Some(password) = password {
        variables.push(("ansible_become_password", password));
    }
    scene.with_key(user.name, &variables);
    let playbook = "- hosts: a\n  gather_facts: false\n  tasks:\n    \
                    - command: id -un\n      become: true\n      register: other\n    \
                    - command: id -un\n      register: own\n    \
                    - copy: {content: \"{{ other.stdout }}\", dest: \"/tmp/davit-become-{{ other.stdout }}\", mode: '0600'}\n      become: true\n    \
                    - command: stat -c %U /tmp/davit-become-{{ other.stdout }}\n      register: owner\n    \
                    - file: {path: \"/tmp/davit-become-{{ other.stdout }}\", state: absent}\n      become: true\n    \
                    - debug: {msg: \"{{ own.stdout }} became {{ other.stdout }}, whose file is {{ owner.stdout }}'s\"}\n";
    let file = format!("davit-become-{method}-{}-{}", user.name, std::process::id());
    scene.place.write("site.yml", &playbook.replace("davit-become-{{ other.stdout }}", &file));
    let ran = scene.place.run("davit run -i hosts.yml site.yml --output default");
    let said = ran.out + &ran.err;
    if let Some(password) = password {
        assert!(!said.contains(password), "the password is shown");
    }
    (ran.code, said)
}

#[track_caller]
fn becomes(user: &User, method: &str, to: &str, password: Option<&str>) {
    let (code, said) = become_other(user, method, to, password);
    let expected = format!("{} became {to}, whose file is {to}'s", user.name);
    assert!(code == 0 && said.contains(&expected), "{method} to {to}: {code}\n{said}");
}

fn users() -> [User; 3] {
    [Rights::Password, Rights::None, Rights::Free].map(|rights| User::with(rights).expect("a user"))
}

#[test]
fn sudo() {
    let [asked, none, free] = users();
    becomes(&free, "sudo", "root", None);
    becomes(&free, "sudo", none.name, None);
    becomes(&asked, "sudo", "root", Some(&asked.password));
    becomes(&asked, "sudo", none.name, Some(&asked.password));
}

#[test]
fn doas() {
    let [asked, none, free] = users();
    becomes(&free, "doas", "root", None);
    becomes(&free, "doas", none.name, None);
    becomes(&asked, "doas", "root", Some(&asked.password));
}

#[test]
fn su() {
    let [asked, none, _] = users();
    becomes(&none, "su", asked.name, Some(&asked.password));
}

#[test]
fn from_root_nobody_asks() {
    let [_, none, _] = users();
    let root = User { name: "root", password: String::new(), home: "/root".into() };
    for method in ["su", "runuser", "sudo"] {
        becomes(&root, method, none.name, None);
    }
}

#[test]
fn a_wrong_password_and_none() {
    let [asked, none, _] = users();
    for (user, method, to, password) in [
        (&asked, "sudo", "root", Some("wrong-one")),
        (&asked, "sudo", "root", None),
        (&asked, "doas", "root", Some("wrong-one")),
        (&none, "sudo", "root", Some(none.password.as_str())),
        (&none, "su", asked.name, Some("wrong-one")),
    ] {
        let (code, said) = become_other(user, method, to, password);
        assert!([2, 4].contains(&code), "{method} with {}: {code}\n{said}", user.name);
        assert!(
            said.contains("password") || said.contains("not allowed") || said.contains("sudoers"),
            "{method}: it does not say why:\n{said}"
        );
    }
}
