//! Becoming others, on hosts and in containers, through the agent.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use davit_ground::{Container, Engine, Ground, Rights, Serve, Sshd, User};
use davit_module::Call;
use davit_reach::{Options, Reach, Settings};
use davit_run::{Become, Dial, Unreachable, Wanted};
use davit_value::Value;
use tokio::time::timeout;

/// Longer than anything takes on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(120);

/// A way to a host.
struct Way {
    reach: Arc<Reach>,
    connection: &'static str,
    variables: HashMap<&'static str, String>,
}

impl Way {
    fn new(connection: &'static str, variables: &[(&'static str, &str)]) -> Self {
        let settings = Settings { sockets: std::env::temp_dir(), ..Settings::default() };
        let reach = Reach::new(Options { settings, ..Options::default() });
        let variables = variables.iter().map(|(name, it)| (*name, (*it).to_owned())).collect();
        Self { reach, connection, variables }
    }

    /// What `id -un` says there.
    async fn who(&self, privileges: Option<&Become>) -> Result<String, Unreachable> {
        let variable =
            |name: &str| Ok(self.variables.get(name).map(|text| Value::from(text.as_str())));
        let wanted = Wanted {
            host: &Arc::from("web"),
            connection: self.connection,
            privileges: privileges.cloned(),
            variable: &variable,
            keywords: &[],
        };
        let connection = self.reach.dial(&wanted).expect("a kind of connection that there is");
        let name = "ansible.builtin.command";
        let entry =
            davit_host::builtin::MODULES.iter().find(|it| it.name == name).expect("a module");
        let args = serde_json::from_str(r#"{"cmd": "id -un"}"#).expect("JSON");
        let call = Call { args, ..Call::default() };
        let call = connection.call(entry, Arc::new(entry.spec()), call);
        let called = timeout(LIMIT, call).await.expect("an answer in time")?;
        Ok(called.reply["stdout"].as_str().unwrap_or_default().to_owned())
    }
}

fn other(method: &str, user: &str, password: Option<&str>) -> Become {
    Become {
        method: method.into(),
        user: user.into(),
        exe: None,
        flags: None,
        password: password.map(str::to_owned),
    }
}

/// A host that this user may log in to.
fn host(sshd: &Sshd, user: &User) -> Way {
    let hosts = &sshd.hosts;
    Way::new(
        "ssh",
        &[
            ("ansible_host", &hosts.addresses[0].to_string()),
            ("ansible_port", &hosts.port.to_string()),
            ("ansible_user", user.name),
            ("ansible_ssh_private_key_file", &hosts.key.path.display().to_string()),
            (
                "ansible_ssh_common_args",
                &format!("-o UserKnownHostsFile={}", hosts.known_hosts.display()),
            ),
        ],
    )
}

#[tokio::test]
async fn others_are_become_on_a_host() {
    let ground = Ground::new().unwrap();
    let sshd = Sshd::start(&ground, &Serve::hosts(1)).unwrap();
    let asked = User::with(Rights::Password).unwrap();
    let none = User::with(Rights::None).unwrap();
    let free = User::with(Rights::Free).unwrap();
    let (own, of_none) = (Some(asked.password.as_str()), Some(none.password.as_str()));

    let way = host(&sshd, &asked);
    assert_eq!(way.who(None).await, Ok(asked.name.into()));
    for privileges in [
        other("sudo", "root", own),
        other("sudo", none.name, own),
        other("su", none.name, of_none),
        other("doas", "root", own),
        other("doas", none.name, own),
    ] {
        let who = way.who(Some(&privileges)).await;
        assert_eq!(who, Ok(privileges.user.clone()), "{privileges:?}");
        // The second task finds the agent that the first has started.
        assert_eq!(way.who(Some(&privileges)).await, who);
    }
    for (method, password, why) in [
        ("sudo", Some("wrong"), "Incorrect sudo password"),
        ("sudo", None, "Missing sudo password"),
        ("su", Some("wrong"), "Incorrect su password"),
        ("su", None, "Missing su password"),
        ("doas", Some("wrong"), "Incorrect doas password"),
        ("doas", None, "Missing doas password"),
    ] {
        let error = way.who(Some(&other(method, none.name, password))).await.unwrap_err();
        assert_eq!((error.why.as_str(), error.refused), (why, true));
    }
    let absent = Become { exe: Some("/no/sudo".into()), ..other("sudo", "root", None) };
    let error = way.who(Some(&absent)).await.unwrap_err();
    assert!(error.refused && error.why.contains("/no/sudo"), "{error:?}");
    assert!(error.help.is_some_and(|it| it.contains("install it")));

    let way = host(&sshd, &free);
    for method in ["sudo", "doas"] {
        let who = way.who(Some(&other(method, none.name, None))).await;
        assert_eq!(who, Ok(none.name.into()), "{method}");
    }
}

#[tokio::test]
async fn a_method_that_wants_a_terminal_gets_one() {
    let ground = Ground::new().unwrap();
    let sshd = Sshd::start(&ground, &Serve::hosts(1)).unwrap();
    let asked = User::with(Rights::Password).unwrap();
    // What sudo does where its configuration says `requiretty`.
    let wants = "#!/bin/sh\n\
                 (: </dev/tty) 2>/dev/null || { echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1; }\n\
                 exec sudo \"$@\"\n";
    let script = ground.write("sudo", wants).unwrap();
    for path in [ground.folder(), &script] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let exe = Some(script.display().to_string());
    let privileges = Become { exe, ..other("sudo", "root", Some(&asked.password)) };
    assert_eq!(host(&sshd, &asked).who(Some(&privileges)).await, Ok("root".into()));
}

#[tokio::test]
async fn others_are_become_on_this_machine_and_in_a_container() {
    let ground = Ground::new().unwrap();
    let none = User::with(Rights::None).unwrap();
    let container = Container::start(&ground, Engine::Podman, None, &[]).unwrap();
    for way in [
        Way::new("local", &[]),
        Way::new("podman", &[("ansible_host", &container.name), ("ansible_user", "root")]),
    ] {
        for method in ["sudo", "su", "runuser"] {
            let who = way.who(Some(&other(method, none.name, None))).await;
            assert_eq!(who, Ok(none.name.into()), "{} {method}", way.connection);
        }
    }
}
