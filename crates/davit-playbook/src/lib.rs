//! Playbooks: plays, blocks, tasks, roles as written in files.
