//! The same work in the words of each tool: a playbook with its inventory, and pyinfra's deploy.

use std::fmt::Write;

use super::field::Field;
use crate::Outcome;

/// Writes all of them into the folder of the hosts.
pub(super) fn write(field: &Field, groups: usize) -> Outcome {
    let out = field.ground.path("out").display().to_string();
    field.play(&playbook(&out, groups))?;
    field.ground.write("inv.py", &inventory(field))?;
    field.ground.write("deploy.py", &deploy(&out, groups)).map(drop)
}

fn playbook(out: &str, groups: usize) -> String {
    let mut text = "- hosts: web\n  gather_facts: false\n  tasks:\n".to_owned();
    for group in 0..groups {
        let base = format!("{out}/{{{{ inventory_hostname }}}}/d{group}");
        let _ = write!(
            text,
            "    - ansible.builtin.file: {{path: '{base}', state: directory, mode: '0755'}}\n    \
             - ansible.builtin.copy: {{content: \"hello {{{{ inventory_hostname }}}} {group}\\n\", dest: '{base}/f.txt'}}\n    \
             - ansible.builtin.lineinfile: {{path: '{base}/f.txt', line: 'key={group}', regexp: '^key='}}\n    \
             - ansible.builtin.command: {{cmd: 'echo {{{{ inventory_hostname }}}}'}}\n    \
             - ansible.builtin.stat: {{path: '{base}/f.txt'}}\n"
        );
    }
    text
}

fn inventory(field: &Field) -> String {
    let hosts = &field.hosts;
    let mut text = "web=[\n".to_owned();
    for (number, address) in hosts.addresses.iter().enumerate() {
        let _ = writeln!(
            text,
            "(\"{address}\",{{\"ssh_port\":{},\"ssh_user\":\"root\",\"ssh_key\":\"{}\",\
             \"ssh_known_hosts_file\":\"{}\",\"nm\":\"h{}\"}}),",
            hosts.port,
            hosts.key.path.display(),
            hosts.known_hosts.display(),
            number + 1
        );
    }
    text.push_str("]\n");
    text
}

fn deploy(out: &str, groups: usize) -> String {
    format!(
        "from io import StringIO\n\
         from pyinfra import host\n\
         from pyinfra.operations import files, server\n\
         n = host.data.nm\n\
         for i in range({groups}):\n    \
             d = f\"{out}/{{n}}/d{{i}}\"\n    \
             files.directory(path=d, mode=\"755\")\n    \
             files.put(src=StringIO(f\"hello {{n}} {{i}}\\n\"), dest=f\"{{d}}/f.txt\")\n    \
             files.line(path=f\"{{d}}/f.txt\", line=\"^key=.*\", replace=f\"key={{i}}\")\n    \
             server.shell(commands=[f\"echo {{n}}\"])\n    \
             server.shell(commands=[f\"stat {{d}}/f.txt\"])\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_playbook_has_five_tasks_a_group() {
        let text = playbook("/out", 10);
        assert_eq!(text.matches("    - ansible.builtin.").count(), 50);
        assert!(text.contains("dest: '/out/{{ inventory_hostname }}/d9/f.txt'"));
        assert_eq!(deploy("/out", 10).lines().count(), 11);
    }
}
