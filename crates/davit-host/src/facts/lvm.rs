//! LVM's groups and volumes, by its own tools: only root may ask, and only where they are there.

use serde_json::{Map, Value, json};

use super::Gathering;

/// Gathers `lvm`.
pub(crate) fn collect(to: &mut Gathering<'_>) {
    if !nix::unistd::getuid().is_root() || to.place.program("vgs").is_none() {
        to.set("lvm", "N/A");
        return;
    }
    let ask = |program: &str| -> Vec<Vec<String>> {
        let argv = [program, "--noheadings", "--nosuffix", "--units", "g", "--separator", ","];
        let text = to.place.output(&argv).unwrap_or_default();
        let line = |it: &str| it.trim().split(',').map(str::to_owned).collect::<Vec<_>>();
        text.lines().filter(|it| !it.trim().is_empty()).map(line).collect()
    };
    let cell = |row: &[String], index: usize| row.get(index).cloned().unwrap_or_default();
    let mut groups = Map::new();
    for row in ask("vgs") {
        groups.insert(
            cell(&row, 0),
            json!({
                "free_g": cell(&row, 6),
                "num_lvs": cell(&row, 2),
                "num_pvs": cell(&row, 1),
                "size_g": cell(&row, 5),
            }),
        );
    }
    let mut volumes: Map<String, Value> = Map::new();
    for row in ask("lvs") {
        volumes.insert(cell(&row, 0), json!({ "size_g": cell(&row, 3), "vg": cell(&row, 1) }));
    }
    let mut physical = Map::new();
    for row in ask("pvs") {
        physical.insert(
            cell(&row, 0),
            json!({ "free_g": cell(&row, 5), "size_g": cell(&row, 4), "vg": cell(&row, 1) }),
        );
    }
    to.set("lvm", json!({ "lvs": volumes, "pvs": physical, "vgs": groups }));
}
