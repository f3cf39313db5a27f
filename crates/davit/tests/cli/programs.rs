//! davit by the names of the original's programs, and its smaller commands.

use super::{HOSTS, Place};

#[test]
fn one_module_runs_on_hosts() {
    let place = Place::new(&[HOSTS]);
    place.run("ansible -i hosts a -m ping").check(
        0,
        "a | SUCCESS => {\n    \"changed\": false,\n    \"ping\": \"pong\"\n}\n",
        "",
    );
    place.run("ansible -i hosts all --list-hosts").check(0, "  hosts (2):\n    a\n    b\n", "");
    place.run("davit exec -i hosts a -- echo two words").check(
        0,
        "a | CHANGED | rc=0 >>\ntwo words\n",
        "",
    );
    place.run("ansible -i hosts a -m command").check(
        5,
        "",
        "[ERROR]: No argument passed to command module\n",
    );
    let missing = place.run("ansible -i hosts a -m copyy");
    assert_eq!(missing.code, 2);
    assert!(
        missing.out.contains("Cannot resolve 'copyy' to an action or module."),
        "{}",
        missing.out
    );
    assert!(missing.err.contains("did you mean 'copy'?"), "{}", missing.err);
    place.run("ansible -i hosts nobody -m ping").check(
        0,
        "",
        "[WARNING]: Could not match supplied host pattern, ignoring: nobody\n\
         [WARNING]: No hosts matched, nothing to do\n",
    );
}

#[test]
fn results_go_to_a_tree_of_files() {
    let place = Place::new(&[HOSTS]);
    assert_eq!(place.run("ansible -i hosts all -m ping -t tree").code, 0);
    assert_eq!(place.read("tree/b"), "{\"changed\": false, \"ping\": \"pong\"}");
}

#[test]
fn inventories_are_shown_converted_and_generated() {
    let place = Place::new(&[HOSTS]);
    place.run("ansible-inventory -i hosts --graph").check(
        0,
        "@all:\n  |--@ungrouped:\n  |--@web:\n  |  |--a\n  |  |--b\n",
        "",
    );
    place.run("ansible-inventory -i hosts").check(
        5,
        "",
        "[ERROR]: No action selected, at least one of --host, --graph or --list needs to be specified.\n",
    );
    let toml = place.run("davit inventory convert hosts --to toml");
    assert!(
        toml.out.starts_with("[web.hosts.a]\nansible_connection = \"local\"\n"),
        "{}",
        toml.out
    );
    let made = place.run_with(
        "davit inventory generate - --to ini",
        &[],
        "{web: [w1], db: {hosts: [d1], vars: {port: 1}}}",
    );
    made.check(0, "[web]\nw1\n\n[db]\nd1\n\n[db:vars]\nport=1\n", "");
}

#[test]
fn a_template_is_rendered() {
    let place = Place::new(&[HOSTS, ("t.j2", "{{ x }} {{ inventory_hostname }} {{ 1 + 1 }}\n")]);
    place.run("davit template t.j2 -e x=5 -i hosts --host b").check(0, "5 b 2\n", "");
    let wrong = place.run_with("davit template - -e port=1", &[], "{{ prot }}");
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("'prot' is undefined"), "{}", wrong.err);
}

#[test]
fn manuals_completions_and_pages_are_printed() {
    let place = Place::new(&[]);
    let doc = place.run("ansible-doc copy");
    assert!(doc.out.starts_with("> ANSIBLE.BUILTIN.COPY\n"), "{}", doc.out);
    assert!(place.run("davit doc -l").out.contains("ansible.builtin.debug"));
    let json: serde_json::Value =
        serde_json::from_str(&place.run("davit doc -j file").out).expect("it is JSON");
    assert_eq!(json["file"]["doc"]["options"]["mode"]["type"], "raw");
    let json: serde_json::Value =
        serde_json::from_str(&place.run("ansible-doc -l -j").out).expect("it is JSON");
    assert!(json["ansible.builtin.file"].is_string(), "{json}");
    place.run("ansible-doc nothere").check(0, "", "[WARNING]: nothere was not found\n");
    for (asked, told) in [
        ("nothere", "nothere was not found"),
        ("copyy", "copyy was not found; did you mean 'copy'?"),
        (
            "amazon.aws.ec2_instnce",
            "amazon.aws.ec2_instnce was not found; did you mean 'amazon.aws.ec2_instance'?",
        ),
        ("-t lookup flie", "flie was not found; did you mean 'file'?"),
        ("-t lookup aws_secrte", "aws_secrte was not found; did you mean 'aws_secret'?"),
        (
            "-t lookup amazon.aws.aws_secrte",
            "amazon.aws.aws_secrte was not found; did you mean 'amazon.aws.aws_secret'?",
        ),
        ("-t filter defualt", "defualt was not found; did you mean 'default'?"),
        ("-t test matchs", "matchs was not found; did you mean 'match'?"),
        ("-t inventory aws_ec3", "aws_ec3 was not found; did you mean 'amazon.aws.aws_ec2'?"),
        ("-t keyword hsots", "hsots was not found; did you mean 'hosts'?"),
    ] {
        let command = format!("davit doc {asked}");
        place.run(&command).check(5, "", &format!("[ERROR]: {told}\n"));
    }
    let some = place.run("davit doc -t keyword become hsots");
    assert_eq!((some.code, some.out.as_str()), (5, "become\n"));
    assert!(place.run("davit completions bash").out.contains("_davit()"));
    assert!(place.run("davit man").out.contains(".TH davit 1"));
    assert!(
        place.run("ansible-playbook --version").out.starts_with("ansible-playbook [core 2.19.")
    );
}
