//! What stays on the screen after a run, in files and on narrow terminals, and with many hosts; and the
//! live region in a terminal that is none.

use std::collections::BTreeMap;
use std::num::NonZero;

use davit_event::{Counts, Event, Kind, Status, Stream};
use serde_json::json;

use super::state::State;
use crate::view::fixture::{self, Shared, done, end, events, play_of, task};
use crate::view::{Outputs, Settings, create};

fn settings(width: usize) -> Settings {
    Settings { width: Some(width), ..Settings::default() }
}

#[test]
fn in_a_pipe_every_line_is_plain() {
    let (out, err) = fixture::show("terminal", &Settings::default());
    insta::assert_snapshot!(out, @r#"
    check mode: nothing is changed

    PLAY nobody · 0 hosts                                                                 srv/site.yml:1
      skipped  no hosts match

    PLAY web · 2 hosts                                                                    srv/site.yml:2
      says     web1: say
               hello web1
      says     web2: say
               hello web2
      diff     web1: write config
               --- before
               +++ after: /etc/c
               @@ -1 +1 @@
               -a
               +b
      changed  write config · changed: web1 · 1 ok · 1.5s
      changed  loop · changed: web1 · 1 skipped · 2 items · 2.5s
      retry    web1: restart · 2 attempts left
      ignored  web1: restart                                                             srv/site.yml:12
               non-zero return code
                 rc      1
                 cmd     systemctl restart web
                 stderr  first
                         Job for web.service failed.
      ignored  restart · 1 ok · 1 failed · 1 ignored · 2.0s
      FAILED   web2: role : open port                                                    srv/site.yml:14
               'port' is undefined
               at srv/site.yml:15:12: line 15 of /srv/site.yml
      UNREACHABLE web1 -> db1: role : open port                                          srv/site.yml:14
               no route to host
      FAILED   role : open port · 1 failed · 1 unreachable · 1.5s                        srv/site.yml:14
    no hosts are left

      web1              4 ok · 2 changed · 1 unreachable · 1 ignored
      web2              3 ok · 1 failed · 1 skipped

    slowest:
          2.5s  loop  srv/site.yml:8
          2.0s  say  srv/site.yml:4
          2.0s  restart  srv/site.yml:12

    failed: 2 of 2 hosts · 6 tasks · 2 changes · 15.0s
    to go on from there: davit resume 2sb0mq00
    "#);
    insta::assert_snapshot!(err, @r#"
    warning: Could not match supplied host pattern, ignoring: nobody
    warning: mode is unset
    "#);
}

#[test]
fn sixty_columns_are_enough() {
    let (out, _) = fixture::show("terminal", &settings(60));
    insta::assert_snapshot!(out, @r#"
    check mode: nothing is changed

    PLAY nobody · 0 hosts                         srv/site.yml:1
      skipped  no hosts match

    PLAY web · 2 hosts                            srv/site.yml:2
      says     web1: say
               hello web1
      says     web2: say
               hello web2
      diff     web1: write config
               --- before
               +++ after: /etc/c
               @@ -1 +1 @@
               -a
               +b
      changed  write config · changed: web1 · 1 ok · 1.5s
      changed  loop · changed: web1 · 1 skipped · 2 items · 2.5s
      retry    web1: restart · 2 attempts left
      ignored  web1: restart                     srv/site.yml:12
               non-zero return code
                 rc      1
                 cmd     systemctl restart web
                 stderr  first
                         Job for web.service failed.
      ignored  restart · 1 ok · 1 failed · 1 ignored · 2.0s
      FAILED   web2: role : open port            srv/site.yml:14
               'port' is undefined
               at srv/site.yml:15:12: line 15 of /srv/site.yml
      UNREACHABLE web1 -> db1: role : open port  srv/site.yml:14
               no route to host
      FAILED   role : open port · 1 failed · 1 unreachable · 1.…
    no hosts are left

      web1              4 ok · 2 changed · 1 unreachable · 1 ig…
      web2              3 ok · 1 failed · 1 skipped

    slowest:
          2.5s  loop  srv/site.yml:8
          2.0s  say  srv/site.yml:4
          2.0s  restart  srv/site.yml:12

    failed: 2 of 2 hosts · 6 tasks · 2 changes · 15.0s
    to go on from there: davit resume 2sb0mq00
    "#);
    assert!(out.lines().all(|line| crate::view::paint::columns(line) <= 60));
}

#[test]
fn the_condition_that_made_a_failure_is_named() {
    let unsaid = "Task failed: Action failed: Unknown error.";
    for (reply, said) in [
        (json!({"msg": unsaid, "attempts": 3}), "what `until` asks for is not so (attempts: 3)"),
        (json!({"msg": unsaid, "failed_when_result": true}), "what `failed_when` asks for is so"),
        (json!({"msg": unsaid}), "it failed without saying why"),
    ] {
        let kinds = vec![
            play_of(&["web1"]),
            task(0, "wait", "command"),
            done(0, "web1", end(Status::Failed, reply)),
            Kind::RunFinished {
                stats: BTreeMap::from([(
                    "web1".to_owned(),
                    Counts { failed: 1, ..Counts::default() },
                )]),
                order: vec!["web1".to_owned()],
                custom: BTreeMap::new(),
                interrupted: false,
            },
        ];
        let (out, _) =
            fixture::play(&events(kinds), |to| create("terminal", &settings(80), to).unwrap());
        assert!(out.contains(said) && !out.contains("Unknown error"), "{out}");
    }
}

#[test]
fn a_thousand_hosts_are_counted() {
    let hosts: Vec<String> = (0..1000).map(|number| format!("node{number:04}")).collect();
    let mut kinds = vec![
        play_of(&hosts.iter().map(String::as_str).collect::<Vec<_>>()),
        task(0, "write config", "copy"),
    ];
    let failed = || end(Status::Failed, json!({"msg": "no space left", "rc": 1}));
    kinds.extend(hosts.iter().enumerate().map(|(number, host)| {
        let result = match number % 4 {
            0 => end(Status::Changed, json!({"changed": true})),
            1 => failed(),
            _ => end(Status::Ok, json!({})),
        };
        done(0, host, result)
    }));
    let counts = |number: usize| Counts {
        ok: u32::from(number % 4 != 1),
        failed: u32::from(number % 4 == 1),
        ..Counts::default()
    };
    let stats: BTreeMap<_, _> =
        hosts.iter().enumerate().map(|(at, host)| (host.clone(), counts(at))).collect();
    kinds.push(Kind::RunFinished {
        stats,
        order: hosts,
        custom: BTreeMap::new(),
        interrupted: false,
    });
    let (out, _) =
        fixture::play(&events(kinds), |to| create("terminal", &settings(80), to).unwrap());
    insta::assert_snapshot!(out, @r#"

    PLAY all · 1000 hosts                                             srv/site.yml:1
      FAILED   node0001: write config                                 srv/site.yml:4
               no space left
                 rc  1
      FAILED   249 hosts: write config                                srv/site.yml:4
               as on node0001: no space left
               on node[0005,0009,0013,0017,0021,0025,0029,0033,0037] and 240 more
      FAILED   write config · 250 changed · 500 ok · 250 failed · 8m 20s

      failed: node[0001,0005,0009,0013,0017,0021,0025,0029,0033,0037,0041,0045,0049,
              0053,0057,0061,0065,0069,0073,0077,0081,0085,0089,0093,0097,0101,0105,
              0109,0113,0117,0121,0125,0129,0133,0137,0141,0145,0149,0153,0157,0161,
              0165,0169,0173,0177,0181,0185,0189,0193,0197,0201,0205] and 198 more

    failed: 250 of 1000 hosts · 1 task · 0 changes · 8m 21s
    "#);
}

/// A terminal that is none, and a view that draws on it at the times of the events.
struct Watch {
    state: State,
    out: Shared,
    columns: u16,
    rows: u16,
    at_ms: u64,
}

impl Watch {
    fn new(columns: u16, rows: u16, change: impl FnOnce(&mut Settings)) -> Self {
        let out = Shared::default();
        let mut settings = Settings { live: true, ..settings(usize::from(columns)) };
        change(&mut settings);
        let to = Outputs { out: Box::new(out.clone()), err: Box::new(out.clone()) };
        let mut state = State::new(settings, to);
        state.resize(usize::from(columns), usize::from(rows));
        Self { state, out, columns, rows, at_ms: 1_800_000_000_000 }
    }

    fn hosts(columns: u16, rows: u16, hosts: usize) -> Self {
        let mut watch = Self::new(columns, rows, |_| ());
        let names: Vec<String> = (1..=hosts).map(|number| format!("web{number}")).collect();
        watch.see(play_of(&names.iter().map(String::as_str).collect::<Vec<_>>()));
        watch
    }

    fn see(&mut self, kind: Kind) {
        self.state.accept(&Event { seq: 0, at_ms: self.at_ms, kind }).unwrap();
    }

    /// Time passes, and the region is drawn.
    fn pass(&mut self, ms: u64) {
        self.at_ms += ms;
        self.see(Kind::Notified { host: String::new(), handler: String::new() });
    }

    fn screen(&self) -> String {
        let size = |number| NonZero::new(number).unwrap();
        let mut parser = vt100::Parser::new(size(self.rows), size(self.columns), 1000);
        parser.process(self.out.text().replace('\n', "\r\n").as_bytes());
        let contents = parser.screen().contents();
        let lines: Vec<&str> = contents.lines().map(str::trim_end).collect();
        lines.join("\n")
    }

    /// A task starts, on the hosts of these numbers.
    fn task(&mut self, number: u32, name: &str, hosts: impl IntoIterator<Item = usize>) {
        self.see(task(number, name, "command"));
        for host in hosts {
            self.see(Kind::HostStarted { task: number, host: format!("web{host}") });
        }
    }

    fn done(&mut self, number: u32, host: usize, status: Status) {
        let reply = match status {
            Status::Failed => json!({"msg": "no space left", "rc": 1}),
            Status::Unreachable => json!({"msg": "no route to host"}),
            _ => json!({}),
        };
        self.see(done(number, &format!("web{host}"), end(status, reply)));
    }
}

#[test]
fn a_few_hosts_have_a_line_each() {
    let mut watch = Watch::hosts(80, 24, 6);
    watch.task(0, "install", 1..=6);
    (1..=5).for_each(|host| watch.done(0, host, Status::Ok));
    watch.done(0, 6, Status::Unreachable);
    watch.task(1, "deploy", 2..=5);
    watch.see(Kind::ItemStarted {
        task: 1,
        host: "web2".to_owned(),
        item: Some("nginx.conf".to_owned()),
        number: 3,
        of: 8,
    });
    let left = |left| Kind::Retry {
        task: 1,
        host: "web3".to_owned(),
        left,
        end: end(Status::Failed, json!({})),
    };
    watch.see(left(3));
    watch.see(left(2));
    let output = |text: &str| Kind::Output {
        task: 1,
        host: "web3".to_owned(),
        stream: Stream::Stdout,
        text: text.to_owned(),
    };
    watch.see(output("first\nUnpacking \u{1b}[31mlibc6 ...\n\n"));
    watch.see(Kind::Connecting { host: "web4".to_owned(), address: "root@10.0.0.4".to_owned() });
    watch.see(Kind::Progress {
        task: None,
        host: "web4".to_owned(),
        what: "pushing agent".to_owned(),
        done: 43,
        total: Some(100),
    });
    watch.pass(4200);
    watch.done(1, 5, Status::Changed);
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all · 6 hosts                                                srv/site.yml:1
      UNREACHABLE web6: install                                       srv/site.yml:4
               no route to host
      FAILED   install · 5 ok · 1 unreachable                         srv/site.yml:4
    ⠋ deploy · 1/5 hosts · 4s                                           task 2 · 4s
      . web1
      ▸ web2  item 3 of 8: nginx.conf · 4s
      ▸ web3  attempt 3 of 4 · 4s · Unpacking libc6 ...
      ◌ web4  connecting to root@10.0.0.4 · pushing agent 43% · 4s
      ~ web5  changed · 4.2s
      ! web6  unreachable at install
    "#);
}

#[test]
fn a_hundred_hosts_have_a_mark_each() {
    let mut watch = Watch::hosts(80, 24, 100);
    watch.task(0, "first", 1..=100);
    (1..=100).for_each(|host| watch.done(0, host, Status::Ok));
    watch.task(1, "restart web", 1..=70);
    (1..=50).for_each(|host| {
        let status = match host {
            5 | 17 => Status::Changed,
            23 => Status::Failed,
            31 => Status::Skipped,
            _ => Status::Ok,
        };
        watch.done(1, host, status);
    });
    watch.pass(3000);
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all · 100 hosts                                              srv/site.yml:1
      ok       first · 100 hosts
      FAILED   web23: restart web                                     srv/site.yml:6
               no space left
                 rc  1
    ⠋ restart web · 50/100 hosts · 3s                                   task 2 · 3s
      ✓ 46 ok  ~ 2 changed  - 1 skipped  ✗ 1 failed  ▸ 20 running  . 30 waiting
      web1   ✓✓✓✓~✓✓✓✓✓ ✓✓✓✓✓✓~✓✓✓ ✓✓✗✓✓✓✓✓✓✓ -✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ▸▸▸▸▸▸▸▸▸▸
      web61  ▸▸▸▸▸▸▸▸▸▸ .......... .......... ..........
      waiting for: web51 3s, web52 3s, web53 3s, web54 3s, web55 3s, and 15 more
    "#);
    (51..=70).for_each(|host| watch.done(1, host, Status::Failed));
    watch.task(2, "next", []);
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all · 100 hosts                                              srv/site.yml:1
      ok       first · 100 hosts
      FAILED   web23: restart web                                     srv/site.yml:6
               no space left
                 rc  1
      FAILED   web[51-70]: restart web                                srv/site.yml:6
               as on web23: no space left
      FAILED   restart web · changed: web[5,17] · 46 ok · 1 skipped · 21 failed · 3…
    ⠋ next · 0/79 hosts                                                 task 3 · 3s
      ✗ 21 failed  . 79 waiting
      web1   .......... .......... ..✗....... .......... .......... ✗✗✗✗✗✗✗✗✗✗
      web61  ✗✗✗✗✗✗✗✗✗✗ .......... .......... ..........
    "#);
}

#[test]
fn of_a_thousand_hosts_several_share_a_mark() {
    for (columns, rows, most) in [(80, 24, 8), (40, 24, 8), (300, 50, 8), (80, 10, 5), (80, 3, 1)] {
        let mut watch = Watch::hosts(columns, rows, 1000);
        watch.task(0, "write config", 1..=400);
        (1..=300).for_each(|host| watch.done(0, host, Status::Ok));
        watch.done(0, 301, Status::Failed);
        watch.pass(12_000);
        let screen = watch.screen();
        let from = screen.find('⠋').unwrap();
        let region: Vec<&str> = screen[from..].lines().collect();
        assert!(region.len() <= most, "{columns}x{rows}:\n{screen}");
        if rows == 3 {
            continue;
        }
        assert!(region[1].contains("300 ok"), "{screen}");
        assert!(region[1].contains("1 failed") || columns == 40, "{screen}");
        assert_eq!(screen[from..].matches('✗').count(), 2, "{screen}");
        if columns == 80 && rows == 24 {
            insta::assert_snapshot!(screen, @r#"

            PLAY all · 1000 hosts                                             srv/site.yml:1
              FAILED   web301: write config                                   srv/site.yml:4
                       no space left
                         rc  1
            ⠋ write config · 301/1000 hosts · 12s                                       12s
              ✓ 300 ok  ✗ 1 failed  ▸ 99 running  . 600 waiting  1 mark = 5 hosts
              web1    ✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓ ✓✓✓✓✓✓✓✓✓✓
              web301  ✗▸▸▸▸▸▸▸▸▸ ▸▸▸▸▸▸▸▸▸▸ .......... .......... .......... ..........
              web601  .......... .......... .......... .......... .......... ..........
              web901  .......... ..........
              waiting for: web302 12s, web303 12s, web304 12s, web305 12s, and 95 more
            "#);
        }
    }
}

#[test]
fn hosts_that_go_on_for_themselves_name_their_tasks() {
    let mut watch = Watch::hosts(60, 24, 3);
    watch.task(0, "one", [1]);
    watch.task(1, "one", [2]);
    watch.task(2, "one", [3]);
    watch.done(0, 1, Status::Ok);
    watch.task(3, "two", [1]);
    watch.done(2, 3, Status::Changed);
    watch.task(4, "two", [3]);
    watch.done(4, 3, Status::Failed);
    watch.pass(2000);
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all · 3 hosts                            srv/site.yml:1
      FAILED   web3: two                         srv/site.yml:12
               no space left
                 rc  1
    ⠋ 2 tasks at once · 2s                          task 5 · 2s
      ▸ web1  two · 2s
      ▸ web2  one · 2s
      ✗ web3  failed at two
    "#);
}

#[test]
fn a_task_that_each_host_starts_for_itself_is_told_once() {
    let hosts: Vec<String> = (1..=100).map(|number| format!("web{number}")).collect();
    let mut kinds = vec![play_of(&hosts.iter().map(String::as_str).collect::<Vec<_>>())];
    let place = |kind: Kind, step: u32| match kind {
        Kind::TaskStarted { task, name, action, handler, check, diff, args, .. } => {
            let path = format!("/srv/site.yml:{step}:7");
            Kind::TaskStarted { task, name, action, path, handler, check, diff, args }
        }
        other => other,
    };
    for step in 0..3_u32 {
        for (number, host) in (0..).zip(&hosts) {
            let task_number = step * 100 + number;
            kinds.push(place(task(task_number, &format!("step {step}"), "copy"), step + 2));
            kinds.push(Kind::HostStarted { task: task_number, host: host.clone() });
            // Each host is one step behind the one that started last.
            if step > 0 || number > 0 {
                let status = if number % 10 == 3 { Status::Changed } else { Status::Ok };
                let before = (task_number + 300 - 1) % 300;
                let host = &hosts[usize::try_from(before % 100).unwrap()];
                kinds.push(done(before, host, end(status, json!({}))));
            }
        }
    }
    let (out, _) =
        fixture::play(&events(kinds), |to| create("terminal", &settings(80), to).unwrap());
    insta::assert_snapshot!(out, @r#"

    PLAY all · 100 hosts                                              srv/site.yml:1
      changed  step 0 · changed: web[3,13,23,33,43,53,63,73,83,93] · 90 ok · 2m 30s
      changed  step 1 · changed: web[3,13,23,33,43,53,63,73,83,93] · 90 ok · 2m 31s
      changed  step 2 · changed: web[3,13,23,33,43,53,63,73,83,93] · 89 ok · 2m 29s
    "#);
}

#[test]
fn a_quick_task_has_one_line_and_nothing_stays_at_the_end() {
    let mut watch = Watch::hosts(80, 24, 3);
    watch.task(0, "quick", 1..=3);
    watch.pass(100);
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all · 3 hosts                                                srv/site.yml:1
    ⠋ quick · 0/3 hosts
    "#);
    watch.pass(1000);
    assert!(watch.screen().contains("web3"));
    watch.state.leave().unwrap();
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all · 3 hosts                                                srv/site.yml:1
    "#);
}

#[test]
fn without_unicode_all_of_it_is_ascii() {
    let mut watch = Watch::new(70, 24, |settings| settings.unicode = false);
    let names: Vec<String> = (1..=30).map(|number| format!("web{number}")).collect();
    watch.see(play_of(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    watch.task(
        0,
        "a task with a name that is so long that it has to be cut off at the end",
        1..=30,
    );
    (1..=9).for_each(|host| watch.done(0, host, Status::Ok));
    watch.done(0, 10, Status::Failed);
    watch.pass(2500);
    assert!(watch.screen().is_ascii(), "{}", watch.screen());
    insta::assert_snapshot!(watch.screen(), @r#"

    PLAY all - 30 hosts                                     srv/site.yml:1
      FAILED   web10: a task with a name that is so long that it has to b>
               no space left
                 rc  1
    | a task with a name that is so long that it has to be cut off at th>
      o 9 ok  F 1 failed  r 20 running
      web1  oooooooooF rrrrrrrrrr rrrrrrrrrr
      waiting for: web11 2s, web12 2s, web13 2s, web14 2s, and 16 more
    "#);
}

#[test]
fn another_width_is_taken_up_and_others_may_write() {
    let mut watch = Watch::hosts(80, 24, 3);
    watch.task(0, "wait", 1..=3);
    watch.pass(2000);
    let before = watch.out.text().len();
    watch.state.resize(40, 24);
    watch.pass(100);
    let text = watch.out.text();
    // The first line took two rows of the narrower terminal.
    assert!(text[before..].starts_with("\u{1b}[4A\r\u{1b}[J"), "{:?}", &text[before..]);

    watch.state.hold().unwrap();
    let held = watch.out.text().len();
    watch.pass(2000);
    assert_eq!(watch.out.text().len(), held);
    watch.state.release();
    watch.pass(100);
    assert!(watch.out.text()[held..].contains("wait"));
    watch.state.forget();
    let forgotten = watch.out.text().len();
    watch.pass(100);
    assert!(!watch.out.text()[forgotten..].contains("\u{1b}[J"));
}

#[test]
fn no_width_is_too_small_and_no_name_too_strange() {
    for columns in [1, 20, 40, 61, 80, 133, 300] {
        for hosts in [0, 1, 2, 10, 11, 64, 1000] {
            let mut watch = Watch::hosts(columns, 30, hosts);
            let mut play = vec!["日本語\u{1b}[2J\n"; hosts];
            play.truncate(hosts);
            watch.see(play_of(&play));
            watch.task(0, "名前\r\n\u{7}", [1]);
            watch.see(Kind::HostStarted { task: 0, host: "日本語\u{1b}[2J\n".to_owned() });
            watch.pass(u64::MAX / 4);
            watch.state.leave().unwrap();
            assert!(!watch.out.text().contains("[2J"), "{:?}", watch.out.text());
        }
    }
}
