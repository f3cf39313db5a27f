//! `examples/gcp-storage`: what it makes, and that it makes it once.

use std::fs;
use std::path::Path;

use davit_event::Status;
use serde_json::json;

use super::emulator::Emulator;
use super::in_play;
use crate::play::Play;

#[test]
fn the_example_makes_a_site_once_and_brings_pages_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gcp-storage/site.yml");
    let site = fs::read_to_string(path).unwrap();
    let emulator = Emulator::start();
    let play = Play { environment: emulator.environment(), ..Play::new() };
    let statuses = |playbook: &str| -> Vec<Status> {
        let ends = play.run(playbook);
        assert!(ends.iter().all(|it| it.status != Status::Failed), "{ends:?}");
        ends.iter().map(|it| it.status).collect()
    };
    assert_eq!(statuses(&site), [Status::Ok, Status::Changed, Status::Skipped, Status::Changed]);
    assert_eq!(statuses(&site), [Status::Ok, Status::Skipped, Status::Ok, Status::Skipped]);
    let newer = site.replace("<h1>Shop</h1>", "<h1>Shop, newer</h1>");
    assert_eq!(statuses(&newer), [Status::Ok, Status::Skipped, Status::Ok, Status::Changed]);
    let target = play.folder.path().join("index.html");
    let ends = in_play(
        &play,
        &[json!({
            "api": "storage", "method": "objects.get", "download_to": target,
            "parameters": {"bucket": "shop-site", "object": "index.html"},
        })],
    );
    assert_eq!(ends[0].status, Status::Changed, "{ends:?}");
    assert_eq!(fs::read_to_string(target).unwrap(), "<h1>Shop, newer</h1>");
}
