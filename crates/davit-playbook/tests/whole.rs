//! Whole playbooks, task files, variables and roles are loaded with everything in its place.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use davit_playbook::{Entry, Error, Item, Loader, Play, RoleFrom, Task, TaskKind, find_role};
use davit_value::Value;

fn write(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("can be made");
    fs::write(&path, text).expect("can be written");
    path
}

fn play(text: &str) -> Arc<Play> {
    let folder = tempfile::tempdir().expect("a folder");
    let playbook = Loader::default()
        .playbook(&write(folder.path(), "site.yml", text))
        .expect("a good playbook");
    match playbook.entries.into_iter().next() {
        Some(Entry::Play(play)) => play,
        other => panic!("no play: {other:?}"),
    }
}

fn task(text: &str) -> Arc<Task> {
    let indented: String = text.lines().map(|line| format!("    {line}\n")).collect();
    let play = play(&format!("- hosts: all\n  tasks:\n{indented}"));
    match play.tasks.first() {
        Some(Item::Task(task)) => Arc::clone(task),
        other => panic!("no task: {other:?}"),
    }
}

#[test]
fn a_play_keeps_its_parts_and_their_places() {
    let play = play(
        "- name: web\n  hosts: [a, b]\n  user: root\n  serial: [1, 50%]\n  vars: {x: 1}\n  vars_files: f.yml\n  \
         vars_prompt: {name: q, private: no}\n  roles:\n    - common\n    - {role: web, listen_port: 80, tags: 'a, b', when: x}\n  \
         tasks:\n    - block:\n        - debug:\n      rescue:\n        - debug:\n      when: x\n  handlers:\n    - \
         name: h\n      listen: l\n      debug:\n",
    );
    assert_eq!(play.name, Value::from("web"));
    assert_eq!(play.hosts.repr(), "['a', 'b']");
    assert_eq!(play.keywords.text("remote_user"), Some("root"));
    assert_eq!(play.keywords.origin("serial").map(|it| (it.line, it.column)), Some((4, 11)));
    assert_eq!(play.vars_files, [Value::from("f.yml")]);
    assert_eq!(play.vars_prompt[0].name, "q");
    assert_eq!(play.roles[0].name, Value::from("common"));
    assert_eq!(play.roles[1].params.get("listen_port"), Some(&Value::from(80)));
    assert_eq!(play.roles[1].keywords.tags(), [Value::from("a"), Value::from("b")]);
    let Some(Item::Block(block)) = play.tasks.first() else { panic!("no block") };
    assert!(block.has_rescue && !block.has_always && block.keywords.contains("when"));
    let Some(Item::Task(handler)) = play.handlers.first() else { panic!("no handler") };
    assert!(handler.is_handler);
    assert_eq!(handler.listen, [Value::from("l")]);
}

#[test]
fn actions_are_found_in_every_form() {
    for (text, action, args, raw) in [
        ("- debug: msg=hi", "debug", "{'msg': 'hi'}", None),
        ("- debug: {msg: hi}", "debug", "{'msg': 'hi'}", None),
        ("- debug:\n  args: {msg: hi}", "debug", "{'msg': 'hi'}", None),
        ("- debug: msg=a\n  args: {msg: b, var: c}", "debug", "{'msg': 'a', 'var': 'c'}", None),
        ("- debug: '{{ all }}'", "debug", "{'_variable_params': '{{ all }}'}", None),
        ("- action: debug msg=hi", "debug", "{'msg': 'hi'}", None),
        ("- action: '{{ m }} msg=hi'", "{{ m }}", "{'msg': 'hi'}", None),
        ("- action: {module: debug, msg: hi}", "debug", "{'msg': 'hi'}", None),
        ("- local_action: command echo hi", "command", "{}", Some("echo hi")),
        (
            "- local_action: {module: command echo, chdir: /}",
            "command",
            "{'chdir': '/'}",
            Some("echo"),
        ),
        (
            "- ansible.builtin.shell: echo a chdir=/ b",
            "ansible.builtin.shell",
            "{'chdir': '/'}",
            Some("echo a b"),
        ),
        ("- command: '{{ c }}'", "command", "{}", Some("{{ c }}")),
        ("- command: {_raw_params: echo hi}", "command", "{}", Some("echo hi")),
        ("- include_tasks: a.yml", "include_tasks", "{}", Some("a.yml")),
        ("- meta: flush_handlers", "meta", "{}", Some("flush_handlers")),
        ("- ping:", "ping", "{}", None),
    ] {
        let task = task(text);
        assert_eq!(task.action.as_str(), action, "{text}");
        assert_eq!(Value::from(task.args.clone()).repr(), args, "{text}");
        assert_eq!(task.raw_params.as_deref(), raw, "{text}");
    }
    let local = task("- local_action: ping");
    assert!(local.is_local_action);
    assert_eq!(local.keywords.text("delegate_to"), Some("localhost"));
}

#[test]
fn loops_and_keywords_are_kept_unrendered() {
    let it = task(
        "- debug: msg={{ item }}\n  with_dict: '{{ d }}'\n  loop_control: {label: '{{ item.key }}', loop_var: it}\n  until: x\n  retries: '{{ n }}'",
    );
    let over = it.loop_.as_ref().expect("a loop");
    assert_eq!(over.lookup.as_deref(), Some("dict"));
    assert!(over.value.is_live());
    assert_eq!(it.loop_control.as_ref().expect("there").loop_var, Value::from("it"));
    assert_eq!(it.keywords.get("retries").and_then(|it| it.as_str()), Some("{{ n }}"));
    let message = it.args.get("msg").and_then(Value::as_text).expect("text");
    assert!(message.is_trusted());
    assert_eq!(message.origin().map(|it| (it.line, it.column)), Some((3, 14)));
    assert_eq!(task("- include_role: {name: x, tasks_from: y}").kind, TaskKind::IncludeRole);
    assert_eq!(task("- import_tasks: {file: x}").target(), Some(Value::from("x")));
}

#[test]
fn merge_keys_work_in_tasks() {
    let it = task("- &x\n  debug: {msg: a}\n  become: true\n- <<: *x\n  become: false");
    assert!(it.keywords.contains("become"));
}

#[test]
fn variables_are_read_from_yaml_and_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |text: &str| {
        let path = write(folder.path(), "v.yml", text);
        Loader::default()
            .vars_file(&path)
            .map(|map| Value::from(map).repr())
            .map_err(|error| error.to_string())
    };
    assert_eq!(read("a: 1\n").as_deref(), Ok("{'a': 1}"));
    assert_eq!(read("- a: 1\n- b: 2\n").as_deref(), Ok("{'a': 1, 'b': 2}"));
    assert_eq!(read("").as_deref(), Ok("{}"));
    assert_eq!(
        read("{\"a\": 1e3,\n\t\"t\": \"{{ x }}\"}").as_deref(),
        Ok("{'a': 1000.0, 't': '{{ x }}'}")
    );
    assert_eq!(read("foo\n"), Err("Invalid variable file contents.".into()));
}

#[test]
fn an_encrypted_file_is_decrypted_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "v.yml", "$ANSIBLE_VAULT;1.1;AES256\n00\n");
    assert!(matches!(Loader::default().vars_file(&path), Err(Error::Vault { .. })));
    let loader = Loader { vault: Some(Arc::new(|_| Ok("a: 1\n".into()))), ..Loader::default() };
    assert_eq!(loader.vars_file(&path).expect("decrypted").get("a"), Some(&Value::from(1)));
}

#[test]
fn a_role_is_everything_in_its_folder() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    write(at, "roles/r/tasks/main.yml", "- debug:\n");
    write(at, "roles/r/tasks/other.yml", "- ping:\n- ping:\n");
    write(at, "roles/r/handlers/main", "- name: h\n  debug:\n");
    write(at, "roles/r/defaults/main.yaml", "d: 1\n");
    write(at, "roles/r/vars/main/a.yml", "v: 1\nw: 1\n");
    write(at, "roles/r/vars/main/b.yml", "v: 2\n");
    write(at, "roles/r/vars/main/c.txt", "v: 3\n");
    write(
        at,
        "roles/r/meta/main.yml",
        "allow_duplicates: true\ndependencies:\n- {role: x, p: 1}\n- y\n- src: git+https://h/z.git\n  version: v1\n",
    );
    write(at, "roles/r/meta/argument_specs.yml", "argument_specs: {main: {options: {}}}\n");
    let path = find_role("r", &[at.join("none"), at.join("roles")], &[]).expect("there");
    let loader = Loader::default();
    let role = loader.role(&path, "r", &RoleFrom::default()).expect("a good role");
    assert_eq!((role.tasks.len(), role.handlers.len()), (1, 1));
    assert_eq!(Value::from(role.vars).repr(), "{'v': 2, 'w': 1}");
    assert_eq!(role.defaults.get("d"), Some(&Value::from(1)));
    let names: Vec<_> = role.meta.dependencies.iter().map(|it| it.name.to_str()).collect();
    assert_eq!(names, ["x", "y", "z"]);
    assert!(role.meta.argument_specs.is_some());
    let from = RoleFrom { tasks: Some("other".into()), ..RoleFrom::default() };
    assert_eq!(loader.role(&path, "r", &from).expect("a good role").tasks.len(), 2);
    let from = RoleFrom { tasks: Some("none".into()), ..RoleFrom::default() };
    let error = loader.role(&path, "r", &from).expect_err("not there");
    assert_eq!(error.to_string(), "Could not find specified file in role: tasks/none");
    write(at, "c/ansible_collections/n/c/roles/q/tasks/main.yml", "");
    assert!(find_role("n.c.q", &[], &[at.join("c")]).is_ok());
    assert!(matches!(find_role("nope", &[at.join("roles")], &[]), Err(Error::NoRole { .. })));
}

#[test]
fn odd_things_are_said_once() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let loader = Loader {
        warn: Arc::new(move |warning| sink.lock().expect("free").push(warning.message)),
        ..Loader::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), "t.yml", "- debug: {msg: a, msg: b}\n");
    assert_eq!(loader.tasks(&path, false).expect("good").len(), 1);
    assert_eq!(*seen.lock().expect("free"), ["Found duplicate mapping key 'msg'."]);
}

#[test]
fn what_is_loaded_can_be_shared() {
    fn shared<T: Send + Sync + Clone>() {}
    shared::<Loader>();
    shared::<davit_playbook::Playbook>();
    shared::<davit_playbook::Role>();
    shared::<Error>();
}
