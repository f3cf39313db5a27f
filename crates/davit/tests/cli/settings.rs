//! Which of option, variable and file counts, and what the configuration's oddities do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{HOSTS, Place};

const PLAYBOOK: &str = "- hosts: a\n  gather_facts: false\n  tasks:\n    - debug: msg={{ lookup('config', 'DEFAULT_FORKS') }}\n";

fn forks(cfg: &str, variables: &[(&str, &str)]) -> String {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ansible.cfg", cfg)]);
    let ran = place.run_with("davit run -i hosts site.yml --output minimal", variables, "");
    let at = ran
        .out
        .find("\"msg\": ")
        .map(|at| at + 7)
        .unwrap_or_else(|| panic!("{}{}", ran.out, ran.err));
    ran.out[at..].lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_environment_comes_before_the_file_and_the_file_before_the_default() {
    assert_eq!(forks("", &[]), "5");
    assert_eq!(forks("[defaults]\nforks = 9 ; so many\n", &[]), "9");
    assert_eq!(forks("[defaults]\nforks = 9\n", &[("ANSIBLE_FORKS", "7")]), "7");
}

#[test]
fn a_folder_that_everybody_may_write_has_no_configuration() {
    let place = Place::new(&[HOSTS, ("ansible.cfg", "[defaults]\nstdout_callback = null\n")]);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let ran = place.run("ansible-inventory -i hosts --graph");
    assert!(
        ran.err
            .starts_with("[WARNING]: Ansible is being run in a world writable directory ({here})"),
        "{}",
        ran.err
    );
}

#[test]
fn what_is_no_configuration_is_told() {
    let place =
        Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ansible.cfg", "[defaults]\nforks\n")]);
    let ran = place.run("davit run -i hosts site.yml");
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("ansible.cfg): line 2"), "{}", ran.err);
    let place =
        Place::new(&[HOSTS, ("site.yml", PLAYBOOK), ("ansible.cfg", "[defaults]\nforks = many\n")]);
    let ran = place.run("davit run -i hosts site.yml");
    ran.check(
        5,
        "",
        "[ERROR]: Config 'DEFAULT_FORKS' from '{here}/ansible.cfg' has an invalid value: \
         Invalid value provided for 'integer': 'many'\n",
    );
    // Who has no use for the number is told all the same.
    assert_eq!(place.run("ansible-inventory -i hosts --list").code, 5);
    let ran = Place::new(&[HOSTS]).run_with(
        "ansible-inventory -i hosts --list",
        &[("ANSIBLE_HASH_BEHAVIOUR", "mix")],
        "",
    );
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("Valid values are: replace, merge"), "{}", ran.err);
}

#[test]
fn the_view_and_the_log_come_from_the_configuration() {
    let place = Place::new(&[HOSTS, ("site.yml", PLAYBOOK)]);
    let variables = [("ANSIBLE_STDOUT_CALLBACK", "oneline"), ("ANSIBLE_LOG_PATH", "log")];
    let ran = place.run_with("davit run -i hosts site.yml", &variables, "");
    assert!(ran.out.starts_with("a | SUCCESS => {"), "{}", ran.out);
    assert!(place.read("log").contains("INFO| PLAY [a]"), "{}", place.read("log"));
    let ran = place.run_with("davit run -i hosts site.yml", &[("ANSIBLE_FORCE_COLOR", "1")], "");
    assert!(ran.out.contains("\u{1b}[0;32m"), "{}", ran.out);
}
