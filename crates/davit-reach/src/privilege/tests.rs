//! Becoming another user with the real programs.

use davit_ground::{Ground, Rights, User};

use super::*;
use crate::transport::Transport;
use crate::transport::local::Local;

const LIMIT: Duration = Duration::from_secs(60);

fn become_(method: &str, user: &str, password: Option<&str>) -> Become {
    Become {
        method: method.into(),
        user: user.into(),
        exe: None,
        flags: None,
        password: password.map(str::to_owned),
    }
}

fn argv(privileges: &Become) -> Vec<String> {
    let plan = plan(privileges, "true").unwrap();
    let number = plan.nonce.rsplit('-').next().unwrap();
    plan.argv.iter().map(|it| it.replace(number, "N")).collect()
}

#[test]
fn methods_have_their_command_lines() {
    let shell = "/bin/sh -c 'echo DAVIT-BECOME\"-\"N; true'";
    let prompt = "-p '[davit N] password:'";
    let flags =
        |flags: &str| Become { flags: Some(flags.into()), ..become_("sudo", "app", Some("x")) };
    for (privileges, expect) in [
        (become_("sudo", "root", None), format!("sudo -H -S -n {prompt} -u root {shell}")),
        (
            become_("ansible.builtin.sudo", "", Some("x")),
            format!("sudo -H -S {prompt} -u root {shell}"),
        ),
        (flags("-HSn -E"), format!("sudo -HS -E {prompt} -u app {shell}")),
        (flags("--non-interactive -C 4"), format!("sudo -C 4 -S {prompt} -u app {shell}")),
        (
            Become { exe: Some("env A=1 /x/sudo".into()), ..become_("sudo", "app", None) },
            format!("env A=1 /x/sudo -H -S -n {prompt} -u app {shell}"),
        ),
        (become_("doas", "app", None), format!("doas -n -u app {shell}")),
        (become_("doas", "app", Some("x")), format!("doas -u app {shell}")),
    ] {
        assert_eq!(words::join(&argv(&privileges)), expect);
    }
    for method in ["su", "runuser"] {
        let privileges =
            Become { flags: Some("-s /bin/sh".into()), ..become_(method, "app", None) };
        assert_eq!(argv(&privileges), [method, "-s", "/bin/sh", "app", "-c", shell]);
    }
    for (privileges, part) in [
        (become_("runas", "app", None), "there is no become method 'runas'"),
        (become_("sudo", "-i", None), "no name of a user"),
        (flags("'"), "the become_flags ''' cannot be read"),
    ] {
        let error = plan(&privileges, "true").err().unwrap();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn the_word_is_not_in_the_command_line() {
    let plan = plan(&become_("su", "root", None), "true").unwrap();
    assert!(!plan.command_line().contains(&plan.nonce));
}

/// Becomes somebody as this user, and says what a shell there says.
async fn run(from: &User, privileges: &Become, line: &str) -> Result<String, Unreachable> {
    let plan = plan(privileges, line).unwrap();
    let outer = ["runuser", "-u", from.name, "--"].map(str::to_owned);
    let argv: Vec<String> = outer.into_iter().chain(plan.argv.clone()).collect();
    let local = Local { patience: LIMIT };
    let pipes = local.start(&words::join(&argv)).await.unwrap();
    let mut pipes = timeout(LIMIT, authenticate(&plan, pipes)).await.unwrap()?;
    let mut out = String::new();
    let talk = async {
        pipes.stdin.write_all(b"what was typed\n").await.unwrap();
        pipes.stdin.shutdown().await.unwrap();
        drop(pipes.stdin);
        pipes.stdout.read_to_string(&mut out).await.unwrap();
    };
    timeout(LIMIT, talk).await.unwrap();
    Ok(out)
}

#[tokio::test]
async fn users_are_become() {
    let _ground = Ground::new().unwrap();
    let own = User::with(Rights::Password).unwrap();
    let other = User::with(Rights::None).unwrap();
    let free = User::with(Rights::Free).unwrap();
    let (own_password, other_password) =
        (Some(own.password.as_str()), Some(other.password.as_str()));
    let noisy = Become { flags: Some("-l".into()), ..become_("su", other.name, other_password) };
    for (from, privileges) in [
        (&free, become_("sudo", "root", None)),
        (&free, become_("sudo", other.name, None)),
        (&free, become_("sudo", "root", Some("not asked for"))),
        (&own, become_("sudo", "root", own_password)),
        (&own, become_("sudo", other.name, own_password)),
        (&own, become_("su", other.name, other_password)),
        (&own, noisy),
        (&free, become_("doas", "root", None)),
        (&free, become_("doas", other.name, None)),
    ] {
        let out = run(from, &privileges, "id -un; cat; id -un").await;
        let name = &privileges.user;
        assert_eq!(out, Ok(format!("{name}\nwhat was typed\n{name}\n")), "{privileges:?}");
    }
}

#[tokio::test]
async fn refusals_are_explained() {
    let _ground = Ground::new().unwrap();
    let own = User::with(Rights::Password).unwrap();
    let none = User::with(Rights::None).unwrap();
    let free = User::with(Rights::Free).unwrap();
    let no_sudo = Become { exe: Some("/no/sudo".into()), ..become_("sudo", "root", None) };
    let asks = Become { flags: Some("-S".into()), ..become_("sudo", "root", None) };
    for (from, privileges, why, help) in [
        (&own, become_("sudo", "root", Some("wrong")), "Incorrect sudo password", "davit"),
        (&own, become_("sudo", "root", None), "Missing sudo password", "-K"),
        (&own, asks, "Missing sudo password", "-K"),
        (
            &none,
            become_("sudo", "root", Some(&none.password)),
            "Failed to become root with sudo",
            "does not let",
        ),
        (&free, become_("sudo", "nobody-there", None), "unknown user", "no user 'nobody-there'"),
        (&free, no_sudo, "/no/sudo", "no '/no/sudo'"),
        (&own, become_("su", none.name, Some("wrong")), "Incorrect su password", "davit-t2"),
        (&own, become_("su", none.name, None), "Missing su password", "-K"),
        (
            &own,
            become_("su", "nobody-there", Some("wrong")),
            "does not exist",
            "no user 'nobody-there'",
        ),
        (&own, become_("doas", "root", None), "Missing doas password", "-K"),
        (&none, become_("doas", "root", None), "Failed to become root with doas", "does not let"),
        (&own, become_("runuser", "root", None), "Failed to become root with runuser", "root only"),
    ] {
        let error = run(from, &privileges, "id -un").await.unwrap_err();
        assert!(error.refused && error.why.contains(why), "{privileges:?}: {error:?}");
        let said = error.help.clone().unwrap_or_default();
        let is_own = help == "davit" && said.contains("the password of the user who is logged in");
        assert!(is_own || said.contains(help), "{privileges:?}: {error:?}");
    }
}

#[test]
fn prompts_of_all_languages_are_seen() {
    let plan = plan(&become_("su", "root", Some("x")), "true").unwrap();
    for (text, is) in [
        ("Password: ", true),
        ("Passwort:", true),
        ("Welcome\nパスワード：", true),
        ("su: ", false),
        ("Last login: today\n", false),
        ("", false),
    ] {
        assert_eq!(plan.is_prompt(text), is, "{text}");
    }
}
